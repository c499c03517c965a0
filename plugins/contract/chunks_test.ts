import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { chunksWithin } from "./chunks.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** A body of these chunks, after which it stands still. */
function standing(chunks: readonly Chunk[]) {
  const left = [...chunks];
  const state = { isCancelled: false };
  const body = new ReadableStream<Chunk>({
    async pull(controller) {
      const chunk = left.shift();
      if (chunk) controller.enqueue(chunk);
      else await new Promise(() => {});
    },
    cancel() {
      state.isCancelled = true;
    },
  }, { highWaterMark: 0 });
  return { body, state };
}

Deno.test("chunksWithin() answers what comes, and fails where no more comes in time", async () => {
  const { body, state } = standing([new Uint8Array([1]), new Uint8Array([2, 3])]);
  const seen: Chunk[] = [];
  const reading = async () => {
    for await (const chunk of chunksWithin(body, () => 50)) seen.push(chunk);
  };
  await assertRejects(reading, DOMException, "in time");
  assertEquals(seen.map((chunk) => [...chunk]), [[1], [2, 3]]);
  assert(state.isCancelled, "the body was not cancelled");
});

Deno.test("chunksWithin() cancels what is not read to its end, and passes failures on", async () => {
  const { body, state } = standing([new Uint8Array([1])]);
  for await (const _ of chunksWithin(body, () => 1_000)) break;
  assert(state.isCancelled, "the body was not cancelled");
  const failing = new ReadableStream<Chunk>({
    start: (controller) => controller.error(new TypeError("cut")),
  });
  await assertRejects(async () => {
    for await (const _ of chunksWithin(failing, () => 1_000));
  }, TypeError);
});
