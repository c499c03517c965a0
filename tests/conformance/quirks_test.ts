/** What clients seen in the wild do, and two of them at once. */

import { assertEquals } from "../support/assert.ts";
import { startsElse } from "../support/registry.ts";
import {
  contentOf,
  descriptorOf,
  imageOf,
  OCI_INDEX,
  OCI_MANIFEST,
  randomContent,
  startForTests,
} from "../support/client.ts";

const registry = await startForTests();

Deno.test("The first URL of an upload stays good, whatever its query", async () => {
  const content = contentOf("abcdef");
  const location = await registry.startUpload("wild", "?_state=kept");
  for (const body of ["abc", "def"]) {
    assertEquals((await registry.send("PATCH", `${location}?_state=xyz`, { body })).status, 202);
  }
  const { status } = await registry.send("PUT", `${location}?_state=xyz&digest=${content.digest}`);
  assertEquals(status, 201);
});

Deno.test("A digest in a query may have its colon escaped", async () => {
  const content = contentOf("escaped");
  const location = await registry.startUpload("wild");
  const query = `?digest=${encodeURIComponent(content.digest)}`;
  assertEquals((await registry.send("PUT", location + query, { body: content.bytes })).status, 201);
  const mount = `/v2/wild/mounted/blobs/uploads/?mount=${encodeURIComponent(content.digest)}&from=wild`;
  assertEquals((await registry.send("POST", mount)).status, 201);
});

Deno.test("A slash in from may be escaped", async () => {
  const content = await registry.pushBlob("wild/deep/source", contentOf("deep"));
  const path = `/v2/wild/mounted/blobs/uploads/?mount=${content.digest}&from=wild%2Fdeep%2Fsource`;
  assertEquals((await registry.send("POST", path)).status, 201);
});

Deno.test("A PATCH after an empty one goes on at the beginning", async () => {
  const content = contentOf("0123456789");
  const location = await registry.startUpload("wild");
  assertEquals((await registry.send("PATCH", location)).status, 202);
  const headers = { "Content-Range": "0-9", "Content-Type": "application/octet-stream" };
  assertEquals((await registry.send("PATCH", location, { headers, body: "0123456789" })).status, 202);
  assertEquals((await registry.send("PUT", `${location}?digest=${content.digest}`)).status, 201);
});

Deno.test("A manifest is served as what it is, whatever Accept says, and no worse without", async () => {
  const manifest = await registry.pushImage("accepting", "v1");
  for (const Accept of ["", "text/html", OCI_INDEX, "*/*;q=0", `${OCI_INDEX}, ${OCI_MANIFEST}`]) {
    const { status, headers, bytes } = await registry.get("/v2/accepting/manifests/v1", { Accept });
    assertEquals([status, headers.get("Content-Type"), bytes], [200, OCI_MANIFEST, manifest.bytes]);
  }
});

Deno.test("A manifest that comes without any media type is served as what it looks like", async () => {
  const config = await registry.pushBlob("typeless", contentOf("{}"));
  const image = imageOf(config, [], { mediaType: undefined });
  const index = contentOf({ schemaVersion: 2, manifests: [descriptorOf(image, OCI_MANIFEST)] });
  for (const [content, type] of [[image, OCI_MANIFEST], [index, OCI_INDEX]] as const) {
    const path = `/v2/typeless/manifests/${content.digest}`;
    assertEquals((await registry.send("PUT", path, { body: content.bytes })).status, 201);
    assertEquals((await registry.get(path)).headers.get("Content-Type"), type);
  }
});

Deno.test("A media type is taken in any case and given back in lower case, without parameters", async () => {
  const config = await registry.pushBlob("cased", contentOf("{}"));
  const type = `${OCI_MANIFEST.toUpperCase()} ; charset=utf-8`;
  assertEquals((await registry.putManifest("cased", "v1", imageOf(config), type)).status, 201);
  assertEquals((await registry.get("/v2/cased/manifests/v1")).headers.get("Content-Type"), OCI_MANIFEST);
});

Deno.test("PUT <manifest> refuses what is none: other types, and bytes that are no object", async () => {
  const config = await registry.pushBlob("refusing", contentOf("{}"));
  const image = imageOf(config, [], { mediaType: undefined });
  for (
    const type of ["text/plain", "application/json", "application/vnd.docker.distribution.manifest.v1+json"]
  ) {
    const answer = await registry.putManifest("refusing", "v1", image, type);
    assertEquals([type, answer.status, answer.json().errors[0].code], [type, 400, "MANIFEST_INVALID"]);
  }
  for (const text of ["", "{", "[]", "{}", '{"schemaVersion":1}', '{"schemaVersion":2}', "\ufeff{}"]) {
    const answer = await registry.putManifest("refusing", "v1", contentOf(text));
    assertEquals([text, answer.status, answer.json().errors[0].code], [text, 400, "MANIFEST_INVALID"]);
  }
  assertEquals((await registry.get("/v2/refusing/tags/list")).status, 404);
});

