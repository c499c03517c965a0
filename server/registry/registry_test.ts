import { create } from "../../plugins/storage/memory/memory.ts";
import { PluginError } from "../../plugins/contract/error.ts";
import { type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";
import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { type Digest } from "../oci/digest.ts";
import { OciError, type OciErrorCode } from "../oci/error.ts";
import { OCI_IMAGE_MANIFEST } from "../oci/media_type.ts";
import { parseRepositoryName, type RepositoryName } from "../oci/name.ts";
import { parseTag, type Tag } from "../oci/reference.ts";
import { digestBytes } from "./hash.ts";
import { manifestKey } from "./keys.ts";
import { createRegistry, deleteBlob, type Registry } from "./registry.ts";

const NAME = parseRepositoryName("library/app");
const OTHER = parseRepositoryName("library/other");
const V1 = tag("v1");
const CHANGES = ["put", "append", "move", "delete"];

function tag(text: string): Tag {
  return parseTag(text, "MANIFEST_INVALID");
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function bodyOf(text: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new Blob([text]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
}

async function memoryStorage(): Promise<Storage> {
  return await create({});
}

/** A store that breaks at the change number `crashAt` and stays broken: what a crash leaves. */
function crashing(storage: Storage, crashAt: number): Storage & { readonly changes: () => number } {
  let changes = 0;
  const calls = STORAGE_VERBS.map((method) => {
    const call = storage[method].bind(storage) as (...args: unknown[]) => Promise<unknown>;
    const guarded = (...args: unknown[]) => {
      if (CHANGES.includes(method)) changes++;
      return changes > crashAt ? Promise.reject(new PluginError("unavailable", "crashed")) : call(...args);
    };
    return [method, guarded];
  });
  return { ...Object.fromEntries(calls), changes: () => changes } as Storage & { changes: () => number };
}

function open(storage: Storage): Promise<Registry> {
  return createRegistry(storage, { openUploadsMax: 10 });
}

async function pushBlob({ uploads }: Registry, name: RepositoryName, text: string): Promise<Digest> {
  const digest = digestBytes("sha256", bytesOf(text));
  const id = await uploads.create(name);
  await uploads.finish(name, id, { digest, chunk: { body: bodyOf(text) } });
  return digest;
}

function manifestOf(config: Digest, changes: object = {}): Uint8Array<ArrayBuffer> {
  const descriptor = { mediaType: "application/vnd.oci.image.config.v1+json", digest: config, size: 1 };
  return bytesOf(JSON.stringify({ schemaVersion: 2, config: descriptor, layers: [], ...changes }));
}

function push({ manifests }: Registry, bytes: Uint8Array<ArrayBuffer>, tags: readonly Tag[] = []) {
  return manifests.put(NAME, { bytes, tags, contentType: OCI_IMAGE_MANIFEST });
}

async function refuses(call: Promise<unknown>, code: OciErrorCode): Promise<void> {
  await assertRejects(call, (error) => error instanceof OciError && error.code === code);
}

/** What clients see must hold together, whatever happened: the tags' manifests are there, and so is what they refer to. */
async function assertConsistent(registry: Registry): Promise<void> {
  for (const name of (await registry.tags.list(NAME, { limit: 100 })).entries) {
    const manifest = await registry.manifests.get(NAME, { tag: name });
    assert(manifest, `tag ${name} points to nothing`);
    const { config } = JSON.parse(new TextDecoder().decode(manifest.bytes)) as { config: { digest: Digest } };
    assert(await registry.blobs.stat(NAME, config.digest), `the config of tag ${name} is not there`);
  }
}

Deno.test("A push that crashes at any change leaves no tag without its manifest, and can be repeated", async () => {
  for (let crashAt = 0, crashed = true; crashed; crashAt++) {
    const storage = await memoryStorage();
    const config = await pushBlob(await open(storage), NAME, "config");
    const first = await push(await open(storage), manifestOf(config), [V1]);
    const bytes = manifestOf(config, { subject: { mediaType: "x", digest: first.digest, size: 1 } });
    crashed = await push(await open(crashing(storage, crashAt)), bytes, [V1, tag("v2")]).then(
      () => false,
      () => true,
    );

    const registry = await open(storage);
    await assertConsistent(registry);
    assert(await registry.manifests.get(NAME, { tag: V1 }), "the tag's old manifest is lost");
    const again = await push(registry, bytes, [V1, tag("v2")]);
    assertEquals((await registry.manifests.get(NAME, { tag: V1 }))?.digest, again.digest);
    const referrers = await registry.referrers.list(NAME, first.digest, { limit: 10 });
    assertEquals(referrers.entries.map(({ digest }) => digest), [again.digest]);
  }
});

Deno.test("A deletion that crashes at any change has happened wholly after the next start, or not at all", async () => {
  for (let crashAt = 0, crashed = true; crashed; crashAt++) {
    const storage = await memoryStorage();
    const before = await open(storage);
    const config = await pushBlob(before, NAME, "config");
    const subject = await push(before, manifestOf(config));
    const bytes = manifestOf(config, { subject: { mediaType: "x", digest: subject.digest, size: 1 } });
    const { digest } = await push(before, bytes, [V1, tag("v2")]);
    const dying = await open(crashing(storage, crashAt));
    crashed = await dying.manifests.delete(NAME, digest).then(() => false, () => true);

    const registry = await open(storage);
    await assertConsistent(registry);
    const isThere = await registry.manifests.get(NAME, { digest }) !== undefined;
    const referrers = await registry.referrers.list(NAME, subject.digest, { limit: 10 });
    const tags = await registry.tags.list(NAME, { limit: 10 });
    assertEquals([referrers.entries.length, tags.entries.length], isThere ? [1, 2] : [0, 0]);
    if (!crashed) assertEquals(isThere, false);
  }
});

Deno.test("An upload that crashes at any change leaves a whole blob or none, and goes on where it was", async () => {
  for (let crashAt = 0, crashed = true; crashed; crashAt++) {
    const storage = await memoryStorage();
    const digest = digestBytes("sha256", bytesOf("0123456789"));
    const id = await (await open(storage)).uploads.create(NAME);
    const dying = await open(crashing(storage, crashAt));
    const run = async () => {
      await dying.uploads.append(NAME, id, { body: bodyOf("01234") });
      await dying.uploads.finish(NAME, id, { digest, chunk: { body: bodyOf("56789"), offset: 5 } });
    };
    crashed = await run().then(() => false, () => true);

    const registry = await open(storage);
    const facts = await registry.blobs.stat(NAME, digest);
    assertEquals(facts?.size ?? 10, 10);
    const size = await registry.uploads.size(NAME, id).catch(() => undefined);
    if (size === undefined) continue;
    const rest = { body: bodyOf("0123456789".slice(size)), offset: size };
    await registry.uploads.finish(NAME, id, size === 10 ? { digest } : { digest, chunk: rest });
    assertEquals((await registry.blobs.stat(NAME, digest))?.size, 10);
  }
});

Deno.test("finish() refuses another digest, and the upload is gone", async () => {
  const storage = await memoryStorage();
  const registry = await open(storage);
  const id = await registry.uploads.create(NAME);
  const digest = digestBytes("sha256", bytesOf("something else"));
  await refuses(
    registry.uploads.finish(NAME, id, { digest, chunk: { body: bodyOf("x") } }),
    "DIGEST_INVALID",
  );
  await refuses(registry.uploads.size(NAME, id), "BLOB_UPLOAD_UNKNOWN");
  const keys = await storage.list("", { limit: 100 });
  assertEquals(keys.filter((key) => !key.startsWith("due/")), []);
});

Deno.test("finish() answers again to a client whose first answer was lost", async () => {
  const registry = await open(await memoryStorage());
  const digest = digestBytes("sha256", bytesOf("x"));
  const id = await registry.uploads.create(NAME);
  await registry.uploads.finish(NAME, id, { digest, chunk: { body: bodyOf("x") } });
  assertEquals(
    (await registry.uploads.finish(NAME, id, { digest, chunk: { body: bodyOf("x") } })).accepted,
    true,
  );
  const other = digestBytes("sha256", bytesOf("y"));
  await refuses(registry.uploads.finish(NAME, id, { digest: other }), "BLOB_UPLOAD_UNKNOWN");
});

Deno.test("append() refuses a chunk that does not begin where the upload ends, and the upload goes on", async () => {
  const registry = await open(await memoryStorage());
  const id = await registry.uploads.create(NAME);
  const append = async (text: string, offset: number) => {
    const { accepted, size } = await registry.uploads.append(NAME, id, { body: bodyOf(text), offset });
    return { accepted, size };
  };
  assertEquals(await append("abc", 0), { accepted: true, size: 3 });
  assertEquals(await append("x", 2), { accepted: false, size: 3 });
  assertEquals(await append("def", 3), { accepted: true, size: 6 });
  const digest = digestBytes("sha512", bytesOf("abcdef"));
  assertEquals((await registry.uploads.finish(NAME, id, { digest })).accepted, true);
});

Deno.test("append() keeps what had arrived when the body breaks off, and the digest still comes out right", async () => {
  const registry = await open(await memoryStorage());
  const id = await registry.uploads.create(NAME);
  let pulls = 0;
  const broken = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) =>
      pulls++ === 0 ? controller.enqueue(bytesOf("abc")) : controller.error(new Error("gone")),
  }, { highWaterMark: 0 });
  await assertRejects(registry.uploads.append(NAME, id, { body: broken }), /gone/);
  const size = await registry.uploads.size(NAME, id);
  const digest = digestBytes("sha256", bytesOf("abcdef"));
  const chunk = { body: bodyOf("abcdef".slice(size)), offset: size };
  await registry.uploads.finish(NAME, id, { digest, chunk });
  assertEquals((await registry.blobs.stat(NAME, digest))?.size, 6);
});

