/**
 * Every clause of the cache contract as a test, for anyone's plugin.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Cache, CACHE_BYTES_MAX, CACHE_KEYS_MAX } from "./cache.ts";

/** One sentence of the contract, and how to try whether it holds. */
export interface CacheClause {
  /** The sentence. */
  readonly name: string;
  /** Tries it on an empty cache; throws where it does not hold. */
  readonly run: (caches: SuiteCaches) => Promise<void>;
}

/** Two who ask the same cache, as two servers do; one that cannot be shared twice the same. */
export interface SuiteCaches extends Partial<AsyncDisposable> {
  /** What one of them asks. */
  readonly one: Cache;
  /** What the other one asks. */
  readonly other: Cache;
}

/** What is put to the test. */
export interface CacheSuite {
  /** Begins the name of each test. */
  readonly name: string;
  /** Opens an empty cache of some MiB. Each test calls it once, and disposes of what it answered if it can be. */
  readonly create: () => SuiteCaches | Promise<SuiteCaches>;
  /** Why there is nothing to test here. */
  readonly ignore?: boolean;
}

const LONG = { ttlMs: 60_000 };
const SHORT = { ttlMs: 100 };

/** The clauses of the contract. */
export const CACHE_CLAUSES: readonly CacheClause[] = [
  {
    name: "get() answers what was put last, to everybody, and undefined for what was not",
    run: async ({ one, other }) => {
      assert.equal(await one.get("a"), undefined);
      await one.put("a", encode("first"), LONG);
      await other.put("a", encode("second"), LONG);
      await one.put("b", encode(""), LONG);
      for (const cache of [one, other]) {
        assert.deepEqual([await read(cache, "a"), await read(cache, "b"), await read(cache, "c")], [
          "second",
          "",
          undefined,
        ]);
      }
    },
  },
  {
    name: "put() takes values of every size and content up to the largest",
    run: async ({ one, other }) => {
      const bytes = new Uint8Array(CACHE_BYTES_MAX).map((_, index) => index * 7 % 256);
      await one.put("large", bytes.slice(), LONG);
      const found = (await other.get("large"))?.bytes;
      assert.ok(found?.length === bytes.length && found.every((byte, index) => byte === bytes[index]));
    },
  },
  {
    name: "what get() answered, and what put() was given, is the caller's to change",
    run: async ({ one }) => {
      const given = encode("abc");
      await one.put("a", given, LONG);
      given.fill(0);
      (await one.get("a"))?.bytes.fill(1);
      assert.equal(await read(one, "a"), "abc");
    },
  },
  {
    name: "keys are told apart, whatever they consist of",
    run: async ({ one }) => {
      const keys = ["a", "A", "a:b", "a/b", "{a}", "a*", "!\"#$%&'()+,-./;<=>?@[]^_`|~", "k".repeat(512)];
      for (const [index, key] of keys.entries()) await one.put(key, encode(String(index)), LONG);
      assert.deepEqual(
        await Promise.all(keys.map((key) => read(one, key))),
        keys.map((_, index) => String(index)),
      );
    },
  },
  {
    name: "delete() forgets values and counters, for everybody, whether they are there or not",
    run: async ({ one, other }) => {
      const keys = Array.from({ length: CACHE_KEYS_MAX }, (_, index) => `key${index}`);
      await one.put("key1", encode("x"), LONG);
      await one.put("other", encode("stays"), LONG);
      await one.count("key2", { by: 3, ...LONG });
      await other.delete(keys);
      await other.delete([]);
      assert.deepEqual(
        [await read(one, "key1"), await one.count("key2", { by: 0, ...LONG }), await read(one, "other")],
        [undefined, 0, "stays"],
      );
    },
  },
  {
    name: "a value is gone when its time is over, which put() begins anew",
    run: async ({ one, other }) => {
      await one.put("a", encode("x"), SHORT);
      await one.put("b", encode("x"), SHORT);
      await one.put("b", encode("y"), LONG);
      await pass(2 * SHORT.ttlMs);
      assert.deepEqual([await read(other, "a"), await read(other, "b")], [undefined, "y"]);
    },
  },
  {
    name: "count() adds in one step, whoever else does",
    run: async ({ one, other }) => {
      const counts = await Promise.all(
        Array.from({ length: 40 }, (_, index) => (index % 2 ? one : other).count("a", { by: 1, ...LONG })),
      );
      assert.deepEqual(counts.toSorted((a, b) => a - b), Array.from({ length: 40 }, (_, index) => index + 1));
    },
  },
  {
    name: "count() takes away, though never below 0, and looks",
    run: async ({ one, other }) => {
      assert.equal(await one.count("a", { by: 0, ...LONG }), 0);
      assert.equal(await one.count("a", { by: -2, ...LONG }), 0);
      assert.equal(await one.count("a", { by: 5, ...LONG }), 5);
      assert.equal(await other.count("a", { by: -2, ...LONG }), 3);
      assert.equal(await one.count("a", { by: 0, ...LONG }), 3);
      assert.equal(await one.count("a", { by: -9, ...LONG }), 0);
      assert.equal(await other.count("a", { by: 1, ...LONG }), 1);
    },
  },
  {
    name: "a counter ends when its first time is over, however often it was added to",
    run: async ({ one, other }) => {
      await one.count("a", { by: 1, ttlMs: 400 });
      assert.ok(await other.count("a", { by: 1, ...LONG }) <= 2);
      await pass(800);
      assert.equal(await one.count("a", { by: 1, ...LONG }), 1);
    },
  },
];

/** Registers a test for every clause of the contract. */
export function cacheSuite({ name, create, ignore = false }: CacheSuite): void {
  for (const clause of CACHE_CLAUSES) {
    Deno.test({
      name: `${name}: ${clause.name}`,
      ignore,
      fn: async () => {
        const caches = await create();
        try {
          await clause.run(caches);
        } finally {
          await caches[Symbol.asyncDispose]?.();
        }
      },
    });
  }
}

async function read(cache: Cache, key: string): Promise<string | undefined> {
  const value = await cache.get(key);
  return value && new TextDecoder().decode(value.bytes);
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
