import type { Chunk, Frame } from "./wire.ts";

/**
 * Frames as bytes, for a pipe. Each is the length of the whole and the length of its JSON (4 bytes each, big-endian), the
 * JSON `[type, id, body?, 1?]`, and, where that says `1`, bytes to the end.
 */

const HEAD_BYTES = 8;
const KEPT_BYTES = 256 * 1024;

/** Longest frame, in bytes: a page of 10,000 keys fits, and so does a value. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The pieces of a frame, which follow each other on the pipe. */
export function encodeFrame([type, id, body, bytes]: Frame): Uint8Array[] {
  const json = encoder.encode(JSON.stringify(bytes ? [type, id, body, 1] : jsonFields(type, id, body)));
  const head = new Uint8Array(HEAD_BYTES + json.length);
  const view = new DataView(head.buffer);
  view.setUint32(0, json.length + (bytes?.length ?? 0));
  view.setUint32(4, json.length);
  head.set(json, HEAD_BYTES);
  return bytes && bytes.length > 0 ? [head, bytes] : [head];
}

function jsonFields(type: number, id: number, body: unknown): unknown[] {
  return body === undefined ? [type, id] : [type, id, body];
}

/** Finds frames in what arrives from a pipe. */
export class FrameReader {
  #buffer = new Uint8Array(KEPT_BYTES);
  #filled = 0;

  /** Tells `take` of each frame that is complete with `bytes`. Throws where the sender does not keep to the format. */
  push(bytes: Uint8Array, take: (frame: unknown) => void): void {
    this.#append(bytes);
    let at = 0;
    for (;;) {
      const data = this.#buffer.subarray(at, this.#filled);
      const length = frameLength(data);
      if (length === undefined || data.length < length) break;
      take(decodeFrame(data.subarray(0, length)));
      at += length;
    }
    this.#drop(at);
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#filled + bytes.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#filled);
    this.#filled = needed;
  }

  #drop(length: number): void {
    this.#buffer.copyWithin(0, length, this.#filled);
    this.#filled -= length;
    if (this.#filled === 0 && this.#buffer.length > KEPT_BYTES) this.#buffer = new Uint8Array(KEPT_BYTES);
  }
}

function frameLength(data: Uint8Array): number | undefined {
  if (data.length < HEAD_BYTES) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, HEAD_BYTES);
  const [length, jsonLength] = [view.getUint32(0), view.getUint32(4)];
  if (length > FRAME_BYTES_MAX || jsonLength > length) {
    throw new RangeError("a frame's length is out of bounds");
  }
  return HEAD_BYTES + length;
}

function decodeFrame(data: Uint8Array): unknown {
  const jsonLength = new DataView(data.buffer, data.byteOffset).getUint32(4);
  const frame = JSON.parse(decoder.decode(data.subarray(HEAD_BYTES, HEAD_BYTES + jsonLength)));
  if (!Array.isArray(frame) || frame.length > 4) throw new TypeError("a frame is no frame");
  if (frame.length === 4) frame[3] = data.slice(HEAD_BYTES + jsonLength) as Chunk;
  return frame;
}
