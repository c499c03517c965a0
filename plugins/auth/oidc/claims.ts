/** What a token says: finding it, and making an identity of it. */

import type { JsonObject, JsonValue } from "@sreg/contract/identity.ts";

/** A token of the issuer that is worth nothing; the message is the reason. */
export class TokenRefusal extends Error {
  /** A refusal; `reason` ends the sentence "the token was refused: …". */
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = "TokenRefusal";
  }
}

/** A claim's value that other values can be held against. */
export type Scalar = string | number | boolean;

/** Claims that a token must have, each with the values that it may have. */
export type RequiredClaims = ReadonlyMap<string, readonly Scalar[]>;

/** The claims that identities are made of. */
export interface ClaimNames {
  readonly id: string;
  /** The first that a token has is taken. */
  readonly username: readonly string[];
  readonly groups: string | undefined;
}

const DEPTH_MAX = 16;
const GROUPS_MAX = 1_000;
const NAME_LENGTH_MAX = 1_024;
const SHOWN_LENGTH_MAX = 200;

/**
 * The claim at `path`, whose dots lead into objects: `realm_access.roles`. The longest name that exists is followed
 * first, so that claims with dots in their own names, as in `kubernetes.io.namespace`, are found, too.
 */
export function claimAt(claims: JsonObject, path: string): JsonValue | undefined {
  if (Object.hasOwn(claims, path)) return claims[path];
  for (let dot = path.lastIndexOf("."); dot > 0; dot = path.lastIndexOf(".", dot - 1)) {
    const name = path.slice(0, dot);
    const inner = Object.hasOwn(claims, name) ? claims[name] : undefined;
    const found = isObject(inner) ? claimAt(inner, path.slice(dot + 1)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Refuses claims that could not be handed on: nested too deep, or with numbers that no JSON can hold. */
export function checkShape(value: JsonValue, depth = 0): void {
  if (depth > DEPTH_MAX) throw new TokenRefusal(`its claims are nested deeper than ${DEPTH_MAX} levels`);
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TokenRefusal("its claims hold a number that is out of range");
  }
  if (typeof value !== "object" || value === null) return;
  for (const item of Object.values(value)) checkShape(item, depth + 1);
}

/** Refuses claims that have not what is required. Of a claim that is a list, one item must be among the values. */
export function checkRequired(claims: JsonObject, required: RequiredClaims): void {
  for (const [path, allowed] of required) {
    const value = claimAt(claims, path);
    if (value === undefined) throw new TokenRefusal(`it has no claim ${quote(path)}, which is required`);
    const values = Array.isArray(value) ? value : [value];
    if (values.some((item) => allowed.includes(item))) continue;
    throw new TokenRefusal(
      `its claim ${quote(path)} is ${quote(value)}, expected ${allowed.map(quote).join(" or ")}`,
    );
  }
}

/** The id, the username and the groups that claims come to. Throws a `TokenRefusal` where one cannot be told. */
export function readIdentity(
  claims: JsonObject,
  names: ClaimNames,
): { readonly id: string; readonly username: string; readonly groups: readonly string[] } {
  const id = readName(claims, names.id);
  if (id === undefined) throw new TokenRefusal(`it has no claim ${quote(names.id)}, which its id is made of`);
  const username = names.username.map((path) => readUsername(claims, path)).find((name) =>
    name !== undefined
  );
  if (username === undefined) {
    throw new TokenRefusal(`it has no claim ${names.username.map(quote).join(" or ")} for a username`);
  }
  return { id, username, groups: names.groups === undefined ? [] : readGroups(claims, names.groups) };
}

/** A value as it is shown in a reason: of a bounded length and depth, with nothing that could control a terminal. */
export function quote(value: unknown): string {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (items.some((item) => typeof item === "object" && item !== null)) return "an object";
  const shown = JSON.stringify(value) ?? "undefined";
  return shown.length > SHOWN_LENGTH_MAX ? `${shown.slice(0, SHOWN_LENGTH_MAX)}…` : shown;
}

/** Whether a value is an object, and no list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Anybody may claim an address that the provider has not verified. */
function readUsername(claims: JsonObject, path: string): string | undefined {
  const isUnverified = path === "email" && Object.hasOwn(claims, "email_verified") &&
    claims["email_verified"] !== true && claims["email_verified"] !== "true";
  return isUnverified ? undefined : readName(claims, path);
}

function readName(claims: JsonObject, path: string): string | undefined {
  const value = claimAt(claims, path);
  if (value === undefined || value === null || value === "") return undefined;
  return asName(value, `its claim ${quote(path)}`);
}

function readGroups(claims: JsonObject, path: string): string[] {
  const value = claimAt(claims, path) ?? [];
  const groups = Array.isArray(value) ? value : [value];
  if (groups.length > GROUPS_MAX) {
    throw new TokenRefusal(`its claim ${quote(path)} has ${groups.length} items, more than ${GROUPS_MAX}`);
  }
  return groups.map((group) => asName(group, `an item of its claim ${quote(path)}`));
}

function asName(value: JsonValue, what: string): string {
  if (typeof value !== "string") throw new TokenRefusal(`${what} is no text`);
  if (value.length > NAME_LENGTH_MAX) {
    throw new TokenRefusal(`${what} is longer than ${NAME_LENGTH_MAX} characters`);
  }
  return value;
}