Deno.test("create() refuses an upload past the cap, and expire() makes room", async () => {
  const registry = await open(await memoryStorage());
  for (let open = 0; open < 10; open++) await registry.uploads.create(NAME);
  await refuses(registry.uploads.create(NAME), "TOOMANYREQUESTS");
  await registry.uploads.create(OTHER);
  assertEquals(await registry.uploads.expire(60_000), 0);
  assertEquals(await registry.uploads.expire(-1), 11);
  await registry.uploads.create(NAME);
});

Deno.test("mount() asks who may read the source", async () => {
  const registry = await open(await memoryStorage());
  const digest = await pushBlob(registry, OTHER, "layer");
  const mount = (from: RepositoryName | undefined, allowed: boolean) =>
    registry.blobs.mount(NAME, digest, { from, mayRead: () => Promise.resolve(allowed) });
  assertEquals([await mount(OTHER, false), await mount(undefined, false), await mount(NAME, true)], [
    false,
    false,
    false,
  ]);
  assertEquals(await registry.blobs.stat(NAME, digest), undefined);
  assertEquals(await mount(undefined, true), true);
  assertEquals((await registry.blobs.stat(NAME, digest))?.size, 5);
});

Deno.test("deleteBlob() leaves a blob that a manifest refers to, and takes it from one repository only", async () => {
  const registry = await open(await memoryStorage());
  const digest = await pushBlob(registry, NAME, "config");
  await pushBlob(registry, OTHER, "config");
  const { digest: manifest } = await push(registry, manifestOf(digest));
  await refuses(deleteBlob(registry, NAME, digest), "UNSUPPORTED");
  await registry.manifests.delete(NAME, manifest);
  assertEquals([await deleteBlob(registry, NAME, digest), await deleteBlob(registry, NAME, digest)], [
    true,
    false,
  ]);
  assertEquals(await registry.blobs.stat(NAME, digest), undefined);
  assertEquals((await registry.blobs.stat(OTHER, digest))?.size, 6);
});

