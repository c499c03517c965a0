import { assertEquals } from "../support/assert.ts";
import { contentOf, randomContent, startForTests } from "../support/client.ts";

const registry = await startForTests();
const BLOB = await registry.pushBlob("lib/app", randomContent(2_048));
const PATH = `/v2/lib/app/blobs/${BLOB.digest}`;

Deno.test("GET <blob> answers the bytes, their length and digest", async () => {
  const { status, headers, bytes } = await registry.get(PATH);
  assertEquals([status, bytes], [200, BLOB.bytes]);
  assertEquals(headers.get("Content-Length"), "2048");
  assertEquals(headers.get("Docker-Content-Digest"), BLOB.digest);
  assertEquals(headers.get("Content-Type"), "application/octet-stream");
  assertEquals(headers.get("Accept-Ranges"), "bytes");
});

Deno.test("HEAD <blob> answers the same without the bytes", async () => {
  const { status, headers, bytes } = await registry.send("HEAD", PATH);
  assertEquals([status, bytes.byteLength, headers.get("Content-Length")], [200, 0, "2048"]);
  assertEquals([headers.get("Docker-Content-Digest"), headers.get("Accept-Ranges")], [BLOB.digest, "bytes"]);
});

Deno.test("GET and HEAD <blob> answer 404 to what the repository does not have", async () => {
  const { digest } = contentOf("never pushed");
  for (const path of [`/v2/lib/app/blobs/${digest}`, `/v2/lib/other/blobs/${BLOB.digest}`]) {
    const answer = await registry.get(path);
    assertEquals([answer.status, answer.json().errors[0].code], [404, "BLOB_UNKNOWN"]);
    const head = await registry.send("HEAD", path);
    assertEquals([head.status, head.bytes.byteLength], [404, 0]);
  }
});

const RANGES: [range: string, first: number, length: number][] = [
  ["bytes=500-1499", 500, 1_000],
  ["bytes=500-", 500, 1_548],
  ["bytes=-500", 1_548, 500],
  ["bytes=2000-5000", 2_000, 48],
  ["bytes=0-0", 0, 1],
  ["bytes=-5000", 0, 2_048],
];

for (const [range, first, length] of RANGES) {
  Deno.test(`GET <blob> answers 206 to Range: ${range}`, async () => {
    const { status, headers, bytes } = await registry.get(PATH, { Range: range });
    assertEquals([status, bytes], [206, BLOB.bytes.slice(first, first + length)]);
    assertEquals(headers.get("Content-Length"), String(length));
    assertEquals(headers.get("Content-Range"), `bytes ${first}-${first + length - 1}/2048`);
  });
}

for (const range of ["bytes=500-0", "bytes=5000-10000", "bytes=2048-", "bytes=-0"]) {
  Deno.test(`GET <blob> answers 416 to Range: ${range}`, async () => {
    const { status, headers } = await registry.get(PATH, { Range: range });
    assertEquals([status, headers.get("Content-Range")], [416, "bytes */2048"]);
  });
}

for (const range of ["bytes=a-b", "items=0-5", "bytes=0-1,5-6"]) {
  Deno.test(`GET <blob> answers all of it to Range: ${range}`, async () => {
    const { status, bytes } = await registry.get(PATH, { Range: range });
    assertEquals([status, bytes], [200, BLOB.bytes]);
  });
}

Deno.test("GET <blob> answers 304 to If-None-Match with its tag, and heeds If-Range", async () => {
  const etag = (await registry.get(PATH)).headers.get("ETag")!;
  for (const known of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const { status, bytes } = await registry.get(PATH, { "If-None-Match": known });
    assertEquals([known, status, bytes.byteLength], [known, 304, 0]);
  }
  assertEquals((await registry.get(PATH, { "If-None-Match": '"x"' })).status, 200);
  assertEquals((await registry.get(PATH, { "If-Range": etag, "Range": "bytes=0-9" })).status, 206);
  assertEquals((await registry.get(PATH, { "If-Range": '"x"', "Range": "bytes=0-9" })).status, 200);
});

Deno.test("DELETE <blob> answers 202, and the blob is gone from this repository only", async () => {
  const content = await registry.pushBlob("lib/app", contentOf("to be deleted"));
  await registry.pushBlob("lib/keeper", content);
  const path = `/v2/lib/app/blobs/${content.digest}`;
  assertEquals((await registry.send("DELETE", path)).status, 202);
  assertEquals([(await registry.get(path)).status, (await registry.send("HEAD", path)).status], [404, 404]);
  const again = await registry.send("DELETE", path);
  assertEquals([again.status, again.json().errors[0].code], [404, "BLOB_UNKNOWN"]);
  assertEquals((await registry.get(`/v2/lib/keeper/blobs/${content.digest}`)).text, "to be deleted");
});

Deno.test("DELETE <blob> answers 405 while a manifest refers to it, and it stays", async () => {
  const manifest = await registry.pushImage("lib/referred", "v1");
  const { config } = JSON.parse(new TextDecoder().decode(manifest.bytes));
  const path = `/v2/lib/referred/blobs/${config.digest}`;
  const answer = await registry.send("DELETE", path);
  assertEquals([answer.status, answer.json().errors[0].code], [405, "UNSUPPORTED"]);
  assertEquals((await registry.get(path)).status, 200);
  await registry.send("DELETE", `/v2/lib/referred/manifests/${manifest.digest}`);
  assertEquals((await registry.send("DELETE", path)).status, 202);
});

Deno.test("POST <uploads>?mount=&from= answers 201 with a Location that can be pulled", async () => {
  const { status, headers } = await registry.send(
    "POST",
    `/v2/lib/mounted/blobs/uploads/?mount=${BLOB.digest}&from=lib/app`,
  );
  assertEquals([status, headers.get("Docker-Content-Digest")], [201, BLOB.digest]);
  assertEquals((await registry.get(headers.get("Location")!)).bytes, BLOB.bytes);
});

Deno.test("POST <uploads>?mount= without from answers 201 for a blob that some repository has", async () => {
  const { status, headers } = await registry.send(
    "POST",
    `/v2/lib/found/blobs/uploads/?mount=${BLOB.digest}`,
  );
  assertEquals([status, headers.get("Location")], [201, `/v2/lib/found/blobs/${BLOB.digest}`]);
});

Deno.test("POST <uploads>?mount= answers 202 and an upload for what cannot be mounted", async () => {
  const { digest } = contentOf("nowhere");
  const queries = [
    `mount=${digest}`,
    `mount=${digest}&from=lib/app`,
    `mount=${BLOB.digest}&from=lib/without`,
  ];
  for (const query of queries) {
    const { status, headers } = await registry.send("POST", `/v2/lib/new/blobs/uploads/?${query}`);
    assertEquals([query, status], [query, 202]);
    assertEquals((await registry.get(headers.get("Location")!)).status, 204);
  }
});
