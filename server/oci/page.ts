import { OciError } from "./error.ts";

/** Which part of a list a client asked for. */
export interface Page {
  /** At most so many entries. */
  readonly limit: number;
  /** Only entries after this one, in byte order; it need not exist. */
  readonly last?: string;
}

/** One page of a list. */
export interface Listed<T> {
  readonly entries: readonly T[];
  /** Whether entries follow. */
  readonly more: boolean;
}

/** Most entries of a page, whatever a client asks for. */
export const PAGE_LIMIT_MAX = 10_000;

const COUNT = /^[0-9]{1,19}$/;

/**
 * The page that a query's `n` and `last` ask for (distribution-spec, "Listing tags"). More than `PAGE_LIMIT_MAX` is that
 * many; without `n`, too. An `n` that is no count, or given twice, is refused: serving the whole list instead would
 * surprise.
 */
export function parsePage(query: URLSearchParams): Page {
  const counts = query.getAll("n");
  const last = query.get("last") ?? "";
  if (counts.length > 1 || counts.some((text) => !COUNT.test(text))) {
    throw new OciError("UNSUPPORTED", "Cannot read n: expected one whole number from 0", { status: 400 });
  }
  const limit = Math.min(Number(counts[0] ?? PAGE_LIMIT_MAX), PAGE_LIMIT_MAX);
  return last === "" ? { limit } : { limit, last };
}

/** The `Link` to the page after `last` (RFC 5988). `query` is what the client asked with; what it filtered by is kept. */
export function formatNextLink(path: string, query: URLSearchParams, last: string): string {
  const next = new URLSearchParams(query);
  next.set("last", last);
  return `<${path}?${next}>; rel="next"`;
}

/** The first `limit` of `entries`, of which one more than `limit` was fetched to see whether more follow. */
export function cutPage<T>(entries: readonly T[], limit: number): Listed<T> {
  return { entries: entries.slice(0, limit), more: entries.length > limit };
}
