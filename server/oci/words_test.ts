import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "../../tests/support/assert.ts";
import {
  digestAlgorithm,
  digestEncoded,
  formatDigest,
  isDigest,
  parseDigest,
  parseDigestAlgorithm,
} from "./digest.ts";
import { OciError } from "./error.ts";
import { isRepositoryName, parseRepositoryName } from "./name.ts";
import { formatReference, isTag, parseReference, parseTag } from "./reference.ts";
import {
  createTimedUploadId,
  createUploadId,
  formatUploadRange,
  formatUploadSession,
  isUploadId,
  parseContentRange,
  parseUploadSession,
  readUploadSession,
  uploadMark,
  uploadTime,
  uploadUuid,
} from "./upload.ts";

const HEX = "0123456789abcdef";
const SHA256 = "a".repeat(64);

function refuses(parse: () => unknown, code: string): void {
  assertThrows(parse, (error) => error instanceof OciError && error.code === code);
}

function text(alphabet: string, length: { minLength: number; maxLength: number }) {
  return fc.string({ unit: fc.constantFrom(...alphabet), ...length });
}

Deno.test("parseDigest() reads sha256 and sha512", () => {
  const sha256 = text(HEX, { minLength: 64, maxLength: 64 }).map((hex) => formatDigest("sha256", hex));
  const sha512 = text(HEX, { minLength: 128, maxLength: 128 }).map((hex) => formatDigest("sha512", hex));
  fc.assert(fc.property(fc.oneof(sha256, sha512), (digest) => {
    assertEquals(parseDigest(digest), formatDigest(digestAlgorithm(digest), digestEncoded(digest)));
  }));
});

const BAD_DIGESTS = [
  "",
  "sha256:",
  "sha256",
  `sha256:${"a".repeat(63)}`,
  `sha256:${"a".repeat(65)}`,
  `sha256:${"A".repeat(64)}`,
  `sha256:${"g".repeat(64)}`,
  `SHA256:${SHA256}`,
  `sha512:${SHA256}`,
  `md5:${"a".repeat(32)}`,
  `sha256+b64:${SHA256}`,
  `sha256:${SHA256}/`,
  `sha256:${SHA256}\n`,
  `sha256:${SHA256}\0`,
  ` sha256:${SHA256}`,
  "sha256:../../etc/passwd",
  `sha256:%2e${"a".repeat(61)}`,
  `sha256:${"٣".repeat(64)}`,
  "constructor:x",
];

for (const bad of BAD_DIGESTS) {
  Deno.test(`parseDigest() refuses ${JSON.stringify(bad)}`, () =>
    refuses(() => parseDigest(bad), "DIGEST_INVALID"));
}

Deno.test("isDigest() believes no text by chance", () => {
  fc.assert(fc.property(fc.string(), (any) => !isDigest(any)));
});

Deno.test("parseDigestAlgorithm() knows sha256 and sha512 and nothing that objects inherit", () => {
  assertEquals(["sha256", "sha512"].map(parseDigestAlgorithm), ["sha256", "sha512"]);
  for (const bad of ["md5", "", "SHA256", "toString", "__proto__"]) {
    refuses(() => parseDigestAlgorithm(bad), "DIGEST_INVALID");
  }
});

const component = fc.tuple(
  text("abz019", { minLength: 1, maxLength: 5 }),
  fc.array(
    fc.tuple(fc.constantFrom(".", "_", "__", "-", "---"), text("abz019", { minLength: 1, maxLength: 5 })),
    {
      maxLength: 3,
    },
  ),
).map(([head, tail]) => head + tail.map(([separator, part]) => separator + part).join(""));

Deno.test("parseRepositoryName() reads what the spec's grammar makes", () => {
  fc.assert(fc.property(fc.array(component, { minLength: 1, maxLength: 5 }), (components) => {
    const name = components.join("/");
    assertEquals(parseRepositoryName(name), name);
  }));
});

const BAD_NAMES = [
  "",
  "/",
  "a/",
  "/a",
  "a//b",
  "A",
  "a/B",
  "_a",
  "a_",
  "a___b",
  "a..b",
  "a._b",
  "-a",
  "a-",
  ".",
  "..",
  "a/../b",
  "a/./b",
  "a b",
  "a%2fb",
  "a\\b",
  "a\0",
  "a\n",
  "ä",
  "a:b",
  "a@b",
  "_catalog",
  "a/_blobs",
  "a".repeat(254),
  `${"a/".repeat(127)}a`,
];

for (const bad of BAD_NAMES) {
  Deno.test(`parseRepositoryName() refuses ${JSON.stringify(bad.slice(0, 40))}`, () => {
    refuses(() => parseRepositoryName(bad), "NAME_INVALID");
  });
}

Deno.test("isRepositoryName() takes no longer than the text is long", () => {
  const startedAt = performance.now();
  for (const hard of ["a".repeat(255), "a-".repeat(127) + "!", "a__".repeat(85), "-".repeat(255)]) {
    isRepositoryName(hard);
  }
  assert(performance.now() - startedAt < 1_000);
});

