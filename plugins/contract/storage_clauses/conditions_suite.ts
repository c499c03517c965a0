/**
 * Clauses on callers that meet: of many at most one succeeds, and neighbours are not disturbed.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Storage } from "../storage.ts";
import {
  all,
  bytesOf,
  equal,
  filled,
  getText,
  onlyWinner,
  put,
  rejects,
  type StorageClause,
  times,
} from "./trial_suite.ts";

/** Clauses on callers that meet: of many at most one succeeds, and neighbours are not disturbed. */
export const CONDITIONS: readonly StorageClause[] = [
  {
    name: "put, move and delete do the same, on the same conditions, where they need not last",
    run: async (storage) => {
      const lasting = false;
      await put(storage, "a", "one", { lasting });
      await rejects(put(storage, "a", "two", { ifAbsent: true, lasting }), "conflict");
      await rejects(storage.delete("a", { ifMatch: "another", lasting }), "conflict");
      assert.deepEqual(
        [await storage.move("a", "b", { lasting }), await storage.move("a", "c", { lasting })],
        [
          true,
          false,
        ],
      );
      assert.equal(await getText(storage, "b"), "one");
      const etag = (await storage.get("b"))!.etag;
      assert.equal(await storage.delete("b", { ifMatch: etag, lasting }), true);
      assert.deepEqual(await all(storage), []);
    },
  },
  {
    name: "put(ifAbsent) creates, and conflicts with what exists, which stays",
    run: async (storage) => {
      await put(storage, "a", "first", { ifAbsent: true });
      await rejects(put(storage, "a", "second", { ifAbsent: true }), "conflict");
      await rejects(put(storage, "a", "", { ifAbsent: true }), "conflict");
      assert.equal(await getText(storage, "a"), "first");
      await storage.append("grown", 0, bytesOf());
      await rejects(put(storage, "grown", "x", { ifAbsent: true }), "conflict");
    },
  },
  {
    name: "put(ifAbsent) succeeds for exactly one of many at once",
    run: async (storage) => {
      for (const [key, size] of [["a/b", 0], ["a/c", 1], ["d", 70_000]] as const) {
        const results = await Promise.allSettled(
          times(24, (index) => storage.put(key, filled(index, size), { ifAbsent: true })),
        );
        const winner = onlyWinner(results);
        assert.ok(equal((await storage.get(key))?.bytes, filled(winner, size)));
      }
    },
  },
  {
    name: "put(ifMatch) replaces the object that has the etag, and conflicts with another and with none",
    run: async (storage) => {
      const { etag } = await put(storage, "a", "one");
      await put(storage, "a", "two", { ifMatch: etag });
      await rejects(put(storage, "a", "three", { ifMatch: etag }), "conflict");
      await rejects(put(storage, "none", "x", { ifMatch: etag }), "conflict");
      assert.deepEqual([await getText(storage, "a"), await all(storage)], ["two", ["a"]]);
    },
  },
  {
    name: "put(ifMatch) succeeds for exactly one of many at once",
    run: async (storage) => {
      let { etag } = await put(storage, "a", "start");
      for (const round of [1, 2, 3]) {
        const results = await Promise.allSettled(
          times(16, (index) => put(storage, "a", `${round} ${index}`, { ifMatch: etag })),
        );
        assert.equal(await getText(storage, "a"), `${round} ${onlyWinner(results)}`);
        etag = (await storage.get("a"))!.etag;
      }
    },
  },
  {
    name: "move() succeeds for exactly one of many at once, where it is one step",
    run: async (storage) => {
      await put(storage, "from", "x");
      const moved = await Promise.all(times(12, (index) => storage.move("from", `to/${index}`)));
      requireWinners(moved, await isOneStep(storage));
      const targets = moved.flatMap((isMoved, index) => isMoved ? [`to/${index}`] : []);
      assert.deepEqual(await all(storage), targets.toSorted());
    },
  },
  {
    name: "delete(ifMatch) removes the object that has the etag, and conflicts with another",
    run: async (storage) => {
      const { etag } = await put(storage, "a", "one");
      await put(storage, "a", "two");
      await rejects(storage.delete("a", { ifMatch: etag }), "conflict");
      assert.equal(await getText(storage, "a"), "two");
      assert.equal(await storage.delete("a", { ifMatch: (await storage.get("a"))!.etag }), true);
      assert.equal(await storage.delete("a", { ifMatch: etag }), false);
    },
  },
  {
    name: "delete() succeeds for exactly one of many at once, where changes are one step",
    run: async (storage) => {
      await put(storage, "a/b", "x");
      const deleted = await Promise.all(times(12, () => storage.delete("a/b")));
      requireWinners(deleted, await isOneStep(storage));
      assert.deepEqual(await all(storage), []);
    },
  },
  {
    name: "put() and delete() of neighbours at once disturb no neighbour",
    run: async (storage) => {
      const churn = async (index: number) => {
        const key = `deep/er/${index % 4}/${index}`;
        for (let round = 0; round < 12; round++) {
          await put(storage, key, round % 2 === 0 ? "" : "some");
          assert.ok(await storage.stat(key));
          assert.equal(await storage.delete(key), true);
        }
        if (index % 2 === 0) await put(storage, key, "stays");
      };
      await Promise.all(times(16, churn));
      const stay = times(16, (index) => `deep/er/${index % 4}/${index}`).filter((_, index) =>
        index % 2 === 0
      );
      assert.deepEqual(await all(storage), stay.sort());
    },
  },
];

async function isOneStep(storage: Storage): Promise<boolean> {
  return (await storage.features?.())?.moveMs === 0 || storage.features === undefined;
}

function requireWinners(results: readonly boolean[], isOneStep: boolean): void {
  const winners = results.filter(Boolean).length;
  assert.ok(isOneStep ? winners === 1 : winners >= 1, `${winners} succeeded`);
}
