import type { Storage } from "../../plugins/contract/storage.ts";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import { type Actor, interleave, randomSchedule } from "../../tests/support/interleavings.ts";
import { openReplica, openShared, stopAt } from "../../tests/support/shared_memory.ts";
import { OCI_IMAGE_INDEX } from "../oci/media_type.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { parseTag, type Tag } from "../oci/reference.ts";
import { digestBytes } from "./hash.ts";
import { manifestKey, tagKey } from "./keys.ts";
import { ManifestObjects, type StoredManifest } from "./manifest_objects.ts";
import { moment } from "./recently_seen.ts";
import type { Tags } from "./tags.ts";
import { UnfinishedPushes } from "./unfinished_pushes.ts";

const NAME = parseRepositoryName("library/app");
const [V1, V2] = [parseTag("v1", "MANIFEST_INVALID"), parseTag("v2", "MANIFEST_INVALID")];
const BYTES = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
const OTHER_BYTES = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [], x: 1 }));
const DIGEST = digestBytes("sha256", BYTES);
const SEEDS = 400;

async function push(storage: Storage, tags: readonly Tag[] = [V1], bytes = BYTES): Promise<string> {
  const { manifests } = await openReplica(storage);
  return (await manifests.put(NAME, { bytes, tags, contentType: OCI_IMAGE_INDEX })).digest;
}

async function remove(storage: Storage): Promise<boolean> {
  return await (await openReplica(storage)).manifests.delete(NAME, DIGEST);
}

/** What is there, of which nothing points to what is not. */
async function whatIsLeft(storage: Storage): Promise<string[]> {
  const { manifests, tags } = await openReplica(storage);
  const [pointed, other] = [await tags.get(NAME, V1), await tags.get(NAME, V2)];
  const found = await manifests.get(NAME, { digest: DIGEST });
  for (const digest of [pointed, other]) {
    assert(digest === undefined || await manifests.get(NAME, { digest }), "a tag points to nothing");
  }
  return [...(found ? ["manifest"] : []), ...(pointed ? ["tag"] : [])];
}

/** Time goes on by so much, until it is disposed. */
function later(ms: number): Disposable {
  const { now } = Date;
  Date.now = () => now() + ms;
  return { [Symbol.dispose]: () => void (Date.now = now) };
}

/** Whatever happens, happens at another time, and who waits has time pass. */
function ticking(): Disposable {
  const { now } = Date;
  const { setTimeout } = globalThis;
  let passedMs = 0;
  Date.now = () => now() + passedMs++;
  globalThis.setTimeout = ((act: () => void, ms = 0) => {
    passedMs += ms;
    return setTimeout(act, 0);
  }) as typeof setTimeout;
  return {
    [Symbol.dispose]: () => {
      Date.now = now;
      globalThis.setTimeout = setTimeout;
    },
  };
}

/** Until the clock shows another millisecond. */
async function tick(): Promise<void> {
  const before = Date.now();
  while (Date.now() === before) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const soon = new Promise((resolve) => setTimeout(() => resolve("pending"), 20));
  return await Promise.race([promise, soon]) === "pending";
}

async function unfinishedOf(
  storage: Storage,
  { shared = true, ...more }: Partial<StoredManifest> & { readonly shared?: boolean } = {},
) {
  const { tags } = await openReplica(storage);
  const unfinished = new UnfinishedPushes(new ManifestObjects(storage), { tags: tags as Tags, shared });
  const found = await (await openReplica(storage)).manifests.get(NAME, { digest: DIGEST });
  const stored = { ...found!, ...more };
  return {
    unfinished,
    told: [await unfinished.mayHave(NAME, stored), await unfinished.mayAnswer(NAME, stored)],
  };
}

Deno.test("mayHave() tells of manifests that are young and whose tags do not point to them yet", async () => {
  const storage = await openShared();
  await push(storage, [V1]);
  assertEquals((await unfinishedOf(storage)).told, [false, false]);
  const unset = { tags: [V1, V2] };
  assertEquals((await unfinishedOf(storage, unset)).told, [true, true]);
  assertEquals((await unfinishedOf(storage, { ...unset, shared: false })).told, [false, false]);
  // By a clock that is ahead, or long ago.
  assertEquals((await unfinishedOf(storage, { ...unset, modifiedAtMs: Date.now() + 3_600_000 })).told, [
    true,
    true,
  ]);
  assertEquals((await unfinishedOf(storage, { ...unset, modifiedAtMs: Date.now() - 8_100 })).told, [
    false,
    false,
  ]);
  assertEquals((await unfinishedOf(storage, { ...unset, modifiedAtMs: Date.now() - 7_000 })).told, [
    true,
    true,
  ]);
  await push(storage, [V1], OTHER_BYTES);
  assertEquals((await unfinishedOf(storage)).told, [true, true]);
  // Nobody sets a tag, but somebody may be about to say that it is there.
  assertEquals((await unfinishedOf(storage, { tags: [] })).told, [false, true]);
  using _ = later(8_100);
  assertEquals((await unfinishedOf(storage)).told, [false, false]);
  assertEquals((await unfinishedOf(storage, { tags: [] })).told, [false, false]);
});

