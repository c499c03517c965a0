import { OciError } from "../oci/error.ts";
import { parsePage } from "../oci/page.ts";
import type { Registry } from "../registry/registry.ts";
import { jsonAnswer, nextLink } from "./answer.ts";
import type { Call } from "./endpoint.ts";

/** `GET /v2/<name>/tags/list?n=&last=` (distribution-spec, "Listing Tags"). */
export async function list({ tags, catalog }: Registry, call: Call<"name">): Promise<Response> {
  const { name } = call.words;
  const page = await tags.list(name, parsePage(call.query));
  if (page.entries.length === 0 && !await catalog.has(name)) {
    throw new OciError("NAME_UNKNOWN", "Cannot list the tags: there is no such repository");
  }
  return jsonAnswer({ name, tags: page.entries }, { headers: nextLink(call, page, (tag) => tag) });
}
