import { assert, assertEquals } from "../../../tests/support/assert.ts";
import type { Bytes } from "../../contract/storage.ts";
import type { Bucket } from "./bucket.ts";
import { joinChunks } from "./chunks.ts";
import type { Copies } from "./copies.ts";
import { NOTHING_GROWN } from "./growth.ts";
import { GrowingObjects, type ReadGrowth } from "./growing.ts";

const KIB = 1024;
const NOTHING: ReadGrowth = { growth: NOTHING_GROWN, etag: undefined, note: undefined };

/** Objects that grow in a bucket that takes whatever is put. */
function openGrowing(): GrowingObjects {
  let etags = 0;
  const bucket = { put: () => Promise.resolve(`"${++etags}"`) } as unknown as Bucket;
  const settings = { asidePrefix: ":aside/", partSize: 5 * KIB * KIB, conditions: true };
  return new GrowingObjects(bucket, {} as Copies, settings);
}

function bodyOf(...chunks: Uint8Array<ArrayBuffer>[]): Bytes {
  return ReadableStream.from(chunks) as Bytes;
}

Deno.test("append() remembers what was appended in memory of about its length, however short the pieces were", async () => {
  const growing = openGrowing();
  for (const [length, count] of [[1, 200], [100 * KIB, 20]] as const) {
    const key = `of ${length}`;
    for (let at = 0; at < count; at++) {
      const before = growing.recall(key, at * length) ?? NOTHING;
      const body = bodyOf(new Uint8Array(length).fill(at));
      assertEquals((await growing.append(key, before, { body, noteBytes: 0 })).size, (at + 1) * length);
    }
    const { rest } = growing.recall(key, count * length)!.growth;
    const held = new Set(rest.map(({ buffer }) => buffer));
    const bytes = [...held].reduce((sum, { byteLength }) => sum + byteLength, 0);
    assert(bytes <= 2 * count * length, `${bytes} bytes are held`);
    const whole = joinChunks(rest);
    assertEquals([whole.length, whole.every((byte, at) => byte === Math.floor(at / length))], [
      count * length,
      true,
    ]);
  }
});
