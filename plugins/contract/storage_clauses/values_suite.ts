/**
 * Clauses on values: `stat`, `get`, `put` and the form of keys.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isKey, VALUE_BYTES_MAX } from "../storage.ts";
import {
  all,
  bytesOf,
  equal,
  filled,
  getText,
  openText,
  put,
  random,
  rejects,
  type StorageClause,
  text,
} from "./trial_suite.ts";

/** Clauses on values: `stat`, `get`, `put` and the form of keys. */
export const VALUES: readonly StorageClause[] = [
  {
    name: "stat(), get() and open() answer undefined where there is no object",
    run: async (storage) => {
      await put(storage, "here/a", "1");
      for (const key of ["gone", "here/b", "here/a/b", "here"]) {
        assert.deepEqual([await storage.stat(key), await storage.get(key), await storage.open(key)], [
          undefined,
          undefined,
          undefined,
        ]);
      }
    },
  },
  {
    name: "put() creates an object that stat(), get(), open() and list() see at once",
    run: async (storage) => {
      const { etag } = await put(storage, "a/b/c", "hello");
      assert.equal((await storage.stat("a/b/c"))?.size, 5);
      const value = await storage.get("a/b/c");
      assert.deepEqual([value && text(value.bytes), value?.size, value?.etag], ["hello", 5, etag]);
      assert.equal(await openText(storage, "a/b/c"), "hello");
      assert.deepEqual(await all(storage), ["a/b/c"]);
    },
  },
  {
    name: "put() replaces an object, whose etag changes with its bytes",
    run: async (storage) => {
      const first = await put(storage, "a", "one, which is longer");
      const second = await put(storage, "a", "two");
      assert.notEqual(first.etag, second.etag);
      const value = await storage.get("a");
      assert.deepEqual([value && text(value.bytes), value?.etag], ["two", second.etag]);
    },
  },
  {
    name: "put() takes no bytes and takes them over some",
    run: async (storage) => {
      await put(storage, "a", "");
      assert.deepEqual([await getText(storage, "a"), (await storage.stat("a"))?.size], ["", 0]);
      await put(storage, "a", "some");
      await put(storage, "a", "");
      assert.deepEqual([await getText(storage, "a"), await openText(storage, "a")], ["", ""]);
    },
  },
  {
    name: "put() and get() take 8 MiB and fail with a byte more, which leaves nothing",
    run: async (storage) => {
      const largest = random(VALUE_BYTES_MAX);
      await storage.put("largest", largest.slice());
      assert.ok(equal((await storage.get("largest"))?.bytes, largest));
      await rejects(storage.put("more", new Uint8Array(VALUE_BYTES_MAX + 1)), "failed");
      assert.deepEqual(await all(storage), ["largest"]);
      await storage.append("grown", 0, bytesOf(largest.slice(), new Uint8Array(1)));
      await rejects(storage.get("grown"), "failed");
      assert.equal((await storage.stat("grown"))?.size, VALUE_BYTES_MAX + 1);
    },
  },
  {
    name: "get() answers bytes that are the caller's to change",
    run: async (storage) => {
      await put(storage, "a", "hello");
      (await storage.get("a"))!.bytes.fill(0);
      assert.equal(await getText(storage, "a"), "hello");
    },
  },
  {
    name: "put() is atomic: who reads meanwhile gets one of the whole values",
    run: async (storage) => {
      const values = [filled(1, 70_000), filled(2, 300_000)];
      await storage.put("a", values[0]!.slice());
      let writing = true;
      const write = async () => {
        for (let index = 0; index < 40; index++) await storage.put("a", values[index % 2]!.slice());
        writing = false;
      };
      const read = async () => {
        while (writing) {
          // A plugin in this process must get the turn that its writing needs.
          await new Promise((resolve) => setTimeout(resolve));
          const value = await storage.get("a");
          assert.ok(values.some((whole) => equal(value?.bytes, whole)), "a torn value");
          assert.equal(value?.size, value?.bytes.length);
        }
      };
      await Promise.all([write(), read(), read(), read()]);
    },
  },
  {
    name: "keys may be as long and as strange as keys may be, and differ by case alone",
    run: async (storage) => {
      const long = `${"d/".repeat(384)}${"k".repeat(255)}`;
      const keys = [
        long,
        "n".repeat(255),
        "!#$&'()+,-.0;=@A[]^_`a{}~",
        "Case",
        "case",
        "CASE/x",
        "cAse/x",
        "...",
        ".a",
        "a..",
        "-",
      ];
      for (const key of keys) assert.ok(isKey(key), key);
      for (const key of keys) await put(storage, key, key);
      for (const key of keys) assert.equal(await getText(storage, key), key);
      assert.deepEqual(await all(storage), keys.toSorted());
    },
  },
];
