import { PluginError } from "../../plugins/contract/error.ts";
import { type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import { interleave, randomSchedule, type Schedule, twoSwitches } from "../../tests/support/interleavings.ts";
import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST } from "../oci/media_type.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { parseTag, type Tag } from "../oci/reference.ts";
import { digestBytes } from "./hash.ts";
import { createRegistry, type Registry } from "./registry.ts";

const NAME = parseRepositoryName("library/app");
const CHANGES = ["put", "append", "move", "delete"];
/** What a push may be refused by: what it needs, or what it has uploaded so far, has gone. */
const UNKNOWN = ["MANIFEST_BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN"];
const CALLS_MAX = 70;
const SEEDS = 300;

interface Content {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
}

function tag(text: string): Tag {
  return parseTag(text, "MANIFEST_INVALID");
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function open(storage: Storage): Promise<Registry> {
  return createRegistry(storage, { openUploadsMax: 10 });
}

async function upload({ uploads }: Registry, text: string): Promise<Content> {
  const digest = digestBytes("sha256", bytesOf(text));
  const body = new Blob([text]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
  await uploads.finish(NAME, await uploads.create(NAME), { digest, chunk: { body } });
  return { digest, mediaType: "application/octet-stream", size: text.length };
}

async function pushImage(registry: Registry, text: string, tags: readonly string[]): Promise<Content> {
  const config = await upload(registry, text);
  const bytes = bytesOf(JSON.stringify({ schemaVersion: 2, config, layers: [] }));
  const push = { bytes, tags: tags.map(tag), contentType: OCI_IMAGE_MANIFEST };
  const { digest } = await registry.manifests.put(NAME, push);
  return { digest, mediaType: OCI_IMAGE_MANIFEST, size: bytes.byteLength };
}

async function pushIndex({ manifests }: Registry, child: Content, tags: readonly string[]): Promise<Content> {
  const bytes = bytesOf(JSON.stringify({ schemaVersion: 2, manifests: [child] }));
  const { digest } = await manifests.put(NAME, { bytes, tags: tags.map(tag), contentType: OCI_IMAGE_INDEX });
  return { digest, mediaType: OCI_IMAGE_INDEX, size: bytes.byteLength };
}

/** A store that breaks at the change number `crashAt` and stays broken: what a crash leaves. */
function crashing(storage: Storage, crashAt: number): Storage {
  let changes = 0;
  const calls = STORAGE_VERBS.map((method) => {
    const call = storage[method].bind(storage) as (...args: unknown[]) => Promise<unknown>;
    const guarded = (...args: unknown[]) => {
      if (CHANGES.includes(method)) changes++;
      return changes > crashAt ? Promise.reject(new PluginError("unavailable", "crashed")) : call(...args);
    };
    return [method, guarded];
  });
  return Object.fromEntries(calls) as unknown as Storage;
}

/** What is there must hold together: tags have manifests, indexes have children, and what has manifests is in the catalog. */
async function assertWhole({ tags, manifests, catalog, blobs }: Registry): Promise<void> {
  for (const tag of (await tags.list(NAME, { limit: 100 })).entries) {
    assert(await manifests.get(NAME, { tag }), `the tag ${tag} points to nothing`);
  }
  for await (const { stored, manifest } of manifests.scan(NAME)) {
    assert(await catalog.has(NAME), `${stored.digest} is there, but its repository is not`);
    for (const { digest } of manifest.children) {
      assert(await manifests.get(NAME, { digest }), `a child of ${stored.digest} is not there`);
    }
    for (const { digest } of manifest.blobs) assert(await blobs.has(NAME, digest), `a blob is not there`);
  }
}

/** Runs the pusher beside the deletion, each in a process of its own, in many orders. Answers what was seen. */
async function meet(pusher: (registry: Registry) => Promise<Content>): Promise<Set<string>> {
  const seen = new Set<string>();
  const schedules: [string, Schedule][] = [];
  let index = 0;
  for (const schedule of twoSwitches(CALLS_MAX)) {
    if (index++ % 5 === 0) schedules.push([`order ${index}`, schedule]);
  }
  for (let seed = 1; seed <= SEEDS; seed++) schedules.push([`seed ${seed}`, randomSchedule(seed)]);
  for (const [order, schedule] of schedules) {
    const storage = await create({});
    await pushImage(await open(storage), "child", ["v1"]);
    const [pushed, deleted] = await interleave(storage, [
      async (view) => await pusher(await open(view)),
      async (view) => await (await open(view)).repositories.delete(NAME, {}),
    ], schedule);
    const registry = await open(storage);
    try {
      await assertWhole(registry);
      assert(deleted!.status === "fulfilled", String((deleted as PromiseRejectedResult).reason));
    } catch (error) {
      throw new Error(`${order}: ${(error as Error).message}`, { cause: error });
    }
    seen.add(await describe(registry, pushed!));
  }
  return seen;
}

async function describe(
  { manifests, catalog }: Registry,
  pushed: PromiseSettledResult<unknown>,
): Promise<string> {
  if (pushed.status === "rejected") {
    const { reason } = pushed;
    assert(reason instanceof OciError && UNKNOWN.includes(reason.code), String(reason));
    return "refused";
  }
  const { digest } = pushed.value as Content;
  if (await manifests.get(NAME, { digest })) return "stays";
  return await catalog.has(NAME) ? "gone, the repository stays" : "gone";
}

Deno.test("delete() takes an index that is pushed meanwhile wholly, or leaves it wholly, in the catalog", async () => {
  const seen = await meet(async (registry) => {
    const stored = await registry.manifests.get(NAME, { tag: tag("v1") });
    if (!stored) throw new OciError("MANIFEST_BLOB_UNKNOWN", "The child has gone");
    const { digest, mediaType, bytes } = stored;
    return await pushIndex(registry, { digest, mediaType, size: bytes.byteLength }, ["all"]);
  });
  assertEquals([seen.has("gone"), seen.has("refused")], [true, true]);
});

Deno.test("delete() takes an image that is pushed meanwhile, or leaves it in the catalog", async () => {
  const seen = await meet((registry) => pushImage(registry, "another", ["v1", "v2"]));
  assertEquals([seen.has("gone"), seen.has("stays"), seen.has("refused")], [true, true, true]);
});

Deno.test("delete() that crashes at any change leaves what holds together, and can be repeated", async () => {
  for (let crashAt = 0, crashed = true; crashed; crashAt++) {
    const storage = await create({});
    const before = await open(storage);
    const child = await pushImage(before, "child", ["v1", "v2"]);
    await pushImage(before, "other", []);
    await pushIndex(before, child, ["all"]);
    await before.uploads.create(NAME);
    const dying = await open(crashing(storage, crashAt));
    crashed = await dying.repositories.delete(NAME, { by: "admin" }).then(() => false, () => true);

    const registry = await open(storage);
    await assertWhole(registry);
    const keys = await storage.list("", { limit: 1_000 });
    const isLeft = keys.some((key) => /^(repositories|uploads|pulls|deletions)\//.test(key));
    if (isLeft) assert(await registry.catalog.has(NAME), `after ${crashAt} changes nobody can find the rest`);
    await registry.repositories.delete(NAME, {});
    const left = await storage.list("", { limit: 1_000 });
    const kinds = new Set(left.map((key) => key.slice(0, key.indexOf("/"))));
    assertEquals(kinds, new Set(["blobs", "due", "links", "removals"]), `after ${crashAt} changes`);
  }
});

Deno.test("delete() goes on where pushes never end, and gives up at last", async () => {
  const storage = await create({});
  const registry = await open(storage);
  await pushImage(registry, "first", ["v1"]);
  let pushes = 0;
  const other = await open(storage);
  const list = storage.list.bind(storage);
  const busy = {
    ...bound(storage),
    list: async (...args: Parameters<Storage["list"]>) => {
      const found = await list(...args);
      // Just as the deletion looks whether anything is left, there is.
      if (args[1].limit === 1) await pushImage(other, `push ${pushes++}`, ["v1"]);
      return args[1].limit === 1 ? await list(...args) : found;
    },
  } as Storage;
  const { repositories } = await open(busy);
  const error = await repositories.delete(NAME, {}).catch((error) => error);
  assert(error instanceof OciError);
  assertEquals([error.status, pushes], [409, 20]);
  await assertWhole(registry);
});

function bound(storage: Storage): Storage {
  const methods = STORAGE_VERBS;
  return Object.fromEntries(
    methods.map((method) => [method, storage[method].bind(storage)]),
  ) as unknown as Storage;
}
