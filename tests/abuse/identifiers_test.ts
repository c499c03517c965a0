import { assert, assertEquals } from "../support/assert.ts";
import { contentOf, descriptorOf, imageOf, OCI_INDEX, startForTests } from "../support/client.ts";
import { treeOf } from "../support/tree.ts";

const registry = await startForTests();
const IMAGE = await registry.pushImage("victim", "v1");
const CONFIG = contentOf("config of victim");
const HEX = "a".repeat(64);

const DIGESTS = [
  "sha256:../../etc/passwd",
  "sha256:..%2f..%2fetc%2fpasswd",
  `sha256:${"A".repeat(64)}`,
  `sha256:${"a".repeat(63)}`,
  `sha256:${"a".repeat(65)}`,
  "sha256:",
  ":",
  `md5:${"a".repeat(32)}`,
  `sha256:${HEX}%00`,
  `sha256:${HEX}%2f`,
  `sha256:%2e%2e`,
  `sha256:${"%D9%A3".repeat(64)}`,
  `sha256+b64:${HEX}`,
  `sha256:${HEX}%0d%0aX: y`,
  `constructor:${HEX}`,
];

const NAMES = [
  "UPPER",
  "a%2fb",
  "a%2F..%2Fvictim",
  "%2e%2e",
  "a//b",
  "a/",
  "_catalog",
  "victim/_blobs",
  "victim/_uploads",
  "a%00b",
  "a b",
  "ä",
  "-a",
  "a.",
  "a___b",
  "x".repeat(256),
  "victim;x",
  "victim%3bx",
];

const TAGS = [
  ".hidden",
  "-dash",
  "a".repeat(129),
  "a%2fb",
  "..%2f..",
  "a%00",
  "a%20b",
  "%D9%A3",
  "a;b",
  "a%0ab",
];

const before = await listContent();

