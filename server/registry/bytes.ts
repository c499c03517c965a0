import { chunksWithin } from "../../plugins/contract/chunks.ts";
import { PluginError } from "../../plugins/contract/error.ts";
import type { Bytes } from "../../plugins/contract/storage.ts";

type Chunk = Uint8Array<ArrayBuffer>;
type Read = () => Promise<ReadableStreamReadResult<Chunk>>;

/** Of readers that bring no buffer of their own. Small: each read of a request's body costs by the size of its buffer. */
const CHUNK_BYTES = 32 * 1024;
/** How long the next bytes of an object may take. */
const STORE_STALL_MS = 60_000;

/**
 * The bytes of `body`, every read of which goes through `around`: to hash what passes, to bound how long it takes. The
 * reader's own buffers are handed through where `body` takes them, so nothing is copied or held; `readBytesMax` of them
 * at most are filled at once.
 */
export function relayBytes(
  body: Bytes,
  around: (read: Read) => ReturnType<Read>,
  readBytesMax = Infinity,
): Bytes {
  const source = openReader(body, readBytesMax);
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK_BYTES,
    async pull(controller) {
      await passOn(controller as ReadableByteStreamController, source, around);
    },
    cancel: (reason) => source.cancel(reason),
  });
}

/** Fills a reader's buffer from the source, or hands on what the source has brought. */
async function passOn(
  controller: ReadableByteStreamController,
  source: ReturnType<typeof openReader>,
  around: (read: Read) => ReturnType<Read> = (read) => read(),
): Promise<void> {
  const request = controller.byobRequest!;
  const view = request.view as Chunk;
  const { done, value } = await around(() => source.read(view));
  if (done) controller.close();
  if (source.fills && value) request.respondWithNewView(value);
  else if (done) request.respond(0);
  else controller.enqueue(value);
}

/** The bytes of `body`, then those that `tail` answers once they have passed. */
export function withTail(body: Bytes, tail: () => Chunk): Bytes {
  const source = openReader(body, Infinity);
  let rest: Chunk | undefined;
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK_BYTES,
    async pull(controller) {
      const request = (controller as ReadableByteStreamController).byobRequest!;
      let free = request.view as Chunk;
      if (!rest) {
        const { byteOffset, byteLength } = free;
        const { done, value } = await source.read(free);
        if (!done && source.fills) return request.respondWithNewView(value);
        if (!done) return controller.enqueue(value);
        rest = tail();
        // The source has handed the reader's buffer back.
        if (source.fills) free = new Uint8Array(value!.buffer, byteOffset, byteLength);
      }
      const piece = rest.subarray(0, free.byteLength);
      free.set(piece);
      rest = rest.subarray(piece.byteLength);
      if (piece.byteLength === 0) controller.close();
      request.respondWithNewView(free.subarray(0, piece.byteLength));
    },
    cancel: (reason) => source.cancel(reason),
  });
}

function openReader(body: Bytes, readBytesMax: number) {
  try {
    const reader = body.getReader({ mode: "byob" });
    return {
      fills: true,
      read: ({ buffer, byteOffset, byteLength }: Chunk) =>
        reader.read(new Uint8Array(buffer, byteOffset, Math.min(byteLength, readBytesMax))) as ReturnType<
          Read
        >,
      cancel: (reason: unknown) => reader.cancel(reason),
    };
  } catch {
    // Not a byte stream: it brings buffers of its own.
    const reader = body.getReader();
    return { fills: false, read: () => readSome(reader), cancel: (reason: unknown) => reader.cancel(reason) };
  }
}

/** The next chunk that has bytes: some streams bring empty ones, which a byte stream cannot pass on. */
async function readSome(
  reader: ReadableStreamDefaultReader<Chunk>,
): Promise<ReadableStreamReadResult<Chunk>> {
  let result = await reader.read();
  while (!result.done && result.value.byteLength === 0) result = await reader.read();
  return result;
}

