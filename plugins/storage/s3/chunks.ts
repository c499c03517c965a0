/** Bytes in pieces: streams of them, lists of them. */

import type { Bytes, ByteSpan } from "../../contract/storage.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** The chunks of a stream that have bytes. The stream is cancelled where its reader stops before its end. */
export async function* chunksOf(body: Bytes): AsyncGenerator<Chunk> {
  for await (const chunk of body) if (chunk.byteLength > 0) yield chunk;
}

/** All chunks of a stream. */
export async function readChunks(body: Bytes): Promise<Chunk[]> {
  return await Array.fromAsync(chunksOf(body));
}

/** The chunks as one. */
export function joinChunks(chunks: readonly Chunk[]): Chunk {
  if (chunks.length === 1) return chunks[0]!;
  const whole = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** Copies of a span's bytes: who reads them may keep and change them. */
export function spanOfChunks(chunks: readonly Chunk[], { offset, length }: ByteSpan): Chunk[] {
  const span: Chunk[] = [];
  let start = offset;
  let left = length;
  for (const chunk of chunks) {
    const piece = chunk.slice(start, start + left);
    start = Math.max(0, start - chunk.byteLength);
    left -= piece.byteLength;
    if (piece.byteLength > 0) span.push(piece);
  }
  return span;
}

/** A stream's bytes, then the chunks. */
export function joinStreams(first: Bytes | undefined, chunks: readonly Chunk[]): Bytes {
  const reader = first?.getReader();
  const rest = chunks.values();
  return new ReadableStream({
    async pull(controller) {
      const result = await reader?.read();
      if (result && !result.done) return controller.enqueue(result.value);
      const next = rest.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    cancel: (reason) => reader?.cancel(reason),
  }, { highWaterMark: 0 });
}

/** What a stream ends with, held back from what comes before it. */
export class Tail {
  readonly #length: number;
  #held: Chunk[] = [];

  constructor(length: number) {
    this.#length = length;
  }

  /** The text of the tail once the stream has ended, without the spaces at its end; `undefined` where it has none. */
  get text(): string | undefined {
    if (this.#length === 0) return undefined;
    return new TextDecoder().decode(joinChunks(this.#held)).trimEnd();
  }

  /** What comes before the tail. */
  async *before(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
    let held = 0;
    for await (const chunk of chunks) {
      this.#held.push(chunk);
      held += chunk.byteLength;
      while (held - this.#length > 0) {
        const first = this.#held[0]!;
        const free = Math.min(first.byteLength, held - this.#length);
        this.#held.splice(0, 1, ...(free < first.byteLength ? [first.subarray(free)] : []));
        held -= free;
        yield first.subarray(0, free);
      }
    }
  }
}
