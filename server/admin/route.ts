import type { Action } from "../access/actions.ts";
import type { Call, Endpoint, WordsOf } from "../api/endpoint.ts";
import { type Route, route } from "../api/route.ts";
import { OciError } from "../oci/error.ts";

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

/** The methods of a row that changes nothing. */
const LOOK = "GET HEAD";

/** A row with what the OpenAPI document says of it. */
export function adminRoute<Path extends string>(
  methods: string,
  path: Path,
  { action, endpoint, ...doc }: RouteDoc & {
    readonly action: Action;
    readonly endpoint: Endpoint<WordsOf<Path>>;
  },
): AdminRoute {
  if (methods === LOOK) return { ...route(methods, path, { action, endpoint }), doc };
  const guarded: typeof endpoint = async (registry, call) => {
    refuseOtherSites(call);
    return await endpoint(registry, call);
  };
  return { ...route(methods, path, { action, endpoint: guarded }), doc };
}

/**
 * Ends a request that changes something, and which a page of elsewhere had a browser send: that brings the credentials of
 * whoever looks at the page, or reaches a registry that needs none. (Fetch Metadata; over plain HTTP browsers send `Origin` alone.)
 */
function refuseOtherSites({ headers, request }: Call): void {
  const site = headers.get("Sec-Fetch-Site");
  const origin = headers.get("Origin");
  const isOwn = site === null
    ? origin === null || hostOf(origin) === hostOf(request.origin)
    : site === "same-origin" || site === "none";
  if (!isOwn) throw new OciError("DENIED", "Cannot do this for a page of another site");
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
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
