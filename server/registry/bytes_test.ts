import type { Bytes } from "../../plugins/contract/storage.ts";
import { assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { type Beginning, exactBytes, readAll, readBeginning, relayBytes, withTail } from "./bytes.ts";

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function chunksOf(...chunks: string[]): Bytes {
  return ReadableStream.from(chunks.map((chunk) => new TextEncoder().encode(chunk))) as Bytes;
}

function read(body: Bytes, max = 1_000): Promise<string> {
  return readAll(body, max, () => new Error("too long")).then(textOf);
}

/** No bytes. */
function emptyBytes(): Bytes {
  return new ReadableStream({ type: "bytes", start: (controller) => controller.close() });
}

/** A byte stream that brings its bytes in pieces of `size`. */
function pieces(text: string, size: number): Bytes {
  let at = 0;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      if (at >= text.length) {
        controller.close();
        return controller.byobRequest?.respond(0);
      }
      controller.enqueue(new TextEncoder().encode(text.slice(at, at += size)));
    },
  });
}

const same = (body: Bytes) => relayBytes(body, (read) => read());

for (const text of ["", "a", "hello", "x".repeat(500)]) {
  Deno.test(`relayBytes() passes ${text.length} bytes on, through any number of relays`, async () => {
    for (const size of [1, 7, 1_000]) {
      assertEquals(await read(same(pieces(text, size))), text);
      assertEquals(await read(same(same(same(pieces(text, size))))), text);
    }
    assertEquals(await read(same(same(new Blob([text]).stream() as Bytes))), text);
  });
}

Deno.test("relayBytes() passes over empty chunks, which some runtimes send for an empty body", async () => {
  assertEquals(await read(same(chunksOf("", "a", "", "", "b", ""))), "ab");
  assertEquals(await read(same(chunksOf(""))), "");
  assertEquals(await read(same(emptyBytes())), "");
});

Deno.test("relayBytes() hands through buffers of the reader's own", async () => {
  const reader = same(same(pieces("abcdef", 2))).getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(3);
  let text = "";
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    if (done) break;
    text += textOf(value);
    buffer = value.buffer as ArrayBuffer;
    assertEquals(buffer.byteLength, 3);
  }
  assertEquals(text, "abcdef");
});

Deno.test("relayBytes() passes errors on, and cancels what it reads from", async () => {
  const failing = new ReadableStream({
    type: "bytes",
    pull: () => Promise.reject(new Error("gone")),
  }) as Bytes;
  await assertRejects(read(same(same(failing))), /gone/);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  await same(same(new ReadableStream({ type: "bytes", cancel: resolve }) as Bytes)).cancel("enough");
  assertEquals(await promise, "enough");
});

Deno.test("exactBytes() refuses a body that is shorter or longer, before the first byte too many", async () => {
  const exact = (text: string, length: number) =>
    read(exactBytes(pieces(text, 2), length, () => new Error("wrong")));
  assertEquals([await exact("abcd", 4), await exact("", 0)], ["abcd", ""]);
  for (const length of [3, 5, 0]) await assertRejects(exact("abcd", length), /wrong/);
});

Deno.test("readAll() stops reading once there is too much", async () => {
  let pulled = 0;
  const endless = new ReadableStream({
    type: "bytes",
    pull: (controller) => {
      pulled++;
      controller.enqueue(new Uint8Array(10));
    },
  }) as Bytes;
  await assertRejects(read(endless, 100), /too long/);
  assertEquals(pulled <= 12, true);
});

Deno.test("withTail() adds what is known once the bytes have passed", async () => {
  for (const body of [() => chunksOf("ab", "c"), () => pieces("abc", 2)]) {
    let passed = 0;
    const watched = relayBytes(body(), async (read) => {
      const result = await read();
      passed += result.value?.byteLength ?? 0;
      return result;
    });
    const tail = () => new TextEncoder().encode(`, ${passed} bytes`);
    assertEquals(await read(withTail(watched, tail)), "abc, 3 bytes");
    assertEquals(await read(withTail(body(), () => new Uint8Array(0))), "abc");
  }
  assertEquals(await read(withTail(emptyBytes(), () => new TextEncoder().encode("tail"))), "tail");
});

