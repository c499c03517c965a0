import { assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { gated, openReplica, openShared, openTextCache } from "../../tests/support/shared_memory.ts";
import { OCI_IMAGE_MANIFEST } from "../oci/media_type.ts";
import { parseRepositoryName } from "../oci/name.ts";
import type { OciError } from "../oci/error.ts";
import { digestBytes } from "./hash.ts";
import { manifestKey } from "./keys.ts";
import { deleteBlob } from "./registry.ts";

const NAME = parseRepositoryName("library/app");
const CONFIG = new TextEncoder().encode("{}");
const DIGEST = digestBytes("sha256", CONFIG);
const BYTES = new TextEncoder().encode(JSON.stringify({
  schemaVersion: 2,
  mediaType: OCI_IMAGE_MANIFEST,
  config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: DIGEST, size: CONFIG.length },
  layers: [],
}));

Deno.test("a manifest is not stored for a moment where another replica has deleted what this one saw lately", async () => {
  const storage = await openShared();
  const { cache } = openTextCache();
  const keys: string[] = [];
  const noting = gated(storage, (verb, key) => {
    if (verb === "put") keys.push(key);
    return Promise.resolve();
  });
  const pusher = await openReplica(noting, { cache });
  const deleter = await openReplica(storage, { cache });
  const session = await pusher.uploads.create(NAME);
  const chunk = { body: new Blob([CONFIG]).stream() };
  assertEquals((await pusher.uploads.finish(NAME, session, { digest: DIGEST, chunk })).accepted, true);
  await deleteBlob(deleter, NAME, DIGEST);
  const push = { bytes: BYTES, tags: [], contentType: OCI_IMAGE_MANIFEST };
  await assertRejects(
    () => pusher.manifests.put(NAME, push),
    (error: OciError) => error.code === "MANIFEST_BLOB_UNKNOWN",
  );
  assertEquals(keys.includes(manifestKey(NAME, digestBytes("sha256", BYTES))), false);
});
