import type { Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { gated } from "../../tests/support/shared_memory.ts";
import { OciError } from "../oci/error.ts";
import { OCI_IMAGE_MANIFEST } from "../oci/media_type.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { parseTag, type Tag } from "../oci/reference.ts";
import { digestBytes } from "./hash.ts";
import { createRegistry, deleteBlob, type Registry } from "./registry.ts";

const NAME = parseRepositoryName("library/app");
const TEXT = "a layer";
const BLOB = digestBytes("sha256", bytesOf(TEXT));
const MANIFEST = bytesOf(JSON.stringify({
  schemaVersion: 2,
  config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: BLOB, size: TEXT.length },
  layers: [],
}));
const DIGEST = digestBytes("sha256", MANIFEST);
const MOVED = bytesOf(`${new TextDecoder().decode(MANIFEST)}\n`);
const TAG = parseTag("v1", "MANIFEST_INVALID");

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function open(storage: Storage): Promise<Registry> {
  return createRegistry(storage, { openUploadsMax: 100 });
}

async function upload({ uploads }: Registry): Promise<void> {
  const id = await uploads.create(NAME);
  await uploads.finish(NAME, id, { digest: BLOB, chunk: { body: new Blob([TEXT]).stream() } });
}

async function push(
  { manifests }: Registry,
  { bytes = MANIFEST, tags = [] }: { readonly bytes?: typeof MANIFEST; readonly tags?: readonly Tag[] } = {},
): Promise<void> {
  await manifests.put(NAME, { bytes, tags, contentType: OCI_IMAGE_MANIFEST });
}

/**
 * Two push a manifest that is there. The first one has found it, and nothing announced, when `take` takes things away; then the second
 * stores the manifest anew, but goes on only when the first one is done.
 */
async function meetAnother(take: (storage: Storage) => Promise<void>) {
  const storage = await create({});
  const before = await open(storage);
  await upload(before);
  await push(before);
  const [found, taken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let hasPut = false;
  const first = await open(gated(storage, async (verb, key) => {
    if (!key.includes("/_manifests/")) return;
    hasPut ||= verb === "put";
    if (verb === "put" || !hasPut) return;
    found.resolve();
    await taken.promise;
  }));
  await first.blobs.has(NAME, BLOB);
  await first.catalog.add(NAME);
  const pushed = push(first);
  await found.promise;
  let isTaken = false;
  const second = await open(gated(storage, async (verb, key) => {
    if (verb === "put" && key.includes("/_manifests/") && !isTaken) {
      isTaken = true;
      await take(storage);
    }
    if (!key.startsWith("removals/")) return;
    taken.resolve();
    await pushed.catch(() => {});
  }));
  await second.catalog.add(NAME);
  return { storage, pushed, second: push(second) };
}

Deno.test("put() is not acknowledged upon a manifest of another push whose blob has gone", async () => {
  const { storage, pushed, second } = await meetAnother(async (storage) => {
    assertEquals(await (await open(storage)).manifests.delete(NAME, DIGEST), true);
    assertEquals(await deleteBlob(await open(storage), NAME, BLOB), true);
  });
  await assertRejects(() => pushed, OciError, "refers to what is not here");
  await assertRejects(() => second, OciError, "refers to what is not here");
  assertEquals(await (await open(storage)).manifests.get(NAME, { digest: DIGEST }), undefined);
});

Deno.test("put() upon a manifest of another push has its repository in the catalog", async () => {
  const { storage, pushed, second } = await meetAnother(async (storage) => {
    assert(await (await open(storage)).repositories.delete(NAME, {}));
  });
  await pushed;
  // The other one dies here, for all that this one knows.
  const registry = await open(storage);
  assert(await registry.catalog.has(NAME), "the repository is not in the catalog");
  assert(await registry.manifests.get(NAME, { digest: DIGEST }), "the manifest is not there");
  await second;
});

/** A tag that `reader` has read once; `gate` comes before each call of the reader's store. */
async function readOnce(gate: (verb: string, key: string) => Promise<void>) {
  const storage = await create({});
  const writer = await open(storage);
  await upload(writer);
  await push(writer, { tags: [TAG] });
  const reader = await open(gated(storage, gate));
  const first = await reader.manifests.get(NAME, { tag: TAG });
  assertEquals(first?.digest, DIGEST);
  return { reader, writer };
}

Deno.test("get() by a tag that was read before asks for its manifest beside it", async () => {
  const asked: string[] = [];
  const both = Promise.withResolvers<void>();
  let isSecond = false;
  const { reader } = await readOnce(async (_verb, key) => {
    if (!isSecond) return;
    if (asked.push(key) === 2) both.resolve();
    await both.promise;
  });
  isSecond = true;
  assertEquals((await reader.manifests.get(NAME, { tag: TAG }))?.bytes, MANIFEST);
  assertEquals(asked.length, 2);
});

Deno.test("get() by a tag that was set here asks for no manifest but the one it points to", async () => {
  const asked: string[] = [];
  const registry = await open(gated(await create({}), (verb, key) => {
    if (verb === "get") asked.push(key);
    return Promise.resolve();
  }));
  await upload(registry);
  for (const bytes of [MANIFEST, MOVED]) {
    await push(registry, { bytes, tags: [TAG] });
    asked.length = 0;
    assertEquals((await registry.manifests.get(NAME, { tag: TAG }))?.bytes, bytes);
    assertEquals(asked.length, 2);
  }
});

Deno.test("get() by a tag that has moved answers what it points to now, or nothing", async () => {
  const asked: string[] = [];
  const { reader, writer } = await readOnce((_verb, key) => Promise.resolve(void asked.push(key)));
  await push(writer, { bytes: MOVED, tags: [TAG] });
  assertEquals((await reader.manifests.get(NAME, { tag: TAG }))?.bytes, MOVED);
  await writer.tags.delete(NAME, TAG);
  assertEquals(await reader.manifests.get(NAME, { tag: TAG }), undefined);
  asked.length = 0;
  assertEquals(await reader.manifests.get(NAME, { tag: TAG }), undefined);
  assertEquals(asked.length, 1);
});

Deno.test("get() by a tag does not mind that what it pointed to cannot be read", async () => {
  let isBroken = false;
  const { reader, writer } = await readOnce((_verb, key) =>
    isBroken && key.endsWith(DIGEST.split(":")[1]!)
      ? Promise.reject(new Error("cannot be read"))
      : Promise.resolve()
  );
  await push(writer, { bytes: MOVED, tags: [TAG] });
  isBroken = true;
  assertEquals((await reader.manifests.get(NAME, { tag: TAG }))?.bytes, MOVED);
});

Deno.test("get() by a tag finds a manifest that came just after it was asked for", async () => {
  const [asked, isBack] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let isGone = false;
  const { reader, writer } = await readOnce(async (_verb, key) => {
    if (!isGone || !key.includes("/_tags/")) return;
    asked.resolve();
    await isBack.promise;
  });
  assertEquals(await writer.manifests.delete(NAME, DIGEST), true);
  isGone = true;
  // The manifest is asked for first, and not there; then the tag, which points to it again.
  const found = reader.manifests.get(NAME, { tag: TAG });
  await asked.promise;
  await push(writer, { tags: [TAG] });
  isBack.resolve();
  assertEquals((await found)?.bytes, MANIFEST);
});
