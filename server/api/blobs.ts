import { PluginError } from "../../plugins/contract/error.ts";
import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { formatContentRange, formatUnsatisfiedRange, parseRange } from "../oci/range.ts";
import { deleteBlob, type Registry } from "../registry/registry.ts";
import { emptyAnswer, etagOf, isKnownToClient } from "./answer.ts";
import type { Call } from "./endpoint.ts";

const MEDIA_TYPE = "application/octet-stream";

/** `GET` and `HEAD /v2/<name>/blobs/<digest>` (distribution-spec, "Pulling blobs"; ranges: RFC 9110, section 14). */
export async function get(registry: Registry, call: Call<"name" | "digest">): Promise<Response> {
  const { name, digest } = call.words;
  const { blobs } = registry;
  const found = await (call.method === "HEAD" ? blobs.stat(name, digest) : blobs.find(name, digest));
  const answer = await answerWith(registry, call, { facts: found, isSure: false });
  if (answer) return answer;
  await blobs.forgetSize(digest);
  const facts = await blobs.stat(name, digest);
  const known = await answerWith(registry, call, { facts, isSure: true });
  if (known) return known;
  throw new PluginError(
    "unavailable",
    `Cannot read ${digest}: the store says that it has another size each time`,
  );
}

/** `undefined`: the blob's size is another than was believed, or, where it was not `isSure`, may be. */
async function answerWith(
  registry: Registry,
  call: Call<"name" | "digest">,
  { facts, isSure }: { readonly facts: { readonly size: number } | undefined; readonly isSure: boolean },
): Promise<Response | undefined> {
  const { digest } = call.words;
  const { blobs } = registry;
  if (!facts) throw unknownBlob();
  const headers = {
    "Accept-Ranges": "bytes",
    "Content-Type": MEDIA_TYPE,
    "Docker-Content-Digest": digest,
    "ETag": etagOf(digest),
  };
  if (isKnownToClient(call.headers, digest)) return emptyAnswer(304, headers);
  if (call.method === "HEAD") {
    return new Response(null, { headers: { ...headers, "Content-Length": String(facts.size) } });
  }
  const span = requestedSpan(call.headers, digest, facts.size);
  if (span === "unsatisfiable") {
    if (isSure) throw unsatisfiable(facts.size);
    return undefined;
  }
  const elsewhere = await findElsewhere(registry, call);
  if (elsewhere !== undefined) return redirectAnswer(elsewhere, digest);
  const opened = await blobs.open(digest, span);
  if (!opened) throw unknownBlob();
  if (opened.size !== facts.size) return void await opened.body.cancel();
  return new Response(opened.body, {
    status: span ? 206 : 200,
    headers: {
      ...headers,
      "Content-Length": String(span?.length ?? facts.size),
      ...(span && { "Content-Range": formatContentRange(span, facts.size) }),
    },
  });
}

/** Where the client may read the blob by itself. An `If-Range` names the entity tag from here, which only this registry knows. */
async function findElsewhere(
  { blobs }: Registry,
  { words, headers, request }: Call<"name" | "digest">,
): Promise<string | undefined> {
  if (headers.has("If-Range")) return undefined;
  return await blobs.url(words.digest, { client: request.clientAddress, mediaType: MEDIA_TYPE });
}

/** Sends the client there. The address is a credential that soon ends: nobody may keep it. */
function redirectAnswer(location: string, digest: Digest): Response {
  return emptyAnswer(307, {
    "Cache-Control": "no-store",
    "Docker-Content-Digest": digest,
    "Location": location,
  });
}

/** `DELETE /v2/<name>/blobs/<digest>` (distribution-spec, "Deleting Blobs"). */
export async function remove(registry: Registry, call: Call<"name" | "digest">): Promise<Response> {
  const { name, digest } = call.words;
  if (!await deleteBlob(registry, name, digest)) throw unknownBlob();
  return emptyAnswer(202, { "Docker-Content-Digest": digest });
}

/** The part that `Range` asks for; all where `If-Range` names other content. */
function requestedSpan(headers: Headers, digest: Digest, size: number): ReturnType<typeof parseRange> {
  const range = headers.get("Range");
  const condition = headers.get("If-Range");
  if (range === null || (condition !== null && condition !== etagOf(digest))) return undefined;
  return parseRange(range, size);
}

function unsatisfiable(size: number): OciError {
  return new OciError("SIZE_INVALID", "Cannot serve the range: the blob is shorter", {
    status: 416,
    headers: { "Content-Range": formatUnsatisfiedRange(size) },
  });
}

function unknownBlob(): OciError {
  return new OciError("BLOB_UNKNOWN", "Cannot find the blob: the repository does not have it");
}
