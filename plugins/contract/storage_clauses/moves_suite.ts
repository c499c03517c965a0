/**
 * Clauses on what `move` and `delete` leave behind.
 *
 * @module
 */

import assert from "node:assert/strict";
import { all, bytesOf, encode, getText, put, type StorageClause, text } from "./trial_suite.ts";

/** Clauses on what `move` and `delete` leave behind. */
export const MOVES: readonly StorageClause[] = [
  {
    name: "move() renames an object",
    run: async (storage) => {
      await storage.append("up/1", 0, bytesOf(encode("hello")));
      assert.equal(await storage.move("up/1", "blobs/aa/1"), true);
      assert.equal(await getText(storage, "blobs/aa/1"), "hello");
      assert.deepEqual([await storage.stat("up/1"), await all(storage)], [undefined, ["blobs/aa/1"]]);
    },
  },
  {
    name: "move() replaces what was there",
    run: async (storage) => {
      const before = await put(storage, "to", "old");
      await put(storage, "from", "new");
      assert.equal(await storage.move("from", "to"), true);
      const value = await storage.get("to");
      assert.deepEqual([value && text(value.bytes), await all(storage)], ["new", ["to"]]);
      assert.notEqual(value?.etag, before.etag);
    },
  },
  {
    name: "move() of nothing answers false and leaves what was there",
    run: async (storage) => {
      await put(storage, "to", "stays");
      assert.equal(await storage.move("none", "to"), false);
      assert.equal(await storage.move("none", "x/y"), false);
      assert.deepEqual([await getText(storage, "to"), await all(storage)], ["stays", ["to"]]);
    },
  },
  {
    name: "move({ ifSize }) leaves an object of another size where it is",
    run: async (storage) => {
      await storage.append("up/1", 0, bytesOf(encode("hello")));
      await assert.rejects(storage.move("up/1", "to", { ifSize: 4 }), { code: "conflict" });
      assert.deepEqual(await all(storage), ["up/1"]);
      assert.equal(await storage.move("up/1", "to", { ifSize: 5 }), true);
      assert.deepEqual([await getText(storage, "to"), await all(storage)], ["hello", ["to"]]);
      assert.equal(await storage.move("up/1", "to", { ifSize: 5 }), false);
    },
  },
  {
    name:
      "move({ ifMatch }) leaves an object in another state where it is, where the store tells states apart",
    run: async (storage) => {
      const first = await storage.append("up/1", 0, bytesOf(encode("hello")));
      if (first.etag === undefined) return;
      assert.equal((await storage.stat("up/1"))?.etag, first.etag);
      await storage.delete("up/1");
      const second = await storage.append("up/1", 0, bytesOf(encode("olleh")));
      assert.notEqual(second.etag, first.etag);
      const condition = { ifSize: 5, ifMatch: first.etag };
      await assert.rejects(storage.move("up/1", "to", condition), { code: "conflict" });
      assert.deepEqual(await all(storage), ["up/1"]);
      assert.equal(await storage.move("up/1", "to", { ...condition, ifMatch: second.etag! }), true);
      assert.equal(await getText(storage, "to"), "olleh");
    },
  },
  {
    name: "append() and move() make the time of modification new",
    run: async (storage) => {
      await Promise.all([put(storage, "a", "1"), put(storage, "b", "2"), put(storage, "c", "3")]);
      // Some stores count in whole seconds.
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      const nowMs = Date.now();
      await Promise.all([
        storage.append("a", 1, bytesOf(encode("x"))),
        storage.move("b", "d"),
        put(storage, "c", "3"),
      ]);
      for (const key of ["a", "d", "c"]) {
        const { modifiedAtMs } = (await storage.stat(key))!;
        assert.ok(Math.abs(modifiedAtMs - nowMs) < 1_500, `${key}: ${modifiedAtMs} is not about ${nowMs}`);
      }
      assert.equal((await storage.get("c"))?.modifiedAtMs, (await storage.stat("c"))?.modifiedAtMs);
    },
  },
  {
    name: "delete() removes an object and answers whether there was one",
    run: async (storage) => {
      await Promise.all([put(storage, "a/b", "1"), put(storage, "a/c", "2")]);
      assert.equal(await storage.delete("a/b"), true);
      assert.deepEqual([await storage.stat("a/b"), await all(storage)], [undefined, ["a/c"]]);
      assert.equal(await storage.delete("a/b"), false);
      assert.equal(await storage.delete("a"), false);
      assert.equal(await storage.delete("a/c/d"), false);
      assert.deepEqual(await all(storage), ["a/c"]);
    },
  },
];
