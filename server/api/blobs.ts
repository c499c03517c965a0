import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { formatContentRange, formatUnsatisfiedRange, parseRange, type Span } from "../oci/range.ts";
import { deleteBlob, type Registry } from "../registry/registry.ts";
import { emptyAnswer, etagOf, isKnownToClient } from "./answer.ts";
import type { Call } from "./endpoint.ts";

/** `GET` and `HEAD /v2/<name>/blobs/<digest>` (distribution-spec, "Pulling blobs"; ranges: RFC 9110, section 14). */
export async function get({ blobs }: Registry, call: Call<"name" | "digest">): Promise<Response> {
  const { name, digest } = call.words;
  const facts = await blobs.stat(name, digest);
  if (!facts) throw unknownBlob();
  const headers = {
    "Accept-Ranges": "bytes",
    "Content-Type": "application/octet-stream",
    "Docker-Content-Digest": digest,
    "ETag": etagOf(digest),
  };
  if (isKnownToClient(call.headers, digest)) return emptyAnswer(304, headers);
  if (call.method === "HEAD") {
    return new Response(null, { headers: { ...headers, "Content-Length": String(facts.size) } });
  }
  const span = requestedSpan(call.headers, digest, facts.size);
  const opened = await blobs.open(digest, span);
  if (!opened) throw unknownBlob();
  return new Response(opened.body, {
    status: span ? 206 : 200,
    headers: {
      ...headers,
      "Content-Length": String(span?.length ?? facts.size),
      ...(span && { "Content-Range": formatContentRange(span, facts.size) }),
    },
  });
}

/** `DELETE /v2/<name>/blobs/<digest>` (distribution-spec, "Deleting Blobs"). */
export async function remove(registry: Registry, call: Call<"name" | "digest">): Promise<Response> {
  const { name, digest } = call.words;
  if (!await deleteBlob(registry, name, digest)) throw unknownBlob();
  return emptyAnswer(202, { "Docker-Content-Digest": digest });
}

/** The part that `Range` asks for; all where `If-Range` names other content. */
function requestedSpan(headers: Headers, digest: Digest, size: number): Span | undefined {
  const range = headers.get("Range");
  const condition = headers.get("If-Range");
  if (range === null || (condition !== null && condition !== etagOf(digest))) return undefined;
  const span = parseRange(range, size);
  if (span !== "unsatisfiable") return span;
  throw new OciError("SIZE_INVALID", "Cannot serve the range: the blob is shorter", {
    status: 416,
    headers: { "Content-Range": formatUnsatisfiedRange(size) },
  });
}

function unknownBlob(): OciError {
  return new OciError("BLOB_UNKNOWN", "Cannot find the blob: the repository does not have it");
}
