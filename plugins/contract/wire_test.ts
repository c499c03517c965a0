import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { PluginError } from "./error.ts";
import type { Bytes, Storage } from "./storage.ts";
import { type ChannelEvents, FRAME, type Frame, STREAM_CREDITS } from "./wire.ts";
import { encodeFrame, FrameReader } from "./wire_frames.ts";
import { WireGuest } from "./wire_guest.ts";
import { WireHost, type WireLimits } from "./wire_host.ts";
import { STORAGE_WIRE } from "./wire_storage.ts";

const LIMITS: WireLimits = { startMs: 200, callMs: 200, heartbeatMs: 20, hungMs: 100_000 };

interface Line extends AsyncDisposable {
  readonly host: WireHost;
  /** What crossed, in order. */
  readonly frames: Frame[];
  /** Tells the host something, as a guest might. */
  say(frame: unknown): void;
  /** Why the connection ended by itself. */
  readonly ended: Promise<string>;
}

/** A host, and what serves it: a storage, or a guest that does as `react` says. */
async function openLine(
  served: Partial<Storage> | ((frame: Frame, say: (frame: unknown) => void) => void),
  limits: Partial<WireLimits> = {},
): Promise<Line> {
  const frames: Frame[] = [];
  const ended = Promise.withResolvers<string>();
  let events!: ChannelEvents;
  const say = (frame: unknown) => queueMicrotask(() => events.frame(structuredClone(frame)));
  const guest = typeof served === "function" ? undefined : new WireGuest({
    contract: served,
    methods: STORAGE_WIRE,
    post: (frame) => {
      frames.push(frame);
      say(frame);
    },
  });
  const react = guest
    ? (frame: Frame) => guest.receive(frame)
    : (frame: Frame) => (served as (frame: Frame, say: (frame: unknown) => void) => void)(frame, say);
  const host = new WireHost({
    title: "the plugin",
    methods: STORAGE_WIRE,
    limits: { ...LIMITS, ...limits },
    open: (given) => {
      events = given;
      const post = (frame: Frame) => {
        if (frame[0] !== FRAME.ping) frames.push(frame);
        queueMicrotask(() => react(structuredClone(frame)));
      };
      return { post, close: () => Promise.resolve() };
    },
    onLog: () => {},
    onEnd: (reason) => ended.resolve(reason),
  });
  const starting = host.start({});
  say([FRAME.answer, 0, Object.keys(STORAGE_WIRE)]);
  await starting;
  frames.length = 0;
  return { host, frames, say, ended: ended.promise, [Symbol.asyncDispose]: () => host.close() };
}

function chunks(...sizes: number[]): Bytes {
  return new ReadableStream({
    start(controller) {
      for (const size of sizes) controller.enqueue(new Uint8Array(size).fill(size));
      controller.close();
    },
  });
}

