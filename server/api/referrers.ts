import { OCI_IMAGE_INDEX } from "../oci/media_type.ts";
import { type Listed, parsePage } from "../oci/page.ts";
import type { Referrer } from "../registry/referrers.ts";
import type { Registry } from "../registry/registry.ts";
import { jsonAnswer, nextLink } from "./answer.ts";
import type { Call } from "./endpoint.ts";

/** Descriptors of an answer, in bytes: clients read manifests of up to 4 MiB, and the answer is one. */
const DESCRIPTORS_BYTES_MAX = 4 * 1024 * 1024 - 1024;
const DESCRIPTORS_MAX = 1_000;

/** `GET /v2/<name>/referrers/<digest>?artifactType=` (distribution-spec, "Listing Referrers"): always 200. */
export async function list({ referrers }: Registry, call: Call<"name" | "digest">): Promise<Response> {
  const { name, digest } = call.words;
  const artifactType = call.query.get("artifactType") || undefined;
  const asked = parsePage(call.query);
  const page = fitBytes(
    await referrers.list(name, digest, {
      ...asked,
      limit: Math.min(asked.limit, DESCRIPTORS_MAX),
      artifactType,
    }),
  );
  return jsonAnswer({ schemaVersion: 2, mediaType: OCI_IMAGE_INDEX, manifests: page.entries }, {
    headers: {
      "Content-Type": OCI_IMAGE_INDEX,
      ...(artifactType && { "OCI-Filters-Applied": "artifactType" }),
      ...nextLink(call, page, (referrer) => referrer.digest),
    },
  });
}

/** The first entries of the page, as many as one answer may carry, but at least one. */
function fitBytes(page: Listed<Referrer>): Listed<Referrer> {
  let bytes = 0;
  const end = page.entries.findIndex((entry, index) => {
    bytes += JSON.stringify(entry).length + 1;
    return bytes > DESCRIPTORS_BYTES_MAX && index > 0;
  });
  return end === -1 ? page : { entries: page.entries.slice(0, end), more: true };
}
