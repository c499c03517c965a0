import type { Action } from "../access/actions.ts";
import type { Endpoint, WordsOf } from "../api/endpoint.ts";
import { type Route, route } from "../api/route.ts";

/** A JSON Schema (2020-12), as it stands in the OpenAPI document. */
export type Schema = { readonly [keyword: string]: unknown };

/** What the OpenAPI document says of a row. */
export interface RouteDoc {
  /** What it does, in a few words. */
  readonly summary: string;
  /** The parameters of its query, by name. */
  readonly query?: Readonly<Record<string, Schema>>;
  /** The JSON object that it takes. */
  readonly body?: Schema;
  /** What it answers where all goes well: the status, and what is in the body, if anything. */
  readonly answer: { readonly status: number; readonly schema?: Schema };
}

/** A row of the administration API. */
export interface AdminRoute extends Route {
  readonly doc: RouteDoc;
}

/** A row with what the OpenAPI document says of it. */
export function adminRoute<Path extends string>(
  methods: string,
  path: Path,
  { action, endpoint, ...doc }: RouteDoc & {
    readonly action: Action;
    readonly endpoint: Endpoint<WordsOf<Path>>;
  },
): AdminRoute {
  return { ...route(methods, path, { action, endpoint }), doc };
}

/** An object with these members, all of them required but those in `optional`, and no others. */
export function objectSchema(
  properties: Readonly<Record<string, Schema>>,
  { optional = [] }: { readonly optional?: readonly string[] } = {},
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required, additionalProperties: false };
}

/** A list of such items. */
export function listSchema(items: Schema): Schema {
  return { type: "array", items };
}

/** A text. */
export const TEXT: Schema = { type: "string" };

/** A list of texts. */
export const TEXTS: Schema = listSchema(TEXT);

/** A moment: ISO 8601. */
export const TIME: Schema = { type: "string", format: "date-time" };

/** A whole number, not negative: a count, or a size in bytes. */
export const COUNT: Schema = { type: "integer", minimum: 0 };

/** `true` or `false`. */
export const FLAG: Schema = { type: "boolean" };