/** A stream without end that counts what was taken of it. */
function endless(
  size: number,
): { readonly body: Bytes; taken: number; readonly cancelled: Promise<unknown> } {
  const cancelled = Promise.withResolvers<unknown>();
  const body: Bytes = new ReadableStream({
    pull(controller) {
      counted.taken++;
      controller.enqueue(new Uint8Array(size));
    },
    cancel: (reason) => cancelled.resolve(reason),
  }, { highWaterMark: 0 });
  const counted = { body, taken: 0, cancelled: cancelled.promise };
  return counted;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("a call brings its arguments there and its answer back", async () => {
  const calls: unknown[] = [];
  await using line = await openLine({
    put: (...args) => {
      calls.push(args);
      return Promise.resolve({ etag: "e" });
    },
  });
  const bytes = new Uint8Array([1, 2]);
  assertEquals(await line.host.call("put", ["a/b", bytes, { ifAbsent: true }]), { etag: "e" });
  assertEquals(calls, [["a/b", bytes, { ifAbsent: true }]]);
  assertEquals(line.frames, [
    [FRAME.call, 1, ["put", "a/b", null, { ifAbsent: true }], bytes],
    [FRAME.answer, 1, { etag: "e" }],
  ]);
});

Deno.test("answers find their calls in whatever order they come", async () => {
  const waiting: ((facts: { size: number; modifiedAtMs: number }) => void)[] = [];
  await using line = await openLine({ stat: () => new Promise((resolve) => waiting.push(resolve)) });
  const calls = [0, 1, 2].map((index) => line.host.call("stat", [`${index}`]));
  await turns(1);
  for (const index of [2, 0, 1]) waiting[index]!({ size: index, modifiedAtMs: 0 });
  assertEquals(await Promise.all(calls), [0, 1, 2].map((size) => ({ size, modifiedAtMs: 0 })));
});

Deno.test("an answer holds what the contract says and nothing besides", async () => {
  await using line = await openLine({
    stat: () => Promise.resolve({ size: 1, modifiedAtMs: 2, secret: "s", __proto__: { evil: 1 } }),
  });
  assertEquals(await line.host.call("stat", ["a"]), { size: 1, modifiedAtMs: 2 });
});

Deno.test("a method that is not in the contract is not called, even if the plugin has it", () => {
  let called = false;
  const contract = { evict: () => void (called = true) };
  const posted: Frame[] = [];
  const guest = new WireGuest({ contract, methods: STORAGE_WIRE, post: (frame) => posted.push(frame) });
  guest.receive([FRAME.call, 1, ["evict"]]);
  guest.receive([FRAME.call, 2, ["constructor"]]);
  assertEquals(posted, [
    [FRAME.failure, 1, ["failed", "no method evict"]],
    [FRAME.failure, 2, ["failed", "no method constructor"]],
  ]);
  assertEquals([called, guest.methods], [false, []]);
});

Deno.test("a stream that is sent never runs ahead of its reader by more than its credit", async () => {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const done = Promise.withResolvers<void>();
  await using line = await openLine({
    append: async (_key, _offset, body) => {
      reader = body.getReader();
      await done.promise;
      await reader.cancel();
      return { size: 1 };
    },
  });
  const source = endless(10);
  const call = line.host.call("append", ["a", 0, source.body]);
  await turns(5);
  // One more has been read from the source, and waits for credit.
  assertEquals(source.taken, STREAM_CREDITS + 1);
  await reader!.read();
  await turns(5);
  assertEquals(source.taken, STREAM_CREDITS + 2);
  done.resolve();
  assertEquals(await call, { size: 1 });
  await source.cancelled;
});

Deno.test("a stream that is answered never runs ahead of its reader by more than its credit, and ends when cancelled", async () => {
  const source = endless(10);
  await using line = await openLine({
    open: () => Promise.resolve({ size: 1e6, modifiedAtMs: 1, body: source.body }),
  });
  const { body } = await line.host.call("open", ["a"]) as { body: Bytes };
  await turns(5);
  assertEquals(source.taken, STREAM_CREDITS + 1);
  await body.cancel();
  await source.cancelled;
});

Deno.test("streams bring every byte in order, whatever the chunks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 600_000 }), { maxLength: 12 }), async (sizes) => {
      const expected = await new Response(chunks(...sizes)).bytes();
      let arrived = new Uint8Array();
      await using line = await openLine({
        append: async (_key, _offset, body) => {
          arrived = await new Response(body).bytes();
          return { size: arrived.length };
        },
        open: () => Promise.resolve({ size: expected.length, modifiedAtMs: 1, body: chunks(...sizes) }),
      });
      assertEquals(await line.host.call("append", ["a", 0, chunks(...sizes)]), { size: expected.length });
      assert(arrived.every((byte, index) => byte === expected[index]));
      const { body } = await line.host.call("open", ["a"]) as { body: Bytes };
      const opened = await new Response(body).bytes();
      assertEquals(opened.length, expected.length);
      assert(opened.every((byte, index) => byte === expected[index]));
    }),
    { numRuns: 25 },
  );
});