Deno.test("withTail() fills whatever buffers its reader brings, and adds nothing to what fails", async () => {
  const reader = withTail(pieces("abc", 2), () => new TextEncoder().encode("a longer tail")).getReader({
    mode: "byob",
  });
  let text = "";
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(5));
    if (done) break;
    text += textOf(value);
  }
  assertEquals(text, "abca longer tail");
  const failing: Bytes = new ReadableStream({
    type: "bytes",
    pull: (controller) => controller.error(new Error("broken")),
  });
  await assertRejects(() => read(withTail(failing, () => new Uint8Array(1))), Error, "broken");
});

/** The bytes, then a failure. */
function breakingOff(text: string): Bytes {
  let at = 0;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      if (at === text.length) throw new Error("it broke off");
      controller.enqueue(new TextEncoder().encode(text[at++]!));
    },
  });
}

async function told(beginning: Beginning): Promise<readonly unknown[]> {
  if ("rest" in beginning) return ["rest", await read(beginning.rest, 1_000_000)];
  return [textOf(beginning.bytes), ...("error" in beginning ? [(beginning.error as Error).message] : [])];
}

Deno.test("readBeginning() reads what is short whole, and leaves what is longer as it was", async () => {
  const long = "0123456789".repeat(8_000);
  for (const size of [1, 7, 40_000, 200_000]) {
    for (const relayed of [same, (body: Bytes) => body]) {
      assertEquals(await told(await readBeginning(relayed(pieces("", size)), 5)), [""]);
      assertEquals(await told(await readBeginning(relayed(pieces("hello", size)), 5)), ["hello"]);
      assertEquals(await told(await readBeginning(relayed(pieces("hello!", size)), 5)), ["rest", "hello!"]);
      assertEquals(await told(await readBeginning(relayed(pieces("hello", size)), 0)), ["rest", "hello"]);
      const longer = () => relayed(pieces(long, Math.max(size, 997)));
      const [, rest] = await told(await readBeginning(longer(), 70_000));
      assertEquals(rest === long, true);
      const [whole] = await told(await readBeginning(longer(), long.length));
      assertEquals(whole === long, true);
    }
  }
  assertEquals(await told(await readBeginning(chunksOf("", "ab", "", "c"), 3)), ["abc"]);
  assertEquals(await told(await readBeginning(chunksOf("ab", "", "cd"), 3)), ["rest", "abcd"]);
});

Deno.test("readBeginning() keeps what had come of a body that breaks off", async () => {
  for (const text of ["", "a", "hello"]) {
    assertEquals(await told(await readBeginning(breakingOff(text), 5)), [text, "it broke off"]);
    assertEquals(await told(await readBeginning(same(breakingOff(text)), 5)), [text, "it broke off"]);
  }
  const { rest } = await readBeginning(breakingOff("hello"), 3) as { readonly rest: Bytes };
  await assertRejects(() => read(rest), /broke off/);
});

Deno.test("readBeginning() takes memory by the bytes that come, not by the pieces in which they do", async () => {
  const before = Deno.memoryUsage();
  let most = 0;
  let left = 20_000;
  const body: Bytes = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const { external, heapUsed } = Deno.memoryUsage();
      if (left % 1_000 === 0) most = Math.max(most, external + heapUsed);
      const request = (controller as ReadableByteStreamController).byobRequest;
      if (left-- > 0) return request ? request.respond(1) : controller.enqueue(new Uint8Array(1));
      controller.close();
      request?.respond(0);
    },
  });
  const beginning = await readBeginning(body, 50_000) as { readonly bytes: Uint8Array };
  assertEquals(beginning.bytes.byteLength, 20_000);
  const grown = most - before.external - before.heapUsed;
  // By the piece it is 640 MB.
  assertEquals(grown < 100_000_000, true, `${grown} bytes`);
});
