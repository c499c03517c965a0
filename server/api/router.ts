import { parseDigest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { parseReference, parseTag } from "../oci/reference.ts";
import { parseUploadSession } from "../oci/upload.ts";
import type { Word, Words } from "./endpoint.ts";
import type { Route } from "./route.ts";

/** A row that fits, and the words that its path had. */
export interface Match {
  readonly route: Route;
  readonly words: Partial<Words>;
}

interface Pattern {
  readonly shape: RegExp;
  readonly words: readonly Word[];
  readonly routes: readonly Route[];
}

const PATH_LENGTH_MAX = 2_048;

/** One parser a word. A tag that cannot be is malformed where it is to be written, and unknown elsewhere. */
const PARSERS: { readonly [W in Word]: (text: string, method: string) => Words[W] } = {
  name: parseRepositoryName,
  digest: (text) => parseDigest(decode(text)),
  reference: (text, method) =>
    parseReference(decode(text), method === "PUT" ? "MANIFEST_INVALID" : "MANIFEST_UNKNOWN"),
  upload: parseUploadSession,
  token: parseTokenId,
  tag: (text) => parseTag(decode(text), "MANIFEST_UNKNOWN"),
  id: parseText,
  role: parseText,
  plugin: parseText,
  binding: parseId,
  job: parseId,
};

/** Finds the row for a method and a path. */
export type Router = (method: string, path: string) => Match;

/**
 * A router over a table. The first row that fits a path is the one that counts. The path is taken as it arrived: apart from
 * the escapes in a digest or a reference, which some clients write (`sha256%3A…`), and in words that may be any text,
 * nothing is decoded, folded or trimmed, so that no second spelling of a path gets around anything.
 */
export function createRouter(table: readonly Route[]): Router {
  const patterns = [...new Set(table.map(({ path }) => path))].map((path): Pattern => ({
    shape: new RegExp(`^${path.replace("<name>", "(.+)").replaceAll(/<\w+>/g, "([^/]*)")}$`),
    words: [...path.matchAll(/<(\w+)>/g)].map(([, word]) => word as Word),
    routes: table.filter((route) => route.path === path),
  }));
  return (method, path) => {
    if (path.length > PATH_LENGTH_MAX) throw notFound();
    for (const { shape, words, routes } of patterns) {
      const texts = shape.exec(path);
      if (!texts) continue;
      const route = routes.find((route) => route.methods.includes(method));
      if (!route) throw methodNotAllowed(method, routes);
      return { route, words: parseWords(words, texts.slice(1), method) };
    }
    throw notFound();
  };
}

function parseTokenId(text: string): string {
  if (/^[0-9a-f]{20}$/.test(text)) return text;
  throw notFound();
}

function parseId(text: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(text)) return text;
  throw notFound();
}

/** Any text, percent-encoded; no name has control characters in it. */
function parseText(text: string): string {
  const decoded = text.length <= 1_024 ? decode(text) : "";
  if (decoded !== "" && !/\p{Cc}/u.test(decoded)) return decoded;
  throw notFound();
}

function parseWords(words: readonly Word[], texts: readonly string[], method: string): Partial<Words> {
  return Object.fromEntries(words.map((word, index) => [word, PARSERS[word](texts[index]!, method)]));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function notFound(): OciError {
  return new OciError("UNSUPPORTED", "Cannot serve the path: it is none of the registry's", { status: 404 });
}

function methodNotAllowed(method: string, routes: readonly Route[]): OciError {
  const allowed = routes.flatMap((route) => route.methods).join(", ");
  return new OciError("UNSUPPORTED", `Cannot ${method} this path: it takes ${allowed}`, {
    headers: { Allow: allowed },
  });
}
