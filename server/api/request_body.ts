import type { Bytes } from "../../plugins/contract/storage.ts";
import { OciError } from "../oci/error.ts";
import { relayBytes } from "../registry/bytes.ts";

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
  return relayBytes(request.body, (read) => readInTime(read(), stallTimeoutMs));
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