Deno.test("A manifest and the deletion of its blob, at the same time, never both succeed", async () => {
  for (let round = 0; round < 50; round++) {
    const registry = await open(await memoryStorage());
    const digest = await pushBlob(registry, NAME, "config");
    const outcomes = await Promise.allSettled([
      push(registry, manifestOf(digest, { annotations: { round: String(round) } }), [V1]),
      deleteBlob(registry, NAME, digest),
    ]);
    await assertConsistent(registry);
    assert(!outcomes.every(({ status }) => status === "fulfilled"), "both succeeded");
  }
});

Deno.test("A tag that moves on while its manifest is deleted is kept", async () => {
  for (let round = 0; round < 50; round++) {
    const registry = await open(await memoryStorage());
    const config = await pushBlob(registry, NAME, "config");
    const { digest } = await push(registry, manifestOf(config), [V1]);
    const [next] = await Promise.all([
      push(registry, manifestOf(config, { annotations: { round: String(round) } }), [V1]),
      registry.manifests.delete(NAME, digest),
    ]);
    assertEquals((await registry.manifests.get(NAME, { tag: V1 }))?.digest, next.digest);
  }
});

Deno.test("put() keeps the media type that a manifest was pushed with first", async () => {
  const registry = await open(await memoryStorage());
  const config = await pushBlob(registry, NAME, "config");
  const bytes = manifestOf(config);
  const { digest } = await push(registry, bytes, [V1]);
  const contentType = "application/vnd.docker.distribution.manifest.v2+json";
  await registry.manifests.put(NAME, { bytes, tags: [], contentType });
  assertEquals((await registry.manifests.get(NAME, { digest }))?.mediaType, OCI_IMAGE_MANIFEST);
});

