/**
 * What is kept of an object that grows by `append`, since an S3 object cannot: while its bytes are too few for a part, they themselves.
 * From then on, under the object's own key, a line of JSON, then the bytes that are too few for another part. The parts are in
 * a multipart upload to a key aside, and what they are is written down here and never asked of the store, because some list wrongly.
 */

import { PluginError } from "../../contract/error.ts";
import { joinChunks } from "./chunks.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** A part that the store has. */
export interface Part {
  readonly etag: string;
  /** Its length in bytes. */
  readonly size: number;
}

/** An object that grows, as it was written down last. */
export interface Growth {
  /** The multipart upload, once there is enough for a part: the key it goes to, its id, what it has. */
  readonly upload: { readonly key: string; readonly id: string; readonly parts: readonly Part[] } | undefined;
  /** The object aside that earlier parts have become, because they were read. */
  readonly base: { readonly key: string; readonly size: number } | undefined;
  /** What comes after the parts. */
  readonly rest: readonly Chunk[];
}

/** An object that is empty as yet. */
export const NOTHING_GROWN: Growth = { upload: undefined, base: undefined, rest: [] };

const NEWLINE = 0x0a;

/** Length of all of it, in bytes. */
export function grownSize({ upload, base, rest }: Growth): number {
  const parts = bytesOf(upload?.parts ?? [], ({ size }) => size);
  return (base?.size ?? 0) + parts + restSize({ rest });
}

/** Whether its bytes are kept as they are. */
export function isPlain({ upload, base }: Growth): boolean {
  return !upload && !base;
}

/** Length of what is in no part, in bytes. */
export function restSize({ rest }: Pick<Growth, "rest">): number {
  return bytesOf(rest, ({ byteLength }) => byteLength);
}

/** The same in memory of at most twice its length: each append begins a buffer of its own, and one of a byte fills little of it. */
export function compact(growth: Growth): Growth {
  const { rest } = growth;
  const buffers = [...new Set(rest.map(({ buffer }) => buffer))];
  if (bytesOf(buffers, ({ byteLength }) => byteLength) <= 2 * restSize(growth)) return growth;
  return { ...growth, rest: [rest.length === 1 ? rest[0]!.slice() : joinChunks(rest)] };
}

/** The growth as an object's bytes; of one that is not plain. */
export function encodeGrowth({ upload, base, rest }: Growth): Chunk[] {
  const head = { ...(upload && { upload }), ...(base && { base }) };
  return [new TextEncoder().encode(`${JSON.stringify(head)}\n`), ...rest];
}

/** The growth that an object's bytes say. */
export function decodeGrowth(key: string, bytes: Chunk): Growth {
  const end = bytes.indexOf(NEWLINE);
  try {
    const { upload, base } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as Partial<Growth>;
    const rest = bytes.subarray(end + 1);
    return { upload, base, rest: rest.byteLength > 0 ? [rest] : [] };
  } catch (cause) {
    throw new PluginError("failed", `Cannot read how far ${key} has grown: its state is damaged`, { cause });
  }
}

function bytesOf<T>(items: readonly T[], size: (item: T) => number): number {
  return items.reduce((sum, item) => sum + size(item), 0);
}
