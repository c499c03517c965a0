import { PluginError } from "../../plugins/contract/error.ts";
import type { Lock } from "../../plugins/contract/lock.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { STORAGE_CLAUSES, storageSuite } from "../../plugins/contract/storage_suite.ts";
import { CONDITIONS } from "../../plugins/contract/storage_clauses/conditions_suite.ts";
import { create as createLock } from "../../plugins/lock/memory/memory.ts";
import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { type Actor, interleave, randomSchedule, twoSwitches } from "../../tests/support/interleavings.ts";
import { createUnconditional } from "../../tests/support/unconditional.ts";
import { lockedStorage } from "./locked_storage.ts";

storageSuite({
  name: "a store without conditions, with locks",
  create: async () => lockedStorage(await createUnconditional(), await createLock({})),
  largeBytes: 1024 * 1024,
});

Deno.test("without locks, the store that these tests use breaks the clauses on conditions", async () => {
  const broken: string[] = [];
  for (const { name, run } of CONDITIONS) {
    await run(await createUnconditional(), { largeBytes: 1024 }).catch(() => broken.push(name));
  }
  assert(broken.length >= 4, broken.join("\n"));
  assert(STORAGE_CLAUSES.length > CONDITIONS.length);
});

/** Counts up what `key` holds, on the condition that it is what was read. */
async function countUp(storage: Storage, key = "counter"): Promise<void> {
  for (;;) {
    const value = await storage.get(key);
    const next = encode(String(Number(value ? decode(value.bytes) : 0) + 1));
    try {
      await storage.put(key, next, value ? { ifMatch: value.etag } : { ifAbsent: true });
      return;
    } catch (error) {
      if (!(error instanceof PluginError && error.code === "conflict")) throw error;
    }
  }
}

/** What two who count up come to, in every order of their calls with two switches, and in some by chance. */
async function countTogether(wrap: (storage: Storage, lock: Lock) => Storage): Promise<Set<string>> {
  const schedules = [
    ...twoSwitches(6),
    ...Array.from({ length: 100 }, (_, seed) => randomSchedule(seed + 1)),
  ];
  const counts = new Set<string>();
  for (const schedule of schedules) {
    const storage = await createUnconditional(() => Promise.resolve());
    const lock = await createLock({});
    const actor: Actor = (view) => countUp(wrap(twoSteps(view), lock));
    await interleave(storage, [actor, actor], schedule);
    counts.add(decode((await storage.get("counter"))!.bytes));
  }
  return counts;
}

/** A store whose conditions are a look, then a change: two calls that others can come between. */
function twoSteps(view: Storage): Storage {
  return {
    ...view,
    async put(key, bytes, { ifAbsent, ifMatch, ...options } = {}) {
      if (ifAbsent || ifMatch !== undefined) {
        if ((await view.get(key))?.etag !== ifMatch) throw new PluginError("conflict", "another etag");
      }
      return await view.put(key, bytes, options);
    },
  };
}

Deno.test("two who count up lose no count, in whatever order they meet", async () => {
  assertEquals(await countTogether(lockedStorage), new Set(["2"]));
  assertEquals(await countTogether((storage) => storage), new Set(["1", "2"]));
});

Deno.test("a holder that was paused past its lock's time changes nothing any more", async () => {
  const paused = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  let isFirst = true;
  const storage = await createUnconditional(async () => {
    if (!isFirst) return;
    isFirst = false;
    reached.resolve();
    await paused.promise;
  });
  const lock = shortLived(await createLock({}), 300);
  const one = lockedStorage(storage, lock);
  const other = lockedStorage(storage, lock);
  const late = one.put("a", encode("late"), { ifAbsent: true });
  const refused = assertRejects(late, { code: "unavailable" });
  await reached.promise;
  await other.put("a", encode("next"), { ifAbsent: true });
  paused.resolve();
  await refused;
  assertEquals(decode((await storage.get("a"))!.bytes), "next");
});

Deno.test("a change whose outcome nobody knows keeps its lock for as long as it may still happen", async () => {
  const storage = await createUnconditional();
  const lock = shortLived(await createLock({}), 400);
  const lost: Storage = {
    ...storage,
    put: () => Promise.reject(new PluginError("unavailable", "the answer was lost")),
  };
  await assertRejects(lockedStorage(lost, lock).put("a", encode("x")), { code: "unavailable" });
  assertEquals(await lock.acquire("a", { ttlMs: 10, waitMs: 0 }), undefined);
  await lockedStorage(storage, lock).put("a", encode("y"));
  assertEquals(decode((await storage.get("a"))!.bytes), "y");
});

Deno.test("a condition that does not hold frees the lock at once, and so does a look that fails", async () => {
  const storage = await createUnconditional();
  const lock = await createLock({});
  const locked = lockedStorage(storage, lock);
  await locked.put("a", encode("x"));
  await assertRejects(locked.put("a", encode("y"), { ifAbsent: true }), { code: "conflict" });
  const blind: Storage = { ...storage, get: () => Promise.reject(new PluginError("unavailable", "away")) };
  await assertRejects(lockedStorage(blind, lock).delete("a", { ifMatch: "1" }), { code: "unavailable" });
  assert(await lock.acquire("a", { ttlMs: 1_000, waitMs: 0 }));
});

Deno.test("a lock that was taken only after a long wait is renewed, so that the change has its time", async () => {
  const lock = await createLock({});
  const limits: (number | undefined)[] = [];
  const storage = await createUnconditional();
  const told: Storage = {
    ...storage,
    put: (key, bytes, condition) => {
      limits.push(condition?.withinMs);
      return storage.put(key, bytes, condition);
    },
  };
  await lock.acquire("a", { ttlMs: 900, waitMs: 0 });
  await lockedStorage(told, shortLived(lock, 1_000)).put("a", encode("x"));
  assert(limits[0]! > 500 && limits[0]! <= 900, String(limits));
});

Deno.test("while locks are away changes fail, and reading, appending and moving bytes go on", async () => {
  const away = () => Promise.reject(new PluginError("unavailable", "Redis is away"));
  const storage = await createUnconditional();
  await storage.put("a", encode("x"));
  const locked = lockedStorage(storage, { acquire: away, renew: away, release: away });
  for (const change of [locked.put("a", encode("y")), locked.delete("a"), locked.move("a", "b")]) {
    await assertRejects(change, { code: "unavailable" });
  }
  await locked.append("uploads/r!/1", 0, ReadableStream.from([encode("bytes")]) as never);
  assertEquals(await locked.move("uploads/r!/1", "blobs/sha256/ab/abc"), true);
  assertEquals(await locked.list("", { limit: 9 }), ["a", "blobs/sha256/ab/abc"]);
  assertEquals(decode((await locked.get("a"))!.bytes), "x");
});

Deno.test("a condition upon bytes, which take no lock, is refused as a mistake", async () => {
  const locked = lockedStorage(await createUnconditional(), await createLock({}));
  await assertRejects(locked.put("uploads/r!/1", encode("x"), { ifAbsent: true }), TypeError);
});

Deno.test("a store with locks says that conditions hold", async () => {
  const locked = lockedStorage(await createUnconditional(), await createLock({}));
  assertEquals(await locked.features!(), { shared: true, conditions: true, moveMs: 0, notes: false });
});

function shortLived(lock: Lock, ttlMs: number): Lock {
  return {
    acquire: (name, request) => lock.acquire(name, { ...request, ttlMs }),
    renew: (name, token, askedMs) => lock.renew(name, token, Math.min(askedMs, ttlMs)),
    release: (name, token) => lock.release(name, token),
  };
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