Deno.test("isSure() holds for a moment, by either clock, over shared stores only", async () => {
  const storage = await openShared();
  await push(storage);
  const { unfinished } = await unfinishedOf(storage);
  const now = moment();
  assertEquals(unfinished.isSure(now), true);
  assertEquals(unfinished.isSure({ ...now, runningMs: now.runningMs - 3_000 }), false);
  assertEquals(unfinished.isSure({ ...now, wallMs: now.wallMs - 3_000 }), false);
  assertEquals(unfinished.isSure({ ...now, wallMs: now.wallMs + 4_000 }), false);
  assertEquals((await unfinishedOf(storage, { shared: false })).unfinished.isSure(now), false);
});

Deno.test("delete() waits for a push that is about to set its tag, and holds up nobody else meanwhile", async () => {
  const storage = await openShared();
  const { view, reached, goOn } = stopAt(storage, "put", tagKey(NAME, V1));
  const pushed = push(view);
  await reached;
  const { manifests } = await openReplica(storage);
  const deleted = manifests.delete(NAME, DIGEST);
  assertEquals(await isPending(deleted), true);
  const other = { bytes: OTHER_BYTES, tags: [V2], contentType: OCI_IMAGE_INDEX };
  await manifests.put(NAME, other);
  assertEquals(await manifests.delete(NAME, digestBytes("sha256", OTHER_BYTES)), true);
  goOn();
  assertEquals([await pushed, await deleted], [DIGEST, true]);
  assertEquals(await whatIsLeft(storage), []);
});

Deno.test("delete() does not wait for pushes that have ended, however often the manifest was pushed", async () => {
  const storage = await openShared();
  for (const tag of [V1, V2, V1]) {
    await push(storage, [tag]);
    await tick();
  }
  const startedAt = performance.now();
  assertEquals(await remove(storage), true);
  assert(performance.now() - startedAt < 400, "it has waited");
});

Deno.test("delete() of what a push has left without its tag ends, and a push that goes on then is whole", async () => {
  const storage = await openShared();
  const { view, reached, goOn } = stopAt(storage, "put", tagKey(NAME, V1));
  const pushed = push(view);
  await reached;
  using _ = later(8_100);
  assertEquals(await remove(storage), true);
  goOn();
  await pushed;
  assertEquals(await whatIsLeft(storage), ["manifest", "tag"]);
});

Deno.test("delete() takes no manifest that was pushed anew since it looked", async () => {
  const storage = await openShared();
  await push(storage);
  const first = stopAt(storage, "put", "deletions/");
  const deleted = remove(first.view);
  await first.reached;
  assertEquals(await remove(storage), true);
  const second = stopAt(storage, "put", tagKey(NAME, V1));
  const pushed = push(second.view);
  await second.reached;
  first.goOn();
  assertEquals(await isPending(deleted), true);
  second.goOn();
  assertEquals([await pushed, await deleted], [DIGEST, true]);
  assertEquals(await whatIsLeft(storage), []);
});

Deno.test("delete() waits for a push, though the tag points to the manifest as it was before", async () => {
  const storage = await openShared();
  await push(storage);
  // A deletion that a crash has cut short.
  await storage.delete(manifestKey(NAME, DIGEST));
  await tick();
  const { view, reached, goOn } = stopAt(storage, "put", tagKey(NAME, V1));
  const pushed = push(view);
  await reached;
  const deleted = remove(storage);
  assertEquals(await isPending(deleted), true);
  goOn();
  assertEquals([await pushed, await deleted], [DIGEST, true]);
  assertEquals(await whatIsLeft(storage), []);
});

Deno.test("deleteUnneeded() leaves what was pushed a moment ago, tag or none, and takes it later", async () => {
  const storage = await openShared();
  for (const tags of [[], [V1]]) {
    await push(storage, tags);
    await storage.delete(tagKey(NAME, V1));
    const { manifests } = await openReplica(storage);
    const sweep = () => manifests.deleteUnneeded(NAME, [DIGEST], () => Promise.resolve(new Set()));
    assertEquals(await sweep(), []);
    assertEquals(await whatIsLeft(storage), ["manifest"]);
    using _ = later(8_100);
    assertEquals(await sweep(), [DIGEST]);
  }
});

/** Has them meet over a store with the manifest and its tag, in an order by chance. */
async function meet(actors: readonly Actor[], seed: number): Promise<void> {
  using _ = ticking();
  const storage = await openShared();
  await push(storage);
  const { copy, features } = storage as Required<Storage>;
  const views = actors.map((actor): Actor => (calls) => actor({ ...calls, copy, features }));
  const results = await interleave(storage, views, randomSchedule(seed));
  try {
    for (const { status } of results) assertEquals(status, "fulfilled");
    await whatIsLeft(storage);
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}

Deno.test("no tag points to nothing where pushes and deletions of a manifest meet, and no push is lost", async () => {
  const again: Actor = (storage) => push(storage);
  const moved: Actor = (storage) => push(storage, [V1], OTHER_BYTES);
  const tagged: Actor = (storage) => push(storage, [V2]);
  const two = [remove, remove];
  const all = [[...two, again], [remove, again, again], [remove, moved, again], [...two, again, again], [
    ...two,
    again,
    tagged,
  ]];
  for (const actors of all) {
    for (let seed = 1; seed <= SEEDS; seed++) await meet(actors, seed);
  }
});
