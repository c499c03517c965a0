import { OciError } from "../oci/error.ts";
import { type Page, parsePage } from "../oci/page.ts";

/** Longest text that the administration takes for a name, in UTF-16 code units. */
const NAME_LENGTH_MAX = 255;

/** Reads a member that is a text of some length; a longer one, and an empty one, is none. */
export function readText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= NAME_LENGTH_MAX ? value : undefined;
}

/** Reads a member that is a list of texts, of at most `max`. */
export function readTexts(value: unknown, max: number): string[] | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined;
  const texts = value.map(readText);
  return texts.every((text) => text !== undefined && text.isWellFormed()) ? texts as string[] : undefined;
}

/** Reads a member that is `true` or `false`. */
export function readFlag(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

/** Reads a parameter of the query that is `true` or `false`; absent: `false`. */
export function parseFlag(query: URLSearchParams, name: string): boolean {
  const [text = "false", ...others] = query.getAll(name);
  if (others.length === 0 && (text === "true" || text === "false")) return text === "true";
  throw refused(`Cannot read ${name}: expected true or false`, 400);
}

/** The page of a whole list that a query asks for, in the order of what `keyOf` answers, and where the next one begins. */
export function pageOf<T>(
  items: readonly T[],
  query: URLSearchParams,
  keyOf: (item: T) => string,
): { readonly items: readonly T[]; readonly next?: string } {
  const { limit, last }: Page = parsePage(query);
  const sorted = items.toSorted((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
  const rest = last === undefined ? sorted : sorted.filter((item) => keyOf(item) > last);
  const page = rest.slice(0, limit);
  const end = page.at(-1);
  return end === undefined || rest.length === page.length
    ? { items: page }
    : { items: page, next: keyOf(end) };
}

/** A refusal that the spec has no code for. */
export function refused(message: string, status: 400 | 404 | 409): OciError {
  return new OciError("UNSUPPORTED", message, { status });
}