/** The bytes of `body`, which must be `length` in all: it fails with `refuse()` before it passes on more, or at its end. */
export function exactBytes(body: Bytes, length: number, refuse: () => Error): Bytes {
  let seen = 0;
  return relayBytes(body, async (read) => {
    const result = await read();
    seen += result.value?.byteLength ?? 0;
    if (result.done ? seen !== length : seen > length) throw refuse();
    return result;
  });
}

/** The chunks of an object, for whoever reads it here. Fails with `unavailable` where the store stops in the middle of it. */
export async function* chunksOf(body: Bytes): AsyncGenerator<Chunk> {
  try {
    yield* chunksWithin(body, () => STORE_STALL_MS);
  } catch (error) {
    if ((error as Error).name !== "TimeoutError") throw error;
    const state = `no more of it came within ${STORE_STALL_MS / 1_000} s`;
    throw new PluginError("unavailable", `Cannot read an object: ${state}`, { cause: error });
  }
}

/** All of `body`, or, as soon as it is longer than `bytesMax`, an end to it and `refuse()`. */
export async function readAll(body: Bytes, bytesMax: number, refuse: () => Error): Promise<Chunk> {
  const chunks: Chunk[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.byteLength;
    if (length > bytesMax) throw refuse();
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** The beginning of a body: all of it, perhaps because it broke off with an error; or the body anew. */
export type Beginning =
  | { readonly bytes: Chunk; readonly error?: unknown }
  | { readonly rest: Bytes };

/**
 * Reads a body of at most so many bytes whole, or as far as it goes, and leaves a longer one as it was; `passed` is called once
 * what was read of that is held here no more.
 */
export async function readBeginning(
  body: Bytes,
  bytesMax: number,
  passed: () => void = () => {},
): Promise<Beginning> {
  const source = openReader(body, Infinity);
  const blocks = new Blocks();
  let free: Chunk = new Uint8Array(CHUNK_BYTES);
  try {
    while (blocks.size <= bytesMax) {
      const { done, value } = await source.read(free);
      if (done) return { bytes: blocks.join() };
      blocks.add(value);
      // The source has handed the buffer back.
      if (source.fills) free = new Uint8Array(value.buffer);
    }
  } catch (error) {
    return { bytes: blocks.join(), error };
  }
  return { rest: joinBody(blocks.full(), source, passed) };
}

/** Bytes that come in pieces: what they take is bounded by how many they are, not by the buffers that brought them. */
class Blocks {
  readonly #full: Chunk[] = [];
  #block: Chunk = new Uint8Array(CHUNK_BYTES);
  #filled = 0;
  size = 0;

  add(piece: Chunk): void {
    for (let at = 0; at < piece.byteLength;) {
      const part = piece.subarray(at, at + CHUNK_BYTES - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.byteLength;
      at += part.byteLength;
      if (this.#filled === CHUNK_BYTES) this.#next();
    }
    this.size += piece.byteLength;
  }

  /** All, in whole buffers. */
  full(): Chunk[] {
    if (this.#filled > 0) this.#next();
    return this.#full;
  }

  join(): Chunk {
    const bytes = new Uint8Array(this.size);
    this.full().forEach((block, index) => bytes.set(block, index * CHUNK_BYTES));
    return bytes;
  }

  #next(): void {
    this.#full.push(this.#block.subarray(0, this.#filled));
    this.#block = new Uint8Array(CHUNK_BYTES);
    this.#filled = 0;
  }
}

/** What was read of a body, then what follows. */
function joinBody(chunks: Chunk[], source: ReturnType<typeof openReader>, passed: () => void): Bytes {
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK_BYTES,
    async pull(controller) {
      const first = chunks.shift();
      if (first) return controller.enqueue(first);
      passed();
      await passOn(controller as ReadableByteStreamController, source);
    },
    cancel: (reason) => source.cancel(reason),
  });
}
