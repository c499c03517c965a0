import { assert, assertEquals } from "../support/assert.ts";
import {
  type Answer,
  type Content,
  contentOf,
  descriptorOf,
  imageOf,
  OCI_INDEX,
  OCI_MANIFEST,
  startForTests,
} from "../support/client.ts";

const registry = await startForTests();
const CONFIG = await registry.pushBlob("app", contentOf("{}"));
const LAYER = await registry.pushBlob("app", contentOf("layer"));
const IMAGE = imageOf(CONFIG, [LAYER]);

function refused(answer: Answer, status: number, code: string): void {
  assertEquals([answer.status, answer.json().errors[0].code], [status, code]);
}

async function assertStored(reference: string, manifest: Content, mediaType: string): Promise<void> {
  for (const method of ["GET", "HEAD"]) {
    const { status, headers, bytes } = await registry.send(method, `/v2/app/manifests/${reference}`);
    assertEquals([method, status, headers.get("Content-Type")], [method, 200, mediaType]);
    assertEquals(headers.get("Docker-Content-Digest"), manifest.digest);
    assertEquals(headers.get("Content-Length"), String(manifest.bytes.byteLength));
    assertEquals(bytes, method === "GET" ? manifest.bytes : new Uint8Array(0));
  }
}

Deno.test("PUT <manifest> by tag answers 201, and both its names answer the same bytes", async () => {
  const { status, headers } = await registry.putManifest("app", "v1", IMAGE);
  assertEquals([status, headers.get("Location")], [201, `/v2/app/manifests/${IMAGE.digest}`]);
  assertEquals([headers.get("Docker-Content-Digest"), headers.get("OCI-Subject")], [IMAGE.digest, null]);
  await assertStored("v1", IMAGE, OCI_MANIFEST);
  await assertStored(IMAGE.digest, IMAGE, OCI_MANIFEST);
});

Deno.test("PUT <manifest> by digest takes sha256 and sha512, and refuses another one's", async () => {
  const text = new TextDecoder().decode(IMAGE.bytes);
  for (const algorithm of ["sha256", "sha512"] as const) {
    const manifest = contentOf(text, algorithm);
    assertEquals((await registry.putManifest("app", manifest.digest, manifest)).status, 201);
    await assertStored(manifest.digest, manifest, OCI_MANIFEST);
  }
  refused(await registry.putManifest("app", contentOf("other").digest, IMAGE), 400, "DIGEST_INVALID");
  refused(await registry.putManifest("app", "sha256:baddigeststring", IMAGE), 400, "DIGEST_INVALID");
});

Deno.test("PUT <manifest> by digest with ?tag= makes each tag and names them", async () => {
  const tags = Array.from({ length: 12 }, (_, number) => `multi-${number}`);
  const query = tags.map((tag) => `tag=${tag}`).join("&");
  const { status, headers } = await registry.putManifest("app", `${IMAGE.digest}?${query}`, IMAGE);
  assertEquals([status, headers.get("OCI-Tag")], [201, tags.join(", ")]);
  for (const tag of tags) await assertStored(tag, IMAGE, OCI_MANIFEST);
  const many = Array.from({ length: 101 }, (_, number) => `tag=t${number}`).join("&");
  refused(await registry.putManifest("app", `${IMAGE.digest}?${many}`, IMAGE), 414, "UNSUPPORTED");
  refused(await registry.putManifest("app", `${IMAGE.digest}?tag=-bad`, IMAGE), 400, "MANIFEST_INVALID");
});

Deno.test("A manifest comes back as it was pushed, whatever else it says", async () => {
  const text = `{"schemaVersion":2,  "config":${
    JSON.stringify(descriptorOf(CONFIG, "a/b"))
  },"layers":[],\n "x":{"y":[1]}}\n`;
  const manifest = contentOf(text);
  const { status } = await registry.putManifest("app", "odd", manifest, `${OCI_MANIFEST}; charset=utf-8`);
  assertEquals(status, 201);
  await assertStored("odd", manifest, OCI_MANIFEST);
});

