/**
 * Content to push: made in no time and in no memory, of any size, and never the same twice.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** Content that knows its digest. */
export interface Content {
  readonly digest: string;
  readonly bytes: number;
  /** Its bytes, in pieces. */
  readonly plain: readonly Uint8Array[];
  /** Its bytes as a chunked body in frames of 32 KiB, as Docker sends them. */
  readonly framed: readonly Uint8Array[];
}

const PIECE_BYTES = 1024 * 1024;
const FRAME_BYTES = 32 * 1024;
const SERIAL_BYTES = 16;
const encoder = new TextEncoder();
const filler = randomBytes(PIECE_BYTES);
const framedFiller = frame(filler);
const lastChunk = encoder.encode("0\r\n\r\n");

/**
 * A source of contents of `bytes` bytes (at least 16). They differ in their last 16 bytes only, so all before is
 * hashed once, however many are made.
 */
export function createSource(bytes: number): () => Content {
  const fillers = Math.floor((bytes - SERIAL_BYTES) / PIECE_BYTES);
  const rest = bytes - fillers * PIECE_BYTES;
  const beginning = createHash("sha256");
  for (let index = 0; index < fillers; index++) beginning.update(filler);
  beginning.update(filler.subarray(0, rest - SERIAL_BYTES));

  return () => {
    const serial = crypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
    const last = new Uint8Array(rest);
    last.set(filler.subarray(0, rest - SERIAL_BYTES));
    last.set(serial, rest - SERIAL_BYTES);
    return {
      digest: `sha256:${beginning.copy().update(serial).digest("hex")}`,
      bytes,
      plain: [...Array<Uint8Array>(fillers).fill(filler), last],
      framed: [...Array<Uint8Array>(fillers).fill(framedFiller), frame(last), lastChunk],
    };
  };
}

/** Content made of a text. */
export function contentOf(text: string): Content {
  const bytes = encoder.encode(text);
  return {
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
    bytes: bytes.length,
    plain: [bytes],
    framed: [frame(bytes), lastChunk],
  };
}

function frame(bytes: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += FRAME_BYTES) {
    const piece = bytes.subarray(start, start + FRAME_BYTES);
    pieces.push(encoder.encode(`${piece.length.toString(16)}\r\n`), piece, encoder.encode("\r\n"));
  }
  return concat(pieces);
}

/** Joins `parts` into one array. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let start = 0; start < length; start += 65536) {
    crypto.getRandomValues(bytes.subarray(start, start + 65536));
  }
  return bytes;
}