Deno.test("put() replaces a manifest whose bytes have been damaged", async () => {
  const storage = await memoryStorage();
  const registry = await open(storage);
  const bytes = manifestOf(await pushBlob(registry, NAME, "config"));
  const { digest } = await push(registry, bytes, [V1]);
  await storage.put(manifestKey(NAME, digest), bytesOf("{}\n{}"));
  await push(registry, bytes, [V1]);
  assertEquals((await registry.manifests.get(NAME, { tag: V1 }))?.bytes, bytes);
});

Deno.test("put() refuses what refers to what is not there", async () => {
  const registry = await open(await memoryStorage());
  const missing = digestBytes("sha256", bytesOf("missing"));
  await refuses(push(registry, manifestOf(missing), [V1]), "MANIFEST_BLOB_UNKNOWN");
  assertEquals(await registry.catalog.has(NAME), false);
  await refuses(
    registry.manifests.put(NAME, { bytes: bytesOf("{}"), digest: missing, tags: [], contentType: undefined }),
    "DIGEST_INVALID",
  );
});

Deno.test("Names are listed in byte order, whatever one is the beginning of another", async () => {
  const registry = await open(await memoryStorage());
  const names = ["a", "a-b", "a.b", "a/0", "a/b", "a0", "a_b", "ab", "math", "math-voila", "math/voila"];
  for (const name of names.toReversed()) await registry.catalog.add(parseRepositoryName(name));
  const expected = names.toSorted();
  assertEquals((await registry.catalog.list({ limit: 100 })).entries as readonly string[], expected);
  const paged: string[] = [];
  for (let last: string | undefined;; last = paged.at(-1)) {
    const page = await registry.catalog.list(last === undefined ? { limit: 2 } : { limit: 2, last });
    paged.push(...page.entries);
    if (!page.more) break;
  }
  assertEquals(paged, expected);
});