Deno.test("Docker's manifest and list keep their media types beside OCI's", async () => {
  const schema2 = "application/vnd.docker.distribution.manifest.v2+json";
  const list = "application/vnd.docker.distribution.manifest.list.v2+json";
  const image = imageOf(CONFIG, [LAYER], { mediaType: schema2 });
  assertEquals((await registry.putManifest("app", "docker", image, schema2)).status, 201);
  await assertStored("docker", image, schema2);
  const manifests = [{ ...descriptorOf(image, schema2), platform: { os: "linux", architecture: "amd64" } }];
  const index = contentOf({ schemaVersion: 2, mediaType: list, manifests });
  assertEquals((await registry.putManifest("app", "docker-list", index, list)).status, 201);
  await assertStored("docker-list", index, list);
});

Deno.test("A tag may move from an image to an index", async () => {
  const image = await registry.pushImage("app", "moving");
  const index = contentOf({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [descriptorOf(image, OCI_MANIFEST)],
  });
  assertEquals((await registry.putManifest("app", "moving", index, OCI_INDEX)).status, 201);
  await assertStored("moving", index, OCI_INDEX);
});

Deno.test("An empty index, an image without layers and an artifact are fine", async () => {
  const artifactType = "application/vnd.oci.artifact.manifest.v1+json";
  const cases: [Content, string][] = [
    [contentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }), OCI_INDEX],
    [imageOf(CONFIG, []), OCI_MANIFEST],
    [contentOf({ mediaType: artifactType, artifactType: "a/b", blobs: [descriptorOf(LAYER)] }), artifactType],
  ];
  for (const [manifest, type] of cases) {
    assertEquals((await registry.putManifest("app", manifest.digest, manifest, type)).status, 201);
  }
});

Deno.test("The same digest pushed again as another media type keeps its first one", async () => {
  const image = imageOf(CONFIG, [], { mediaType: undefined, annotations: { again: "yes" } });
  await registry.putManifest("app", "typed", image, OCI_MANIFEST);
  await registry.putManifest("app", "typed", image, "application/vnd.docker.distribution.manifest.v2+json");
  await assertStored("typed", image, OCI_MANIFEST);
});

Deno.test("What a manifest refers to must be there, but for its subject and what may not be distributed", async () => {
  const missing = contentOf("missing");
  refused(await registry.putManifest("app", "m1", imageOf(missing)), 404, "MANIFEST_BLOB_UNKNOWN");
  refused(await registry.putManifest("app", "m2", imageOf(CONFIG, [missing])), 404, "MANIFEST_BLOB_UNKNOWN");
  const index = contentOf({ schemaVersion: 2, manifests: [descriptorOf(missing, OCI_MANIFEST)] });
  refused(await registry.putManifest("app", "m3", index, OCI_INDEX), 404, "MANIFEST_BLOB_UNKNOWN");
  assertEquals((await registry.get("/v2/app/manifests/m1")).status, 404);

  const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  const layers = [{ ...descriptorOf(missing, foreign), urls: ["https://example.com/layer"] }];
  assertEquals((await registry.putManifest("app", "m4", imageOf(CONFIG, [], { layers }))).status, 201);
  const subject = descriptorOf(missing, OCI_MANIFEST);
  const { status, headers } = await registry.putManifest("app", "m5", imageOf(CONFIG, [], { subject }));
  assertEquals([status, headers.get("OCI-Subject")], [201, missing.digest]);
});

Deno.test("An index may list layers, as build caches do", async () => {
  const layer = { ...descriptorOf(LAYER, "application/vnd.docker.image.rootfs.diff.tar.gzip") };
  const config = descriptorOf(CONFIG, "application/vnd.buildkit.cacheconfig.v0");
  const cache = contentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [layer, config] });
  assertEquals((await registry.putManifest("app", "cache", cache, OCI_INDEX)).status, 201);
});

Deno.test("A blob of another repository is no blob of this one", async () => {
  refused(await registry.putManifest("stranger", "v1", IMAGE), 404, "MANIFEST_BLOB_UNKNOWN");
});

