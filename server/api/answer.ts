import type { Digest } from "../oci/digest.ts";
import { formatNextLink, type Listed } from "../oci/page.ts";
import type { Call } from "./endpoint.ts";

/** An answer without a body. */
export function emptyAnswer(status: number, headers: HeadersInit): Response {
  const answer = new Response(null, { status, headers });
  if (status !== 204 && status !== 304) answer.headers.set("Content-Length", "0");
  return answer;
}

/** An answer with a JSON body. */
export function jsonAnswer(value: unknown, { status = 200, headers }: ResponseInit = {}): Response {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const answer = new Response(bytes, { status, headers: { "Content-Type": "application/json", ...headers } });
  answer.headers.set("Content-Length", String(bytes.byteLength));
  return answer;
}

/** The `Link` header to the next page, where there is one. An empty page has none: it would lead nowhere. */
export function nextLink<T>(call: Call, page: Listed<T>, formatLast: (entry: T) => string): HeadersInit {
  const last = page.entries.at(-1);
  if (!page.more || last === undefined) return {};
  return { Link: formatNextLink(call.path, call.query, formatLast(last)) };
}

/** The entity tag of content: its digest. */
export function etagOf(digest: Digest): string {
  return `"${digest}"`;
}

/** Whether the client's `If-None-Match` names this content (RFC 9110, section 13.1.2). */
export function isKnownToClient(headers: Headers, digest: Digest): boolean {
  const tags = headers.get("If-None-Match")?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags?.some((tag) => tag === "*" || tag === etagOf(digest)) ?? false;
}

/** The only value of a query's parameter; `undefined` where it has none, or `refuse()` where it has several. */
export function onlyValue(
  query: URLSearchParams,
  parameter: string,
  refuse: () => Error,
): string | undefined {
  const values = query.getAll(parameter);
  if (values.length > 1) throw refuse();
  return values[0];
}