Deno.test("?tag= goes with a digest: ten are fine, a hundred too, and one twice is one", async () => {
  const config = await registry.pushBlob("tagging", contentOf("{}"));
  const image = imageOf(config);
  for (const count of [10, 100]) {
    const tags = Array.from({ length: count }, (_, number) => `t${number}`);
    const query = tags.map((tag) => `tag=${tag}`).join("&");
    const answer = await registry.putManifest("tagging", `${image.digest}?${query}`, image);
    assertEquals([answer.status, answer.headers.get("OCI-Tag")], [201, tags.join(", ")]);
  }
  const twice = await registry.putManifest("tagging", `${image.digest}?tag=a&tag=a`, image);
  assertEquals([twice.status, twice.headers.get("OCI-Tag")], [201, "a"]);
  const none = await registry.putManifest("tagging", image.digest, image);
  assertEquals([none.status, none.headers.get("OCI-Tag")], [201, null]);
  const both = await registry.putManifest("tagging", "b?tag=c", image);
  assertEquals([both.status, both.json().errors[0].code], [400, "UNSUPPORTED"]);
});

Deno.test("GET <manifest> answers 304 to If-None-Match with its tag, until the tag moves", async () => {
  const first = await registry.pushImage("cached", "v1");
  const path = "/v2/cached/manifests/v1";
  const etag = (await registry.get(path)).headers.get("ETag")!;
  for (const method of ["GET", "HEAD"]) {
    const { status, headers, bytes } = await registry.send(method, path, {
      headers: { "If-None-Match": etag },
    });
    assertEquals([status, bytes.byteLength], [304, 0]);
    assertEquals([headers.get("ETag"), headers.get("Docker-Content-Digest")], [etag, first.digest]);
  }
  const second = await registry.pushImage("cached", "v1", { annotations: { moved: "yes" } });
  const { status, bytes } = await registry.get(path, { "If-None-Match": etag });
  assertEquals([status, bytes], [200, second.bytes]);
});

Deno.test("Of many who send the same chunk at once, one is taken", async () => {
  const content = randomContent(400_000);
  const location = await registry.startUpload("raced");
  const headers = { "Content-Range": "0-399999" };
  const send = () => registry.send("PATCH", location, { headers, body: content.bytes });
  const statuses = (await Promise.all(Array.from({ length: 6 }, send))).map(({ status }) => status).sort();
  // Several replicas may each take the same first chunk, and keep it once.
  if (startsElse()) assertEquals(new Set([...statuses, 202, 416]), new Set([202, 416]));
  else assertEquals(statuses, [202, 416, 416, 416, 416, 416]);
  assertEquals((await registry.get(location)).headers.get("Range"), "0-399999");
  assertEquals((await registry.send("PUT", `${location}?digest=${content.digest}`)).status, 201);
});

Deno.test("Many who push the same blob at once are all told that it is there", async () => {
  const content = randomContent(300_000);
  const names = Array.from({ length: 8 }, (_, at) => `same/r${at % 2}`);
  await Promise.all(names.map((name) => registry.pushBlob(name, content)));
  for (const name of ["same/r0", "same/r1"]) {
    assertEquals((await registry.get(`/v2/${name}/blobs/${content.digest}`)).bytes, content.bytes);
  }
});

Deno.test("Many who move a tag at once leave it at one of theirs, with all manifests there", async () => {
  const config = await registry.pushBlob("moved", contentOf("{}"));
  const images = Array.from(
    { length: 10 },
    (_, at) => imageOf(config, [], { annotations: { at: String(at) } }),
  );
  const answers = await Promise.all(images.map((image) => registry.putManifest("moved", "v1", image)));
  assertEquals(answers.map(({ status }) => status), images.map(() => 201));
  const { headers } = await registry.get("/v2/moved/manifests/v1");
  const digests = images.map(({ digest }) => digest);
  assertEquals(digests.includes(headers.get("Docker-Content-Digest")!), true);
  for (const digest of digests) {
    assertEquals((await registry.get(`/v2/moved/manifests/${digest}`)).status, 200);
  }
});

Deno.test("An empty blob has no part that Range could ask for", async () => {
  const empty = contentOf("");
  const location = await registry.startUpload("hollow");
  await registry.send("PUT", `${location}?digest=${empty.digest}`);
  const path = `/v2/hollow/blobs/${empty.digest}`;
  const answer = await registry.get(path, { Range: "bytes=0-0" });
  assertEquals([answer.status, answer.headers.get("Content-Range")], [416, "bytes */0"]);
  const head = await registry.send("HEAD", path);
  assertEquals([head.status, head.headers.get("Content-Length")], [200, "0"]);
});

Deno.test("HEAD <blob> answers all of its length, whatever Range asks for", async () => {
  const blob = await registry.pushBlob("headed", randomContent(1_000));
  const { status, headers } = await registry.send("HEAD", `/v2/headed/blobs/${blob.digest}`, {
    headers: { Range: "bytes=0-9" },
  });
  assertEquals([status, headers.get("Content-Length"), headers.get("Content-Range")], [200, "1000", null]);
});
