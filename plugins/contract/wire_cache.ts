import { CACHE_BYTES_MAX, type CACHE_METHODS, type CachedValue } from "./cache.ts";
import type { WireMethod, WireMethods } from "./wire.ts";
import { malformed, readCount, readRecord } from "./wire_shapes.ts";

/** The cache contract on the wire. */
export const CACHE_WIRE: WireMethods & Readonly<Record<(typeof CACHE_METHODS)[number], WireMethod>> = {
  get: { bytesAnswer: "bytes", read: (answer) => answer === undefined ? undefined : readValue(answer) },
  put: { bytesArgument: 1, read: () => undefined },
  delete: { read: () => undefined },
  count: { read: readCount },
};

function readValue(answer: unknown): CachedValue {
  const { bytes } = readRecord(answer);
  if (!(bytes instanceof Uint8Array)) throw malformed("bytes", bytes);
  if (bytes.byteLength > CACHE_BYTES_MAX) throw malformed("a small value", `${bytes.byteLength} bytes`);
  return { bytes: bytes as Uint8Array<ArrayBuffer> };
}
