import type { Action } from "../access/actions.ts";
import type { Tag } from "../oci/reference.ts";
import type { Endpoint, Word, Words, WordsOf } from "./endpoint.ts";

/** One row: these methods on this path are this action, served by this endpoint. */
export interface Route {
  readonly methods: readonly string[];
  readonly path: string;
  readonly action: Action;
  readonly endpoint: Endpoint<Word>;
  /** The tags that the request is to set, where its path and query say it. */
  readonly tags?: (query: URLSearchParams, words: Partial<Words>) => readonly Tag[];
}

/** A row whose endpoint reads a word that its path lacks does not compile. */
export function route<Path extends string>(
  methods: string,
  path: Path,
  { endpoint, ...row }: Omit<Route, "methods" | "path" | "endpoint"> & {
    readonly endpoint: Endpoint<WordsOf<Path>>;
  },
): Route {
  return { ...row, methods: methods.split(" "), path, endpoint: endpoint as Endpoint<Word> };
}
