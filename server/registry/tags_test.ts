import type { Storage } from "../../plugins/contract/storage.ts";
import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { type Actor, interleave, randomSchedule } from "../../tests/support/interleavings.ts";
import { gated, openReplica, openShared, stopAt } from "../../tests/support/shared_memory.ts";
import { OCI_IMAGE_INDEX } from "../oci/media_type.ts";
import type { OciError } from "../oci/error.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { parseTag } from "../oci/reference.ts";
import { digestBytes } from "./hash.ts";
import { historyPrefix, taggedPrefix, tagKey } from "./keys.ts";
import type { RepositoryRules } from "./tags.ts";

const NAME = parseRepositoryName("library/app");
const TAG = parseTag("v1", "MANIFEST_INVALID");
const IMMUTABLE: RepositoryRules = {
  isImmutable: () => true,
  hasImmutable: () => true,
  allowsDelete: () => true,
};
const SEEDS = 200;

function bytesOf(letter: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, manifests: [], annotations: { letter } }),
  );
}

const DIGESTS = new Map(["A", "B", "C"].map((letter) => [digestBytes("sha256", bytesOf(letter)), letter]));

interface PushOptions {
  readonly by?: string;
  readonly rules?: RepositoryRules;
}

async function push(storage: Storage, letter: string, { rules, ...doer }: PushOptions = {}): Promise<void> {
  await nextMillisecond();
  const { manifests } = await openReplica(storage, rules && { rules });
  await manifests.put(NAME, { bytes: bytesOf(letter), tags: [TAG], contentType: OCI_IMAGE_INDEX, ...doer });
}

/** Of two replicas whose changes are of one millisecond nobody knows which was first. */
async function nextMillisecond(): Promise<void> {
  const before = Date.now();
  while (Date.now() === before) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** What happened to the tag, newest first. */
async function history(storage: Storage): Promise<string[]> {
  const changes = await (await openReplica(storage)).tags.history(NAME, TAG);
  return changes.map(({ digest, isDeleted, by }) =>
    [DIGESTS.get(digest), isDeleted && "deleted", by && `by ${by}`].filter(Boolean).join(" ")
  );
}

async function untag(storage: Storage, by: string): Promise<void> {
  await nextMillisecond();
  assert(await (await openReplica(storage)).tags.delete(NAME, TAG, { by }));
}

async function entries(storage: Storage): Promise<number> {
  return (await storage.list(historyPrefix(NAME, TAG), { limit: 100 })).length;
}

Deno.test("history() begins with how a tag came to be, which it says by itself", async () => {
  const storage = await openShared();
  await push(storage, "A", { by: "ann" });
  assertEquals([await history(storage), await entries(storage)], [["A by ann"], 0]);
  // Again, by another: nothing has happened.
  await push(storage, "A", { by: "bob" });
  assertEquals([await history(storage), await entries(storage)], [["A by ann"], 0]);
  await push(storage, "B", { by: "bob" });
  assertEquals(await history(storage), ["B by bob", "A by ann"]);
  await push(storage, "A");
  assertEquals(await history(storage), ["A", "B by bob", "A by ann"]);
  await untag(storage, "cid");
  assertEquals(await history(storage), ["A deleted by cid", "A", "B by bob", "A by ann"]);
  await push(storage, "C", { by: "dan" });
  assertEquals(await history(storage), ["C by dan", "A deleted by cid", "A", "B by bob", "A by ann"]);
});

Deno.test("history() tells of a tag that was created and deleted", async () => {
  const storage = await openShared();
  await push(storage, "A", { by: "ann" });
  await untag(storage, "bob");
  assertEquals(await history(storage), ["A deleted by bob", "A by ann"]);
  await push(storage, "A", { by: "cid" });
  assertEquals(await history(storage), ["A by cid", "A deleted by bob", "A by ann"]);
});

Deno.test("history() tells of what older servers have written", async () => {
  const storage = await openShared();
  await push(storage, "A", { by: "ann" });
  const [digest] = [...DIGESTS.keys()];
  for (const text of [`${digest}\n${crypto.randomUUID()}`, `${digest}`, `${digest}\n`]) {
    await storage.put(tagKey(NAME, TAG), new TextEncoder().encode(text));
    assertEquals(await history(storage), ["A"]);
  }
  await push(storage, "B", { by: "bob" });
  assertEquals((await history(storage))[0], "B by bob");
});

Deno.test("history() keeps what a tag was first, though who created it has a clock that is ahead", async () => {
  for (
    const change of [(storage: Storage) => push(storage, "B"), (storage: Storage) => untag(storage, "bob")]
  ) {
    const storage = await openShared();
    const { now } = Date;
    Date.now = () => now() + 60_000;
    await push(storage, "A", { by: "ann" }).finally(() => Date.now = now);
    await change(storage);
    assertEquals((await history(storage)).slice(1), ["A by ann"]);
  }
});

Deno.test("history() is whole where two create a tag at once", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const storage = await openShared();
    const actors = ["A", "B"].map((letter): Actor => (calls) =>
      push(sharedView(storage, calls), letter, { by: letter.toLowerCase() })
    );
    const results = await interleave(storage, actors, randomSchedule(seed));
    for (const { status } of results) assertEquals(status, "fulfilled");
    const told = await history(storage);
    assertEquals(told.toSorted(), ["A by a", "B by b"], `seed ${seed}: ${told}`);
  }
});