Deno.test("A document that could be both image and index is refused", async () => {
  const both = contentOf({ schemaVersion: 2, manifests: [], config: descriptorOf(CONFIG), layers: [] });
  refused(await registry.putManifest("app", "both", both, OCI_INDEX), 400, "MANIFEST_INVALID");
  refused(await registry.putManifest("app", "both", both, OCI_MANIFEST), 400, "MANIFEST_INVALID");
  const index = contentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
  refused(await registry.putManifest("app", "both", index, OCI_MANIFEST), 400, "MANIFEST_INVALID");
});

Deno.test("A manifest of almost 4 MiB is stored, a larger one answers 413", async () => {
  const annotations = Object.fromEntries(
    Array.from({ length: 500 }, (_, n) => [`note.${n}`, "x".repeat(8_000)]),
  );
  const large = imageOf(CONFIG, [LAYER], { annotations });
  assert(large.bytes.byteLength > 3.9e6 && large.bytes.byteLength <= 4 * 1024 * 1024);
  assertEquals((await registry.putManifest("app", "large", large)).status, 201);
  await assertStored("large", large, OCI_MANIFEST);
  const larger = imageOf(CONFIG, [LAYER], { annotations, more: "x".repeat(200_000) });
  refused(await registry.putManifest("app", "larger", larger), 413, "SIZE_INVALID");
});

Deno.test("GET and HEAD <manifest> answer 404 to what is not there", async () => {
  for (
    const path of ["/v2/app/manifests/none", `/v2/app/manifests/${CONFIG.digest}`, "/v2/nowhere/manifests/v1"]
  ) {
    refused(await registry.get(path), 404, "MANIFEST_UNKNOWN");
    assertEquals((await registry.send("HEAD", path)).status, 404);
  }
  assertEquals((await registry.get("/v2/app/manifests/.INVALID_MANIFEST_NAME")).status, 404);
});

Deno.test("DELETE <manifest> by tag takes the tag and leaves the manifest", async () => {
  const image = imageOf(CONFIG, [LAYER], { annotations: { delete: "tag" } });
  await registry.putManifest("app", "gone", image);
  assertEquals((await registry.send("DELETE", "/v2/app/manifests/gone")).status, 202);
  assertEquals((await registry.get("/v2/app/manifests/gone")).status, 404);
  assertEquals((await registry.get(`/v2/app/manifests/${image.digest}`)).status, 200);
  refused(await registry.send("DELETE", "/v2/app/manifests/gone"), 404, "MANIFEST_UNKNOWN");
});

Deno.test("DELETE <manifest> by digest takes all its tags, and no other's", async () => {
  const image = imageOf(CONFIG, [LAYER], { annotations: { delete: "digest" } });
  for (const tag of ["d1", "d2", "d3"]) await registry.putManifest("app", tag, image);
  await registry.putManifest("app", "d3", IMAGE);
  assertEquals((await registry.send("DELETE", `/v2/app/manifests/${image.digest}`)).status, 202);
  for (const reference of ["d1", "d2", image.digest]) {
    assertEquals((await registry.get(`/v2/app/manifests/${reference}`)).status, 404);
  }
  await assertStored("d3", IMAGE, OCI_MANIFEST);
  const { tags } = (await registry.get("/v2/app/tags/list")).json();
  assertEquals(["d1", "d2", "d3"].map((tag) => tags.includes(tag)), [false, false, true]);
  refused(await registry.send("DELETE", `/v2/app/manifests/${image.digest}`), 404, "MANIFEST_UNKNOWN");
  refused(await registry.send("DELETE", `/v2/nowhere/manifests/${image.digest}`), 404, "MANIFEST_UNKNOWN");
});

Deno.test("A manifest can be pushed again after it was deleted", async () => {
  const image = imageOf(CONFIG, [LAYER], { annotations: { again: "again" } });
  await registry.putManifest("app", "again", image);
  await registry.send("DELETE", `/v2/app/manifests/${image.digest}`);
  assertEquals((await registry.putManifest("app", "again", image)).status, 201);
  await assertStored("again", image, OCI_MANIFEST);
});
