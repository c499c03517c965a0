import type { Bytes } from "../../plugins/contract/storage.ts";
import { OciError } from "../oci/error.ts";
import { relayBytes } from "../registry/bytes.ts";

/**
 * Of a body that comes in chunks: the runtime (Deno 2.9) collects as much as a read may take, hands out one chunk, and moves
 * the rest to the front, so that the cost of large reads is quadratic.
 */
const CHUNKED_READ_BYTES = 16 * 1024;

/**
 * The body of a request, or `undefined` where there is none. It fails when it breaks off and when nothing arrives for
 * `stallTimeoutMs`; how long it may take in all is not bounded, since large and slow is legitimate.
 */
export function requestBody(request: Request, stallTimeoutMs: number): Bytes | undefined {
  const encoding = request.headers.get("Content-Encoding") ?? "identity";
  if (encoding !== "identity") {
    throw new OciError("UNSUPPORTED", "Cannot read the body: a Content-Encoding is not supported", {
      status: 415,
    });
  }
  if (!request.body || request.headers.get("Content-Length") === "0") return undefined;
  const readBytesMax = request.headers.has("Content-Length") ? Infinity : CHUNKED_READ_BYTES;
  return relayBytes(request.body, (read) => readInTime(read(), stallTimeoutMs), readBytesMax);
}

async function readInTime<T>(reading: Promise<T>, stallTimeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stall = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(incomplete("it stalled", 408)), stallTimeoutMs);
  });
  try {
    return await Promise.race([reading.catch(() => Promise.reject(incomplete("it broke off", 400))), stall]);
  } finally {
    clearTimeout(timer);
  }
}

function incomplete(reason: string, status: number): OciError {
  return new OciError("BLOB_UPLOAD_INVALID", `Cannot read the body: ${reason}`, { status });
}