Deno.test("put() of an immutable tag is DENIED to all but one of those who push different manifests at once", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const storage = await openShared();
    const letters = ["A", "B", "C"];
    const actors = letters.map((letter): Actor => (calls) =>
      push(sharedView(storage, calls), letter, { rules: IMMUTABLE })
    );
    const results = await interleave(storage, actors, randomSchedule(seed));
    const accepted = letters.filter((_, index) => results[index]!.status === "fulfilled");
    assertEquals(accepted, await history(storage), `seed ${seed}`);
    for (const result of results) {
      if (result.status === "rejected") assertEquals((result.reason as OciError).code, "DENIED");
    }
  }
});

Deno.test("put() of an immutable tag is accepted again and again of one manifest, and moves it never", async () => {
  const storage = await openShared();
  for (let turn = 0; turn < 3; turn++) await push(storage, "A", { rules: IMMUTABLE });
  const denied = (error: OciError) => error.code === "DENIED";
  await assertRejects(() => push(storage, "B", { rules: IMMUTABLE }), denied);
  assertEquals(await history(storage), ["A"]);
});

Deno.test("put() of an immutable tag is not accepted upon another that came and went", async () => {
  for (const goesAt of [1, 2, 3]) {
    const storage = await openShared();
    // It comes before it is to be created, and goes before it is looked at for the so manieth time.
    let [isThere, looks] = [false, 0];
    const view = gated(storage, async (verb, key) => {
      if (key !== tagKey(NAME, TAG)) return;
      if (verb === "put" && !isThere) await push(storage, "A");
      isThere ||= verb === "put";
      if (verb === "get" && isThere && ++looks === goesAt) await storage.delete(key);
    });
    const [{ status }] = await Promise.allSettled([push(view, "B", { rules: IMMUTABLE })]);
    const digest = await (await openReplica(storage)).tags.get(NAME, TAG);
    assertEquals(status === "fulfilled", DIGESTS.get(digest!) === "B", `${goesAt}`);
  }
});

Deno.test("put() announces tags of a manifest that was there before, and others find them when it goes", async () => {
  const storage = await openShared();
  const other = parseTag("v2", "MANIFEST_INVALID");
  await push(storage, "A");
  const [digest] = [...DIGESTS.keys()] as [Parameters<typeof taggedPrefix>[1]];
  assertEquals(await storage.list(taggedPrefix(NAME, digest), { limit: 10 }), []);
  const { manifests, tags } = await openReplica(storage);
  await manifests.put(NAME, { bytes: bytesOf("A"), tags: [other], contentType: OCI_IMAGE_INDEX });
  assertEquals((await storage.list(taggedPrefix(NAME, digest), { limit: 10 })).length, 1);
  assertEquals(await tags.listOf(NAME, digest, 10), [TAG, other]);
  assertEquals([...(await tags.taggedAt(NAME, digest)).keys()].sort(), [TAG, other]);
  const { view, reached, goOn } = stopAt(storage, "delete", "_manifests/");
  const deleted = (await openReplica(view)).manifests.delete(NAME, digest);
  await reached;
  goOn();
  assertEquals([await deleted, (await tags.list(NAME, { limit: 10 })).entries], [true, []]);
});

function sharedView({ copy, features }: Storage, calls: Storage): Storage {
  return { ...calls, copy: copy!, features: features! };
}
