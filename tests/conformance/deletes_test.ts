import { assert, assertEquals } from "../support/assert.ts";
import {
  contentOf,
  descriptorOf,
  imageOf,
  OCI_INDEX,
  OCI_MANIFEST,
  startForTests,
} from "../support/client.ts";
import { startsElse } from "../support/registry.ts";

const registry = await startForTests();

Deno.test("A subject that is deleted keeps its referrers, also when it comes back", async () => {
  const subject = await registry.pushImage("subjects", "v1");
  const config = contentOf("config of subjects");
  const referrer = imageOf(config, [], { subject: descriptorOf(subject, OCI_MANIFEST) });
  await registry.putManifest("subjects", referrer.digest, referrer);
  const listed = async () =>
    (await registry.get(`/v2/subjects/referrers/${subject.digest}`)).json().manifests.length;
  assertEquals((await registry.send("DELETE", `/v2/subjects/manifests/${subject.digest}`)).status, 202);
  assertEquals(await listed(), 1);
  await registry.putManifest("subjects", "v1", subject);
  assertEquals(await listed(), 1);
});

Deno.test("An index that is deleted leaves its children, and their blobs", async () => {
  const child = await registry.pushImage("indexes");
  const manifests = [descriptorOf(child, OCI_MANIFEST)];
  const index = contentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  await registry.putManifest("indexes", "v1", index, OCI_INDEX);
  assertEquals((await registry.send("DELETE", `/v2/indexes/manifests/${index.digest}`)).status, 202);
  assertEquals((await registry.get("/v2/indexes/manifests/v1")).status, 404);
  assertEquals((await registry.get(`/v2/indexes/manifests/${child.digest}`)).status, 200);
  const { digest } = contentOf("layer of indexes");
  assertEquals((await registry.get(`/v2/indexes/blobs/${digest}`)).status, 200);
});

Deno.test("A manifest that is deleted in one repository stays in the other, under the same tag", async () => {
  const config = contentOf("{}");
  const image = imageOf(config);
  for (const name of ["left", "right"]) {
    await registry.pushBlob(name, config);
    await registry.putManifest(name, "v1", image);
  }
  assertEquals((await registry.send("DELETE", `/v2/left/manifests/${image.digest}`)).status, 202);
  assertEquals((await registry.get("/v2/left/manifests/v1")).status, 404);
  assertEquals((await registry.get("/v2/right/manifests/v1")).bytes, image.bytes);
});

Deno.test("A blob that was deleted can be pushed again, and mounted from nowhere before that", async () => {
  const blob = await registry.pushBlob("pushed-again", contentOf("comes and goes"));
  const path = `/v2/pushed-again/blobs/${blob.digest}`;
  assertEquals((await registry.send("DELETE", path)).status, 202);
  const mount = `/v2/mounting/blobs/uploads/?mount=${blob.digest}&from=pushed-again`;
  assertEquals((await registry.send("POST", mount)).status, 202);
  await registry.pushBlob("pushed-again", blob);
  assertEquals((await registry.get(path)).bytes, blob.bytes);
  assertEquals((await registry.send("POST", mount)).status, 201);
});

Deno.test("DELETE <blob> that is refused says what the blob takes", async () => {
  await registry.pushImage("kept", "v1");
  const { digest } = contentOf("layer of kept");
  const answer = await registry.send("DELETE", `/v2/kept/blobs/${digest}`);
  assertEquals([answer.status, answer.json().errors[0].code], [405, "UNSUPPORTED"]);
  // RFC 9110, section 15.5.6: a 405 names the methods that the resource takes now.
  assertEquals(answer.headers.get("Allow"), "GET, HEAD");
});

Deno.test("A blob is kept for each manifest that names it, and let go with the last", async () => {
  const shared = await registry.pushBlob("shared", contentOf("shared"));
  const images = ["one", "two"].map((note) => imageOf(shared, [shared, shared], { annotations: { note } }));
  for (const image of images) await registry.putManifest("shared", image.digest, image);
  const path = `/v2/shared/blobs/${shared.digest}`;
  for (const image of images) {
    assertEquals((await registry.send("DELETE", path)).status, 405);
    await registry.send("DELETE", `/v2/shared/manifests/${image.digest}`);
  }
  assertEquals((await registry.send("DELETE", path)).status, 202);
});

Deno.test("A fallback tag is listed and deleted like any other", async () => {
  const subject = await registry.pushImage("fallback", "v1");
  const tag = subject.digest.replace(":", "-");
  const index = contentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
  await registry.putManifest("fallback", tag, index, OCI_INDEX);
  assertEquals((await registry.send("DELETE", `/v2/fallback/manifests/${tag}`)).status, 202);
  assertEquals((await registry.get("/v2/fallback/tags/list")).json().tags, ["v1"]);
});

Deno.test("Of two who delete the same at once, one is told that it is gone", async () => {
  const image = await registry.pushImage("raced", "v1");
  const remove = () => registry.send("DELETE", `/v2/raced/manifests/${image.digest}`);
  const answers = await Promise.all(Array.from({ length: 8 }, remove));
  const statuses = answers.map(({ status }) => status).sort();
  const gone = statuses.filter((status) => status === 404).length;
  assertEquals(statuses, [...Array(8 - gone).fill(202), ...Array(gone).fill(404)]);
  // Stores whose deletions are two steps may tell more than one of several servers so.
  assert(startsElse() || gone === 7, `${8 - gone} were told that they deleted it`);
});
