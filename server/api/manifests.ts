import { OciError } from "../oci/error.ts";
import { MANIFEST_BYTES_MAX } from "../oci/manifest.ts";
import { formatReference, parseTag, type Reference, type Tag } from "../oci/reference.ts";
import { readAll } from "../registry/bytes.ts";
import type { Registry } from "../registry/registry.ts";
import { emptyAnswer, etagOf, isKnownToClient } from "./answer.ts";
import { type Call, doerOf, type Words } from "./endpoint.ts";

type ManifestCall = Call<"name" | "reference">;

const TAGS_MAX = 100;

/** `GET` and `HEAD /v2/<name>/manifests/<reference>` (distribution-spec, "Pulling manifests"). */
export async function get({ manifests, pulls }: Registry, call: ManifestCall): Promise<Response> {
  const { name, reference } = call.words;
  const manifest = await manifests.get(name, reference);
  if (!manifest) throw unknownManifest(reference);
  pulls.note(name, reference);
  const { digest, mediaType, bytes } = manifest;
  const headers = {
    "Content-Length": String(bytes.byteLength),
    "Content-Type": mediaType,
    "Docker-Content-Digest": digest,
    "ETag": etagOf(digest),
  };
  if (isKnownToClient(call.headers, digest)) return new Response(null, { status: 304, headers });
  return new Response(call.method === "HEAD" ? null : bytes, { headers });
}

/** `PUT /v2/<name>/manifests/<reference>?tag=` (distribution-spec, "Pushing Manifests"). */
export async function put({ manifests }: Registry, call: ManifestCall): Promise<Response> {
  const { name, reference } = call.words;
  const tags = readTags(reference, call.query);
  const pushed = await manifests.put(name, {
    ...doerOf(call),
    digest: reference.digest,
    tags,
    bytes: await readManifest(call),
    contentType: call.headers.get("Content-Type") ?? undefined,
  });
  return emptyAnswer(201, {
    "Location": `/v2/${name}/manifests/${pushed.digest}`,
    "Docker-Content-Digest": pushed.digest,
    ...(reference.digest && tags.length > 0 && { "OCI-Tag": tags.join(", ") }),
    ...(pushed.subject && { "OCI-Subject": pushed.subject }),
  });
}

/** The tags that a push is to set, for whoever decides whether it may. */
export function pushedTags(query: URLSearchParams, { reference }: Partial<Words>): readonly Tag[] {
  return reference ? readTags(reference, query) : [];
}

/** `DELETE /v2/<name>/manifests/<reference>`: a tag, or a manifest with all its tags. */
export async function remove(registry: Registry, call: ManifestCall): Promise<Response> {
  if (!await removeReference(registry, call)) throw unknownManifest(call.words.reference);
  return emptyAnswer(202, {});
}

function removeReference({ tags, manifests }: Registry, call: ManifestCall): Promise<boolean> {
  const { name, reference } = call.words;
  return reference.tag === undefined
    ? manifests.delete(name, reference.digest, doerOf(call))
    : tags.delete(name, reference.tag, doerOf(call));
}

/** The tag of the path, or those of the query, which go with a digest (distribution-spec, "Pushing Manifests"). */
function readTags(reference: Reference, query: URLSearchParams): Tag[] {
  const texts = query.getAll("tag");
  if (texts.length > TAGS_MAX) {
    throw new OciError("UNSUPPORTED", `Cannot tag the manifest: at most ${TAGS_MAX} tags at once`, {
      status: 414,
    });
  }
  if (reference.tag && texts.length > 0) {
    throw new OciError("UNSUPPORTED", "Cannot tag the manifest: ?tag= goes with a digest in the path", {
      status: 400,
    });
  }
  const tags = texts.map((text) => parseTag(text, "MANIFEST_INVALID"));
  return reference.tag ? [reference.tag] : [...new Set(tags)];
}

async function readManifest({ headers, body }: ManifestCall): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new OciError("SIZE_INVALID", `Cannot store the manifest: it is larger than ${MANIFEST_BYTES_MAX} bytes`);
  if (Number(headers.get("Content-Length") ?? 0) > MANIFEST_BYTES_MAX) throw tooLarge();
  return body ? await readAll(body, MANIFEST_BYTES_MAX, tooLarge) : new Uint8Array(0);
}

function unknownManifest(reference: Reference): OciError {
  return new OciError("MANIFEST_UNKNOWN", "Cannot find the manifest: the repository does not have it", {
    detail: { reference: formatReference(reference) },
  });
}
