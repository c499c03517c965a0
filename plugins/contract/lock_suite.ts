/**
 * Every clause of the lock contract as a test, for anyone's plugin.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { HeldLock, Lock } from "./lock.ts";

/** One sentence of the contract, and how to try whether it holds. */
export interface LockClause {
  /** The sentence. */
  readonly name: string;
  /** Tries it on a store without locks; throws where it does not hold. */
  readonly run: (locks: SuiteLocks) => Promise<void>;
}

/** Two who ask the same store, as two servers do; one that cannot be shared twice the same. */
export interface SuiteLocks extends Partial<AsyncDisposable> {
  /** What one of them asks. */
  readonly one: Lock;
  /** What the other one asks. */
  readonly other: Lock;
}

/** What is put to the test. */
export interface LockSuite {
  /** Begins the name of each test. */
  readonly name: string;
  /** Opens a store without locks, which gives at least 5 seconds. Each test calls it once, and disposes of what it answered if it can be. */
  readonly create: () => SuiteLocks | Promise<SuiteLocks>;
  /** Why there is nothing to test here. */
  readonly ignore?: boolean;
}

/** Long enough to be held for the rest of a test. */
const LONG_MS = 60_000;
/** Short enough to be waited for. */
const SHORT_MS = 200;
/** More than anybody has to wait. */
const PATIENCE_MS = 8_000;

