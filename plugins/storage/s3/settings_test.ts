import { assertEquals, assertThrows } from "../../../tests/support/assert.ts";
import { readSettings, type S3Options } from "./settings.ts";
import { encryptionHeaders } from "./sse.ts";

const OPTIONS: S3Options = {
  endpoint: "https://s3.example",
  bucket: "bucket",
  region: "eu-central-1",
  addressing: "path",
  credentials: "static",
  access_key_id: "key",
  secret_key: "secret",
  multipart_min_part_size: 5_000_000,
  multipart_copy_threshold: 5_000_000_000,
  multipart_copy_chunk_size: 100_000_000,
  multipart_copy_jobs: 4,
  redirect: false,
  url_lifetime: 1_200_000,
  request_timeout: 30_000,
  stall_timeout: 30_000,
  retry_budget: 20_000,
};

async function inFolder(act: (folder: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
  try {
    act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readSettings() reads what the plugin's options say", () => {
  assertEquals(readSettings(OPTIONS), {
    endpoint: new URL("https://s3.example"),
    publicEndpoint: new URL("https://s3.example"),
    bucket: "bucket",
    region: "eu-central-1",
    addressing: "path",
    ca: undefined,
    credentials: { from: "static", accessKeyId: "key", secretKey: "secret" },
    encryption: { by: "none" },
    patience: { requestMs: 30_000, stallMs: 30_000, budgetMs: 20_000 },
    keyPrefix: "",
    copies: { threshold: 5_000_000_000, chunkSize: 100_000_000, jobs: 4 },
    partSize: 5 * 1024 * 1024,
    redirects: { redirect: false, networks: [] },
    urlLifetimeMs: 1_200_000,
  });
});

Deno.test("readSettings() ends a prefix with a slash, and takes no part for smaller or larger than S3 does", () => {
  const prefixes = ["a", "/a/b/", "/"].map((key_prefix) =>
    readSettings({ ...OPTIONS, key_prefix }).keyPrefix
  );
  assertEquals(prefixes, ["a/", "a/b/", ""]);
  const sizes = { multipart_copy_chunk_size: 1, multipart_copy_threshold: 6e9, multipart_min_part_size: 8e6 };
  const { copies, partSize } = readSettings({ ...OPTIONS, ...sizes });
  assertEquals([copies.chunkSize, copies.threshold, partSize], [5 * 1024 ** 2, 5 * 1024 ** 3, 8e6]);
});

const REFUSED: readonly (readonly [options: Partial<S3Options>, message: string])[] = [
  [{ endpoint: "s3.example" }, 'endpoint: expected a URL such as "https://s3.eu-central-1.amazonaws.com"'],
  [{ endpoint: "https://a:b@s3.example" }, "endpoint: it holds a user name or a password"],
  [{ public_endpoint: "https://s3.example?x" }, "public_endpoint: it has a query or a fragment"],
  [{ bucket: "a/b" }, 'bucket: "a/b" is no name of a bucket'],
  [{ key_prefix: "a//b" }, 'key_prefix: expected at most 200 ASCII characters such as "registry/eu"'],
  [{ key_prefix: "a/../b" }, 'key_prefix: expected at most 200 ASCII characters such as "registry/eu"'],
  [
    { endpoint: "http://127.0.0.1:9000", addressing: "virtual" },
    'addressing: "virtual" needs the name of a host, and 127.0.0.1:9000 is an address',
  ],
  [
    { public_endpoint: "http://[::1]", addressing: "virtual" },
    'addressing: "virtual" needs the name of a host, and [::1] is an address',
  ],
  [{ region: "eu west" }, "region: it holds a space, a line break or another character that no header takes"],
  [
    { access_key_id: "ключ" },
    "access_key_id: it holds a space, a line break or another character that no header takes",
  ],
  [
    { session_token: "to\nken" },
    "session_token: it holds a space, a line break or another character that no header takes",
  ],
  [
    { sse: "aws:kms", sse_kms_key_id: "a key" },
    "sse_kms_key_id: it holds a space, a line break or another character that no header takes",
  ],
  [{ redirect: "all" }, 'redirect: expected true, false or "external"'],
  [{ url_lifetime: 500 }, 'url_lifetime: expected from "1s" to "7d", found 500 ms'],
  [{ request_timeout: 0 }, "request_timeout: expected a time that is not 0"],
  [
    { multipart_min_part_size: 6e9 },
    "multipart_min_part_size: expected at most 5GiB, found 6000000000 bytes",
  ],
  [{ sse: "AES256", sse_kms_key_id: "k" }, 'sse_kms_key_id: it needs sse = "aws:kms" beside it'],
  [
    { sse: "AES256", sse_c_key_file: "/k" },
    "sse_c_key_file: sse is set already, and only one of them can be",
  ],
  [{ secret_key_file: "/k" }, "secret_key_file: secret_key is set already, and only one of them can be"],
  [{ profile: "p" }, 'profile: it needs credentials = "file" beside it'],
  [{ credentials: "file" }, 'access_key_id: it needs credentials = "static" beside it'],
];

for (const [options, message] of REFUSED) {
  Deno.test(`readSettings() refuses ${message}`, () => {
    assertThrows(() => readSettings({ ...OPTIONS, ...options }), {
      code: "failed",
      message: `Cannot use ${message}`,
    });
  });
}

Deno.test("readSettings() names what a source of keys lacks, and not the keys", () => {
  const { access_key_id: _, secret_key: __, ...bare } = OPTIONS;
  const refuse = (options: Partial<S3Options>, message: string) =>
    assertThrows(() => readSettings({ ...bare, ...options }), { message: `Cannot use ${message}` });
  refuse({}, 'access_key_id: credentials = "static" needs it');
  refuse({ access_key_id: "key" }, "secret_key: access_key_id needs it");
  refuse({ credentials: "file" }, 'credentials_file: credentials = "file" needs it');
  const lent = { credentials: "web-identity", role_arn: "role", web_identity_token_file: "/token" } as const;
  refuse(lent, 'sts_endpoint: credentials = "web-identity" needs it');
});

Deno.test("readSettings() reads secrets of files, and says by their path what is wrong with them", () =>
  inFolder((folder) => {
    const write = (name: string, text: string) => {
      Deno.writeTextFileSync(`${folder}/${name}`, text);
      return `${folder}/${name}`;
    };
    const { secret_key: _, ...rest } = OPTIONS;
    const read = (options: Partial<S3Options>) =>
      readSettings({ ...rest, secret_key_file: secret, ...options });
    const secret = write("secret", "of-a-file\n");
    assertEquals(read({}).credentials, { from: "static", accessKeyId: "key", secretKey: "of-a-file" });
    const key = { by: "customer", key: new Uint8Array(32).fill(65) } as const;
    const raw = read({ sse_c_key_file: write("raw", "A".repeat(32)) }).encryption;
    const encoded = read({ sse_c_key_file: write("encoded", `${btoa("A".repeat(32))}\n`) }).encryption;
    for (const found of [raw, encoded]) {
      assertEquals({ ...found, key: new Uint8Array(found.by === "customer" ? found.key : []) }, key);
    }
    const refuse = (options: Partial<S3Options>, message: string) =>
      assertThrows(() => read(options), { message: `Cannot use ${message}` });
    const short = write("short", "abc");
    refuse(
      { sse_c_key_file: short },
      `sse_c_key_file: expected 32 bytes, as they are or in Base64, in ${short}`,
    );
    refuse({ ca_file: short }, `ca_file: expected a PEM file with a CERTIFICATE, found none in ${short}`);
    const shared = { redirect: true, sse_c_key_file: `${folder}/raw` };
    refuse(shared, "redirect: clients do not have the key of sse_c_key_file");
    refuse({ secret_key_file: write("empty", "\n") }, `secret_key_file: ${folder}/empty is empty`);
  }));

Deno.test("encryption is asked for where an object begins", () => {
  const begins = [{ method: "PUT", key: "a" }, { method: "POST", key: "a", query: { uploads: "" } }];
  const others = [
    { method: "PUT", key: "a", query: { partNumber: "1", uploadId: "u" } },
    { method: "POST", key: "a", query: { uploadId: "u" } },
    { method: "GET", key: "a" },
    { method: "DELETE", key: "a" },
    { method: "PUT" },
  ];
  for (const request of begins) {
    assertEquals(encryptionHeaders({ by: "store" }, request), { "x-amz-server-side-encryption": "AES256" });
    assertEquals(encryptionHeaders({ by: "kms", keyId: "k" }, request), {
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": "k",
    });
    assertEquals(encryptionHeaders({ by: "none" }, request), {});
  }
  for (const request of others) assertEquals(encryptionHeaders({ by: "store" }, request), {});
});

Deno.test("a customer's key goes along with all but deletions, and twice with a copy", () => {
  const settings = { by: "customer", key: new Uint8Array(32).fill(65) } as const;
  const named = (prefix: string) => ({
    [`${prefix}server-side-encryption-customer-algorithm`]: "AES256",
    [`${prefix}server-side-encryption-customer-key`]: "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
    [`${prefix}server-side-encryption-customer-key-md5`]: "UhbdzFjo2t5SVgded/ZC2g==",
  });
  for (const method of ["GET", "HEAD", "PUT", "POST"]) {
    assertEquals(encryptionHeaders(settings, { method, key: "a" }), named("x-amz-"));
  }
  const headers = { "x-amz-copy-source": "/bucket/b" };
  assertEquals(encryptionHeaders(settings, { method: "PUT", key: "a", headers }), {
    ...named("x-amz-"),
    ...named("x-amz-copy-source-"),
  });
  assertEquals(encryptionHeaders(settings, { method: "DELETE", key: "a" }), {});
  assertEquals(encryptionHeaders(settings, { method: "GET" }), {});
});
