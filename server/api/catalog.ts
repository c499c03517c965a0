import { parsePage } from "../oci/page.ts";
import type { Registry } from "../registry/registry.ts";
import { jsonAnswer, nextLink } from "./answer.ts";
import type { Call } from "./endpoint.ts";

/** `GET /v2/_catalog?n=&last=`: the names of the repositories. */
export async function list({ catalog }: Registry, call: Call): Promise<Response> {
  const page = await catalog.list(parsePage(call.query), call.caller.sees);
  return jsonAnswer({ repositories: page.entries }, { headers: nextLink(call, page, (name) => name) });
}

/** `GET /v2/tags/list?n=&last=`: all tags of all repositories, each as `<name>:<tag>`. */
export async function listTags({ catalog }: Registry, call: Call): Promise<Response> {
  const page = await catalog.listTags(parsePage(call.query), call.caller.sees);
  return jsonAnswer({ tags: page.entries }, { headers: nextLink(call, page, (entry) => entry) });
}