/** The clauses of the contract. */
export const LOCK_CLAUSES: readonly LockClause[] = [
  {
    name: "acquire() gives a lock that nobody has, for the time that was asked for at most",
    run: async ({ one, other }) => {
      const held = await take(one, "a", { ttlMs: 3_000 });
      assert.ok(held.token.length > 0 && Number.isSafeInteger(held.fence));
      assert.equal(held.ttlMs, 3_000);
      const another = await take(other, "b", { ttlMs: LONG_MS });
      assert.ok(another.ttlMs > 0 && another.ttlMs <= LONG_MS);
    },
  },
  {
    name: "acquire() answers undefined at once, or after its wait, where somebody else has the lock",
    run: async ({ one, other }) => {
      await take(one, "a");
      for (const lock of [one, other]) {
        assert.equal(await lock.acquire("a", { ttlMs: LONG_MS, waitMs: 0 }), undefined);
        assert.equal(await lock.acquire("a", { ttlMs: LONG_MS, waitMs: 50 }), undefined);
      }
    },
  },
  {
    name: "acquire() gives a lock to exactly one of many at once",
    run: async ({ one, other }) => {
      for (const name of ["a", "b", "c"]) {
        const asked = Array.from(
          { length: 20 },
          (_, index) => (index % 2 ? one : other).acquire(name, { ttlMs: LONG_MS, waitMs: 0 }),
        );
        assert.equal((await Promise.all(asked)).filter(Boolean).length, 1);
      }
    },
  },
  {
    name: "names are told apart, whatever they consist of",
    run: async ({ one }) => {
      const names = ["a", "A", "a:b", "a/b", "{a}", "a*", "!\"#$%&'()+,-./;<=>?@[]^_`|~", "n".repeat(2_048)];
      for (const name of names) await take(one, name);
      for (const name of names) {
        assert.equal(await one.acquire(name, { ttlMs: LONG_MS, waitMs: 0 }), undefined);
      }
    },
  },
  {
    name: "release() ends the hold, once",
    run: async ({ one, other }) => {
      const { token } = await take(one, "a");
      assert.deepEqual([await one.release("a", token), await one.release("a", token)], [true, false]);
      assert.equal(await one.renew("a", token, LONG_MS), false);
      await take(other, "a");
    },
  },
  {
    name: "release() wakes who waits, wherever that is, long before the hold would have ended",
    run: async ({ one, other }) => {
      for (const waiter of [one, other]) {
        const held = await take(one, "a");
        const startedMs = performance.now();
        const waiting = waiter.acquire("a", { ttlMs: LONG_MS, waitMs: PATIENCE_MS });
        assert.equal(await one.acquire("a", { ttlMs: LONG_MS, waitMs: 20 }), undefined);
        await one.release("a", held.token);
        const next = await waiting;
        assert.ok(next && performance.now() - startedMs < held.ttlMs);
        await waiter.release("a", next.token);
      }
    },
  },
  {
    name: "of those that wait in one place the first comes first",
    run: async ({ one }) => {
      const held = await take(one, "a");
      const order: number[] = [];
      const waiting = [0, 1, 2, 3].map(async (index) => {
        const next = await take(one, "a", { waitMs: PATIENCE_MS });
        order.push(index);
        await one.release("a", next.token);
      });
      await one.release("a", held.token);
      await Promise.all(waiting);
      assert.deepEqual(order, [0, 1, 2, 3]);
    },
  },
  {
    name: "who waits in vain keeps nobody behind from the lock",
    run: async ({ one }) => {
      const held = await take(one, "a");
      const impatient = one.acquire("a", { ttlMs: LONG_MS, waitMs: 30 });
      const patient = one.acquire("a", { ttlMs: LONG_MS, waitMs: PATIENCE_MS });
      assert.equal(await impatient, undefined);
      await one.release("a", held.token);
      assert.ok(await patient);
    },
  },
  {
    name: "a holder that died loses the lock after its time, and who waits gets it",
    run: async ({ one, other }) => {
      await take(one, "a", { ttlMs: SHORT_MS });
      await take(other, "a", { waitMs: PATIENCE_MS });
    },
  },
  {
    name: "a holder that is late is told so, and harms nobody who came after it",
    run: async ({ one, other }) => {
      const late = await take(one, "a", { ttlMs: SHORT_MS });
      const next = await take(other, "a", { waitMs: PATIENCE_MS });
      assert.deepEqual(
        [await one.renew("a", late.token, LONG_MS), await one.release("a", late.token)],
        [false, false],
      );
      assert.equal(await one.acquire("a", { ttlMs: LONG_MS, waitMs: 0 }), undefined);
      assert.equal(await other.renew("a", next.token, LONG_MS), true);
    },
  },
  {
    name: "renew() and release() of a lock that nobody has answer false",
    run: async ({ one }) => {
      assert.deepEqual([await one.renew("a", "x", LONG_MS), await one.release("a", "x")], [false, false]);
      await take(one, "a");
      assert.deepEqual([await one.renew("a", "x", LONG_MS), await one.release("a", "x")], [false, false]);
    },
  },
  {
    name: "renew() holds the lock for longer, and for less",
    run: async ({ one, other }) => {
      const held = await take(one, "a", { ttlMs: 1_000 });
      assert.equal(await one.renew("a", held.token, LONG_MS), true);
      assert.equal(await other.acquire("a", { ttlMs: LONG_MS, waitMs: 1_500 }), undefined);
      assert.equal(await one.renew("a", held.token, SHORT_MS), true);
      await take(other, "a", { waitMs: PATIENCE_MS });
    },
  },
  {
    name: "the fence of a name grows with each hold, however the one before ended",
    run: async ({ one, other }) => {
      const fences: number[] = [];
      for (let round = 0; round < 10; round++) {
        const lock = round % 2 ? one : other;
        const held = await take(lock, "a", { ttlMs: round < 2 ? SHORT_MS : LONG_MS, waitMs: PATIENCE_MS });
        fences.push(held.fence);
        if (round >= 2) await lock.release("a", held.token);
      }
      assert.deepEqual(fences, [...new Set(fences)].toSorted((a, b) => a - b));
    },
  },
  {
    name: "nobody is inside together with another",
    run: async ({ one, other }) => {
      let inside = 0;
      let entries = 0;
      const enter = async (index: number) => {
        const lock = index % 2 ? one : other;
        const held = await take(lock, "a", { waitMs: PATIENCE_MS });
        assert.equal(++inside, 1);
        await new Promise((resolve) => setTimeout(resolve, 2));
        inside--;
        entries++;
        assert.equal(await lock.release("a", held.token), true);
      };
      await Promise.all(Array.from({ length: 30 }, (_, index) => enter(index)));
      assert.equal(entries, 30);
    },
  },
];

/** Registers a test for every clause of the contract. */
export function lockSuite({ name, create, ignore = false }: LockSuite): void {
  for (const clause of LOCK_CLAUSES) {
    Deno.test({
      name: `${name}: ${clause.name}`,
      ignore,
      fn: async () => {
        const locks = await create();
        try {
          await clause.run(locks);
        } finally {
          await locks[Symbol.asyncDispose]?.();
        }
      },
    });
  }
}

/** The lock, which must be had. */
async function take(
  lock: Lock,
  name: string,
  { ttlMs = LONG_MS, waitMs = 0 }: { readonly ttlMs?: number; readonly waitMs?: number } = {},
): Promise<HeldLock> {
  const held = await lock.acquire(name, { ttlMs, waitMs });
  assert.ok(held, `${name} was not given`);
  return held;
}
