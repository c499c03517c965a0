/**
 * Clauses on streams: `open`, `append` and `locate`.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Bytes, Storage } from "../storage.ts";
import {
  all,
  bytesOf,
  collect,
  encode,
  equal,
  filled,
  getText,
  MemoryWatch,
  MIB,
  put,
  random,
  rejects,
  type StorageClause,
  times,
} from "./trial_suite.ts";

const LARGE_CHUNK_BYTES = 256 * 1024;
/** Well below the object, and above what the runtime has not collected yet. */
const MEMORY_GROWTH_MAX = 96 * MIB;

/** Offsets and lengths in an object of 700,000 bytes. */
const SPANS = [[0, 0], [5, 0], [700_000, 0], [0, 1], [699_999, 1], [0, 700_000], [300_001, 70_003]] as const;

/** Clauses on streams: `open`, `append` and `locate`. */
export const STREAMS: readonly StorageClause[] = [
  {
    name: "open() answers facts of the whole and the bytes of a span: none, some, all",
    run: async (storage) => {
      const bytes = random(700_000);
      await storage.append("a", 0, bytesOf(bytes.slice()));
      for (const [offset, length] of SPANS) {
        const opened = await storage.open("a", { offset, length });
        assert.equal(opened?.size, 700_000);
        const body = await collect(opened!.body);
        assert.ok(equal(body, bytes.subarray(offset, offset + length)), `bytes ${offset}+${length}`);
      }
    },
  },
  {
    name: "open() goes on with the bytes that it began with, whatever becomes of the object",
    run: async (storage) => {
      const bytes = random(4 * MIB);
      await storage.put("a", bytes.slice());
      await storage.put("b", bytes.slice());
      const [a, b] = [await storage.open("a"), await storage.open("b")];
      await Promise.all([put(storage, "a", "new"), storage.delete("b")]);
      assert.ok(equal(await collect(a!.body), bytes));
      assert.ok(equal(await collect(b!.body), bytes));
    },
  },
  {
    name: "open() may be cancelled anywhere",
    run: async (storage) => {
      await storage.put("a", random(2 * MIB));
      for (let round = 0; round < 20; round++) await (await storage.open("a"))!.body.cancel();
      const reader = (await storage.open("a"))!.body.getReader();
      await reader.read();
      await reader.cancel();
      assert.equal(await storage.delete("a"), true);
    },
  },
  {
    name: "append() creates, grows and answers the length",
    run: async (storage) => {
      assert.equal((await storage.append("a/b", 0, bytesOf(encode("one, "), encode("two, ")))).size, 10);
      assert.equal((await storage.append("a/b", 10, bytesOf(encode("three")))).size, 15);
      assert.equal((await storage.stat("a/b"))?.size, 15);
      assert.equal(await getText(storage, "a/b"), "one, two, three");
    },
  },
  {
    name: "append() of an empty body creates an object, and changes none that exists",
    run: async (storage) => {
      assert.equal((await storage.append("a", 0, bytesOf())).size, 0);
      assert.deepEqual([(await storage.stat("a"))?.size, await all(storage)], [0, ["a"]]);
      await storage.append("a", 0, bytesOf(encode("x")));
      assert.equal((await storage.append("a", 1, bytesOf())).size, 1);
    },
  },
  {
    name: "append() at another offset than the length conflicts and writes nothing",
    run: async (storage) => {
      await rejects(storage.append("none", 1, bytesOf(encode("x"))), "conflict");
      await storage.append("a", 0, bytesOf(encode("12345")));
      for (const offset of [0, 4, 6, 1_000_000]) {
        await rejects(storage.append("a", offset, bytesOf(encode("x"))), "conflict");
      }
      assert.deepEqual([await getText(storage, "a"), await all(storage)], ["12345", ["a"]]);
    },
  },
  {
    name: "append() that creates nothing conflicts where nothing is, and grows what is there, empty or not",
    run: async (storage) => {
      const mustExist = true;
      await rejects(storage.append("a", 0, bytesOf(encode("x")), { mustExist }), "conflict");
      assert.equal(await storage.stat("a"), undefined);
      await storage.put("a", new Uint8Array(0));
      assert.equal((await storage.append("a", 0, bytesOf(encode("one ")), { mustExist })).size, 4);
      assert.equal((await storage.append("a", 4, bytesOf(encode("two")), { mustExist })).size, 7);
      assert.equal(await getText(storage, "a"), "one two");
      await storage.delete("a");
      await rejects(storage.append("a", 0, bytesOf(encode("x")), { mustExist }), "conflict");
      await rejects(storage.append("a", 7, bytesOf(encode("x")), { mustExist }), "conflict");
      assert.equal(await storage.stat("a"), undefined);
    },
  },
  {
    name: "append() keeps what had arrived when the body fails, and goes on from there",
    run: async (storage) => {
      async function* failing() {
        yield encode("arrived ");
        await Promise.resolve();
        throw new Error("the client went away");
      }
      await assert.rejects(storage.append("a", 0, ReadableStream.from(failing()) as Bytes));
      assert.equal(await getText(storage, "a"), "arrived ");
      assert.equal((await storage.append("a", 8, bytesOf(encode("later")))).size, 13);
      assert.equal(await getText(storage, "a"), "arrived later");
    },
  },
  {
    name: "append() to many objects at once mixes nothing up",
    run: async (storage) => {
      const grow = async (index: number) => {
        for (let part = 0; part < 5; part++) {
          await storage.append(
            `up/${index}`,
            part * 30_000,
            bytesOf(filled(index, 10_000), filled(index, 20_000)),
          );
        }
        assert.ok(equal((await storage.get(`up/${index}`))?.bytes, filled(index, 150_000)));
      };
      await Promise.all(times(16, grow));
    },
  },
  {
    name: "append(), move() and open() pass a large object in memory that does not grow with it",
    run: async (storage, { largeBytes }) => {
      // The first pass makes room for what the runtime has not collected yet.
      await passLarge(storage, { key: "first", largeBytes, memory: new MemoryWatch() });
      const memory = new MemoryWatch();
      await passLarge(storage, { key: "second", largeBytes, memory });
      assert.ok(memory.growth() < MEMORY_GROWTH_MAX, `memory grew by ${memory.growth() / MIB} MiB`);
    },
  },
  {
    name: "locate(), where it answers a file, answers one that holds the object's bytes",
    run: async (storage) => {
      if (!storage.locate) return;
      await put(storage, "Some/Key", "hello");
      const read = await storage.locate("Some/Key", "read");
      if (!read || !("file" in read)) return;
      assert.equal(await storage.locate("none", "read"), undefined);
      assert.deepEqual(await all(storage), ["Some/Key"]);
      assert.equal(await Deno.readTextFile(read.file), "hello");
      const append = await storage.locate("up/1", "append");
      assert.ok(append && "file" in append);
      assert.equal((await storage.stat("up/1"))?.size, 0);
      await Deno.writeTextFile(append.file, "grown", { append: true, create: false });
      assert.equal(await getText(storage, "up/1"), "grown");
      assert.deepEqual(await storage.locate("up/1", "append"), append);
      assert.equal((await storage.stat("up/1"))?.size, 5);
    },
  },
];

interface LargePass {
  readonly key: string;
  readonly largeBytes: number;
  readonly memory: MemoryWatch;
}

/** Writes and reads an object that is never whole in memory here. */
async function passLarge(storage: Storage, { key, largeBytes, memory }: LargePass): Promise<void> {
  async function* chunks() {
    for (let index = 0; index < largeBytes / LARGE_CHUNK_BYTES; index++) {
      await memory.look();
      yield filled(index, LARGE_CHUNK_BYTES);
    }
  }
  const { size } = await storage.append("up", 0, ReadableStream.from(chunks()) as Bytes);
  assert.equal(size, largeBytes);
  assert.equal(await storage.move("up", key), true);
  let offset = 0;
  for await (const chunk of (await storage.open(key))!.body) {
    await memory.look();
    assert.equal(chunk[0], Math.floor(offset / LARGE_CHUNK_BYTES) & 255);
    offset += chunk.length;
    assert.equal(chunk.at(-1), Math.floor((offset - 1) / LARGE_CHUNK_BYTES) & 255);
  }
  assert.equal(offset, largeBytes);
}
