import { onlyValue } from "../api/answer.ts";
import { OciError } from "../oci/error.ts";
import { type Page, parsePage } from "../oci/page.ts";
import { COUNT, type Schema, TEXT } from "./route.ts";

/** The parameters of a list, as the OpenAPI document says them. */
export const PAGE: Readonly<Record<string, Schema>> = { n: COUNT, last: TEXT };

/** The page that is asked for, of at most `max` entries; at least one, so that it leads somewhere. */
export function readPage(query: URLSearchParams, max: number): Page {
  const page = parsePage(query);
  return { ...page, limit: Math.max(1, Math.min(page.limit, max)) };
}

/** A parameter that is given once, or not at all. */
export function readText(query: URLSearchParams, parameter: string): string | undefined {
  return onlyValue(query, parameter, () => malformed(parameter, "it is given twice")) || undefined;
}

/**
 * The only parameter of a query, `true` or `false`; left out, it is `false`. Others are refused: of `?dryrun=true` nobody
 * means that it is not there.
 */
export function readOnlyFlag(query: URLSearchParams, parameter: string): boolean {
  const other = [...query.keys()].find((name) => name !== parameter);
  if (other !== undefined) throw malformed("the query", `it has more than ${parameter}`);
  const text = onlyValue(query, parameter, () => malformed(parameter, "it is given twice")) ?? "false";
  if (text !== "true" && text !== "false") throw malformed(parameter, "expected true or false");
  return text === "true";
}

/** A moment as ISO 8601. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** 404: there is no such repository, or it is not for the caller to know of. */
export function unknownRepository(): OciError {
  return new OciError("NAME_UNKNOWN", "Cannot find the repository: there is none of this name");
}

function malformed(parameter: string, reason: string): OciError {
  return new OciError("UNSUPPORTED", `Cannot read ${parameter}: ${reason}`, { status: 400 });
}