Deno.test("a source that breaks fails the plugin's stream after what had arrived, and the call with the source's error", async () => {
  const seen: unknown[] = [];
  await using line = await openLine({
    append: async (_key, _offset, body) => {
      const reader = body.getReader();
      seen.push((await reader.read()).value?.length);
      await reader.read().catch((error) => seen.push(error.code));
      return { size: 3 };
    },
  });
  const gone = new Error("gone");
  let pulls = 0;
  const body: Bytes = new ReadableStream({
    pull: (controller) => pulls++ === 0 ? controller.enqueue(new Uint8Array(3)) : controller.error(gone),
  }, { highWaterMark: 0 });
  await assertRejects(line.host.call("append", ["a", 0, body]), gone);
  assertEquals(seen, [3, "failed"]);
});

Deno.test("a call that is not answered in time fails, and the plugin is told that nobody waits", async () => {
  await using line = await openLine(() => {});
  await assertRejects(line.host.call("stat", ["a"]), {
    code: "unavailable",
    message: "Cannot stat: the plugin did not answer in time",
  });
  assertEquals(line.frames, [[FRAME.call, 1, ["stat", "a"]], [FRAME.cancel, 1]]);
});

Deno.test("append() may take as long as its source does", async () => {
  await using line = await openLine({
    append: async (_key, _offset, body) => ({ size: (await new Response(body).bytes()).length }),
  });
  let left = 4;
  const body: Bytes = new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 120));
      controller.enqueue(new Uint8Array(1));
      if (--left === 0) controller.close();
    },
  });
  assertEquals(await line.host.call("append", ["a", 0, body]), { size: 4 });
});

Deno.test("append() of a plugin that reads no further fails in time, and ends its source", async () => {
  await using line = await openLine({ append: () => new Promise(() => {}) });
  const source = endless(10);
  await assertRejects(line.host.call("append", ["a", 0, source.body]), { code: "unavailable" });
  await source.cancelled;
});

Deno.test("everything under way fails at once when the connection ends, and so does what follows", async () => {
  const source = endless(10);
  const line = await openLine({
    open: () => Promise.resolve({ size: 1, modifiedAtMs: 1, body: endless(10).body }),
    append: () => new Promise(() => {}),
    stat: () => new Promise(() => {}),
  });
  const { body } = await line.host.call("open", ["a"]) as { body: Bytes };
  const calls = [line.host.call("stat", ["a"]), line.host.call("append", ["a", 0, source.body])];
  const outcomes = Promise.allSettled(calls);
  line.host.end("crashed");
  const failed = (name: string) => ({ code: "unavailable", message: `Cannot ${name}: the plugin crashed` });
  for (const [index, name] of ["stat", "append"].entries()) {
    const { reason } = (await outcomes)[index] as PromiseRejectedResult;
    assertEquals({ code: reason.code, message: reason.message }, failed(name));
  }
  await assertRejects(new Response(body).bytes(), failed("read"));
  await assertRejects(line.host.call("stat", ["a"]), failed("stat"));
  await source.cancelled;
  assertEquals(await line.ended, "crashed");
});

const VIOLATIONS: readonly (readonly [what: string, frames: readonly unknown[], reason: RegExp])[] = [
  ["a text", ["hello"], /no frame/],
  ["nothing", [undefined], /no frame/],
  ["an object", [{ 0: 4, 1: 1 }], /no frame/],
  ["an id that is no number", [[FRAME.answer, "1"]], /no frame/],
  ["bytes that are none", [[FRAME.chunk, 1, undefined, "bytes"]], /no frame/],
  ["a type that is not", [[1000, 1]], /unknown type 1000/],
  ["a frame that only the host sends", [[FRAME.call, 1, ["stat", "a"]]], /unknown type 1/],
  ["many answers to nobody", Array.from({ length: 1_001 }, () => [FRAME.answer, 77, 1]), /flooded/],
  ["many lines for the log", Array.from({ length: 1_001 }, () => [FRAME.log, 0, ["info", "a"]]), /flooded/],
];