Deno.test("parseTag() reads 1 to 128 of its characters", () => {
  const head = text("aZ0_", { minLength: 1, maxLength: 1 });
  const tail = text("aZ0_.-", { minLength: 0, maxLength: 127 });
  fc.assert(fc.property(head, tail, (a, b) => assertEquals(parseTag(a + b, "MANIFEST_INVALID"), a + b)));
});

for (const bad of ["", ".a", "-a", "a".repeat(129), "a/b", "a b", "ä", "a\n", "a%41", "a:b", "\u0661"]) {
  Deno.test(`parseTag() refuses ${JSON.stringify(bad.slice(0, 20))} with the code it is given`, () => {
    assertEquals(isTag(bad), false);
    refuses(() => parseTag(bad, "MANIFEST_INVALID"), "MANIFEST_INVALID");
    refuses(() => parseTag(bad, "MANIFEST_UNKNOWN"), "MANIFEST_UNKNOWN");
  });
}

Deno.test("parseReference() takes what has a colon for a digest, the rest for a tag", () => {
  assertEquals(parseReference(`sha256:${SHA256}`, "MANIFEST_UNKNOWN") as unknown, {
    digest: `sha256:${SHA256}`,
  });
  assertEquals(parseReference("latest", "MANIFEST_UNKNOWN") as unknown, { tag: "latest" });
  refuses(() => parseReference("sha256:bad", "MANIFEST_UNKNOWN"), "DIGEST_INVALID");
  assertEquals(formatReference(parseReference("v1", "MANIFEST_UNKNOWN")), "v1");
});

Deno.test("parseUploadSession() reads what createUploadId() makes, and nothing else", () => {
  const id = createUploadId();
  assertEquals(parseUploadSession(id), { id });
  for (const bad of ["", "..", id.toUpperCase() + "x", id.slice(1), `${id}/`, "a".repeat(36)]) {
    assertEquals(isUploadId(bad), false);
    refuses(() => parseUploadSession(bad), "BLOB_UPLOAD_UNKNOWN");
  }
});

Deno.test("parseUploadSession() reads what formatUploadSession() writes, and nothing else", () => {
  const id = createTimedUploadId(() => "0123456789abcdef".repeat(2));
  const held = { size: 5, digest: parseDigest(`sha256:${SHA256}`), seal: "fedcba9876543210".repeat(2) };
  for (
    const session of [{ id }, { id, isStored: true } as const, { id, held }, {
      id,
      held: { ...held, size: 0 },
    }]
  ) {
    const text = formatUploadSession(session);
    assertEquals(parseUploadSession(text), session);
    assertEquals(readUploadSession(text), session);
  }
  const [size, hex, seal] = ["5", SHA256, held.seal];
  for (
    const bad of [
      "",
      ".",
      ".s",
      "S",
      "s.s",
      "s.",
      size,
      `${size}.${hex}`,
      `${size}.${hex}.`,
      `${size}.${hex}.${seal}.s`,
      `${size}.${hex}.${seal}x`,
      `${size}.${hex}.${seal.slice(1)}`,
      `${size}.${hex}.${seal.toUpperCase()}`,
      `${size}.${hex.slice(1)}.${seal}`,
      `${size}.sha256:${hex}.${seal}`,
      `05.${hex}.${seal}`,
      `-5.${hex}.${seal}`,
      `.${hex}.${seal}`,
      `5e1.${hex}.${seal}`,
      `${"9".repeat(16)}.${hex}.${seal}`,
      `${size}.${hex}.${seal}\n`,
    ]
  ) {
    assertEquals(readUploadSession(`${id}.${bad}`), undefined, bad);
    refuses(() => parseUploadSession(`${id}.${bad}`), "BLOB_UPLOAD_UNKNOWN");
  }
});

Deno.test("createTimedUploadId() makes an identifier that tells when, for which who began it is marked", () => {
  const before = Date.now();
  const marked: string[] = [];
  const id = createTimedUploadId((uuid) => (marked.push(uuid), "0".repeat(32)));
  assertEquals([isUploadId(id), uploadMark(id), marked], [true, "0".repeat(32), [uploadUuid(id)]]);
  assertEquals(before <= uploadTime(id) && uploadTime(id) <= Date.now(), true);
  assertEquals(uploadUuid(id)[14], "7");
});

Deno.test("parseContentRange() reads two whole numbers in order", () => {
  assertEquals(parseContentRange("0-0"), { first: 0, last: 0 });
  assertEquals(parseContentRange("10-99"), { first: 10, last: 99 });
  for (
    const bad of [
      "",
      "-",
      "5-",
      "-5",
      "5-4",
      "bytes 0-5",
      "0-5/6",
      "a-b",
      " 0-5",
      "0-5,6-7",
      `0-${"9".repeat(16)}`,
    ]
  ) {
    refuses(() => parseContentRange(bad), "BLOB_UPLOAD_INVALID");
  }
});

Deno.test("formatUploadRange() is inclusive, and 0-0 for nothing", () => {
  assertEquals([0, 1, 2, 1000].map(formatUploadRange), ["0-0", "0-0", "0-1", "0-999"]);
});
