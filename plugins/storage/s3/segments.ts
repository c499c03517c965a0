type Chunk = Uint8Array<ArrayBuffer>;

/** Length of a segment, in bytes. */
export const SEGMENT_BYTES: number = 256 * 1024;
/** What is kept for the next one who needs some: 64 MiB. */
const FREE_MAX = 256;

const free: Chunk[] = [];

/** A buffer for what waits to be sent; what is in it is what was in it. */
export function takeSegment(): Chunk {
  return free.pop() ?? new Uint8Array(SEGMENT_BYTES);
}

/** Gives back the buffers that chunks lie in, none of which anybody has any more. */
export function giveBack(chunks: readonly Chunk[]): void {
  for (const { buffer } of chunks) {
    if (buffer.byteLength === SEGMENT_BYTES && free.length < FREE_MAX) free.push(new Uint8Array(buffer));
  }
}