/** What is in the store, but for the audit log, where what is refused is noted, and what is just being written. */
async function listContent(): Promise<string[]> {
  const tree = await treeOf(registry.dataDir);
  return tree.filter((line) => !/\/data\/(?:audit|%temp)\//.test(line));
}

/** Sends the request, and fails unless it is refused as the client's mistake and changes nothing. */
async function assertHarmless(method: string, path: string, body?: BodyInit): Promise<void> {
  const { status, text } = await registry.send(method, path, body === undefined ? {} : { body });
  assert(status >= 400 && status < 500, `${method} ${path} answered ${status} ${text}`);
}

async function assertUnchanged(): Promise<void> {
  assertEquals(await listContent(), before);
  assertEquals((await registry.get("/v2/_catalog")).json(), { repositories: ["victim"] });
}

Deno.test("A hostile digest is refused wherever a digest can stand", async () => {
  for (const digest of DIGESTS) {
    for (const method of ["GET", "HEAD", "DELETE"]) {
      await assertHarmless(method, `/v2/victim/blobs/${digest}`);
      await assertHarmless(method, `/v2/victim/manifests/${digest}`);
    }
    await assertHarmless("PUT", `/v2/victim/manifests/${digest}`, IMAGE.bytes);
    await assertHarmless("GET", `/v2/victim/referrers/${digest}`);
    const query = digest.replace("+", "%2B");
    await assertHarmless("POST", `/v2/victim/blobs/uploads/?digest=${query}`, "x");
    await assertHarmless("POST", `/v2/victim/blobs/uploads/?mount=${query}&from=victim`);
    await assertHarmless("POST", `/v2/victim/blobs/uploads/?mount=${query}`);
  }
  await assertUnchanged();
});

Deno.test("A hostile digest in a manifest is refused", async () => {
  for (
    const digest of [
      "sha256:../../etc",
      `sha256:${"A".repeat(64)}`,
      "",
      `md5:${"a".repeat(32)}`,
      `${HEX}`,
      5,
      null,
    ]
  ) {
    const descriptor = { ...descriptorOf(CONFIG), digest };
    const manifests = [
      imageOf(CONFIG, [], { config: descriptor }),
      imageOf(CONFIG, [], { layers: [descriptor] }),
      imageOf(CONFIG, [], { subject: descriptor }),
    ];
    for (const manifest of manifests) {
      assertEquals((await registry.putManifest("victim", "x", manifest)).status, 400);
    }
    const index = contentOf({ schemaVersion: 2, manifests: [descriptor] });
    assertEquals((await registry.putManifest("victim", "x", index, OCI_INDEX)).status, 400);
  }
  await assertUnchanged();
});

Deno.test("A hostile name is refused wherever a name can stand", async () => {
  for (const name of NAMES) {
    await assertHarmless("GET", `/v2/${name}/tags/list`);
    await assertHarmless("GET", `/v2/${name}/manifests/v1`);
    await assertHarmless("PUT", `/v2/${name}/manifests/v1`, IMAGE.bytes);
    await assertHarmless("DELETE", `/v2/${name}/manifests/v1`);
    await assertHarmless("GET", `/v2/${name}/blobs/${CONFIG.digest}`);
    await assertHarmless("POST", `/v2/${name}/blobs/uploads/`);
    // In a query %2f is a plain slash: `a/b` is a name like any other there.
    const from = decodeURIComponent(name) === "a/b" ? "A" : name;
    await assertHarmless("POST", `/v2/victim/blobs/uploads/?mount=${CONFIG.digest}&from=${from}`);
  }
  await assertUnchanged();
});

Deno.test("A hostile tag is refused wherever a tag can stand", async () => {
  for (const tag of TAGS) {
    for (const method of ["GET", "HEAD", "DELETE"]) {
      await assertHarmless(method, `/v2/victim/manifests/${tag}`);
    }
    await assertHarmless("PUT", `/v2/victim/manifests/${tag}`, IMAGE.bytes);
    await assertHarmless("PUT", `/v2/victim/manifests/${IMAGE.digest}?tag=${tag}`, IMAGE.bytes);
  }
  await assertUnchanged();
});

Deno.test("A hostile upload is unknown", async () => {
  for (const upload of ["..", "%2e%2e", "x", "1".repeat(36), "..%2f..%2fcatalog", "%00", "a".repeat(2_000)]) {
    for (const method of ["GET", "PATCH", "PUT", "DELETE"]) {
      await assertHarmless(method, `/v2/victim/blobs/uploads/${upload}?digest=${CONFIG.digest}`);
    }
  }
  await assertUnchanged();
});

Deno.test("No second spelling of a path gets around its row", async () => {
  const paths = [
    "/v2//_catalog",
    "/v2/_catalog/",
    "/V2/_catalog",
    "/v2/%5Fcatalog",
    "/v2/_catalog;x",
    "/v2/x/..%2f_catalog",
    "/v2/victim/manifests/v1/",
    "/v2/victim//manifests/v1",
    "/v2/victim/%6danifests/v1",
    "//v2/_catalog",
  ];
  for (const path of paths) await assertHarmless("GET", path);
});

Deno.test("Hostile ranges are ignored or refused, and never leave the blob", async () => {
  const path = `/v2/victim/blobs/${CONFIG.digest}`;
  for (
    const range of [
      "bytes=0-99999999999999999999",
      "bytes=--5",
      "bytes=-1--1",
      "bytes= 0 - 1 ",
      `bytes=${"0-0,".repeat(500)}`,
    ]
  ) {
    const { status, bytes } = await registry.get(path, { Range: range });
    assert([200, 206, 416].includes(status), `${range} answered ${status}`);
    if (status < 300) assert(bytes.byteLength <= CONFIG.bytes.byteLength);
  }
});

Deno.test("Hostile JSON is refused", async () => {
  const text = new TextDecoder().decode(IMAGE.bytes);
  const hostile = [
    "[".repeat(100_000) + "]".repeat(100_000),
    `{"schemaVersion":2,"a":${"[".repeat(1_000)}${"]".repeat(1_000)}}`,
    text.replace('"layers":', '"Layers":[],"layers":'),
    text.replace('"layers":', '"layers":[],"layers":'),
    text.replace(/"size":\d+/, '"size":-1'),
    text.replace(/"size":\d+/, '"size":9223372036854775808'),
    text.replace(/"size":\d+/, '"size":1.5'),
    text.replace(/"size":\d+/, '"size":1e400'),
    "null",
    '"manifest"',
    "\u0000",
    `${text}x`,
  ];
  for (const body of hostile) {
    const answer = await registry.putManifest("victim", "x", contentOf(body));
    assertEquals([answer.status, answer.json().errors[0].code], [400, "MANIFEST_INVALID"], body.slice(0, 80));
  }
  const descriptor = JSON.stringify(descriptorOf(CONFIG));
  const layers = contentOf(
    `{"schemaVersion":2,"config":${descriptor},"layers":[${Array(100_000).fill(descriptor).join()}]}`,
  );
  assertEquals((await registry.putManifest("victim", "x", layers)).status, 413);
  await assertUnchanged();
});