for (const [what, frames, reason] of VIOLATIONS) {
  Deno.test(`a plugin that sends ${what} is ended`, async () => {
    await using line = await openLine(() => {});
    for (const frame of frames) line.say(frame);
    assert(reason.test(await line.ended), await line.ended);
  });
}

Deno.test("a plugin that sends more of a stream than it has credit for is ended", async () => {
  await using line = await openLine(([type, id], say) => {
    if (type !== FRAME.call) return;
    say([FRAME.answer, id, { size: 1, modifiedAtMs: 1 }]);
    for (let count = 0; count <= STREAM_CREDITS; count++) {
      say([FRAME.chunk, id, undefined, new Uint8Array(1)]);
    }
  });
  await line.host.call("open", ["a"]);
  assertEquals(await line.ended, "sent more of a stream than it had credit for");
});

Deno.test("a stream may be as long as it likes: what was taken of it is no flood", async () => {
  await using line = await openLine(([type, id], say) => {
    if (type === FRAME.chunk) say([FRAME.credit, id]);
    if (type === FRAME.end) say([FRAME.answer, id, { size: 5_000 }]);
  });
  const body = ReadableStream.from(Array.from({ length: 5_000 }, () => new Uint8Array(1)));
  assertEquals(await line.host.call("append", ["a", 0, body]), { size: 5_000 });
});

Deno.test("credit without end makes no stream run ahead of its source", async () => {
  await using line = await openLine(([type, id], say) => {
    if (type === FRAME.call) { for (let count = 0; count < 50; count++) say([FRAME.credit, id]); }
    if (type === FRAME.end) say([FRAME.answer, id, { size: 3 }]);
  });
  assertEquals(await line.host.call("append", ["a", 0, chunks(1, 2)]), { size: 3 });
});

Deno.test("a plugin that gives no sign of life is ended", async () => {
  await using line = await openLine(() => {}, { hungMs: 100 });
  assertEquals(await line.ended, "hung: it gave no sign of life for 100 ms");
});

Deno.test("a late answer is no harm, and answers no other call", async () => {
  await using line = await openLine(() => {}, { callMs: 30 });
  await assertRejects(line.host.call("stat", ["a"]), PluginError);
  const second = line.host.call("stat", ["b"]);
  line.say([FRAME.answer, 1, { size: 1, modifiedAtMs: 1 }]);
  line.say([FRAME.answer, 2, { size: 2, modifiedAtMs: 2 }]);
  assertEquals(await second, { size: 2, modifiedAtMs: 2 });
});

Deno.test("frames pass a pipe whole, wherever it cuts them", () => {
  const frame = fc.tuple(
    fc.integer({ min: 0, max: 12 }),
    fc.nat(),
    fc.option(fc.jsonValue(), { nil: undefined }),
    fc.option(fc.uint8Array({ maxLength: 400 }), { nil: undefined }),
  );
  fc.assert(fc.property(fc.array(frame, { maxLength: 8 }), fc.integer({ min: 1, max: 97 }), (frames, cut) => {
    const sent = frames as unknown as Frame[];
    const bytes = new Uint8Array(sent.flatMap((each) => encodeFrame(each)).flatMap((part) => [...part]));
    const reader = new FrameReader();
    const arrived: unknown[] = [];
    for (let at = 0; at < bytes.length; at += cut) {
      reader.push(bytes.subarray(at, at + cut), (each) => arrived.push(each));
    }
    assertEquals(arrived, sent.map(([type, id, body, data]) => expectedFrame(type, id, body, data)));
  }));
});

/** JSON has no `undefined`, and no negative zero. */
function expectedFrame(type: number, id: number, body: unknown, data: Uint8Array | undefined): unknown[] {
  const plain = body === undefined ? undefined : JSON.parse(JSON.stringify(body));
  if (data) return [type, id, plain ?? null, data];
  return plain === undefined ? [type, id] : [type, id, plain];
}
