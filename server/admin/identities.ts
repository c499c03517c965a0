import type { ConfiguredIdentity } from "../../plugins/contract/auth.ts";
import { findPasswordProblem } from "../../plugins/contract/password.ts";
import type { AccessStore } from "../access/access_store.ts";
import { findTaken, type IdentityChange, type IdentityRecord } from "../access/identities.ts";
import { emptyAnswer, jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import { type Fields, readFields } from "./body.ts";
import { pageOf, readFlag, readText, readTexts, refused } from "./members.ts";
import {
  type AdminRoute,
  adminRoute,
  COUNT,
  FLAG,
  listSchema,
  objectSchema,
  TEXT,
  TEXTS,
  TIME,
} from "./route.ts";

/** What the rows of identities are served from. */
export interface IdentityParts {
  readonly store: Pick<AccessStore, "identities">;
}

const IDENTITY = objectSchema({
  id: TEXT,
  username: TEXT,
  groups: TEXTS,
  source: { enum: ["file", "store"] },
  disabled: FLAG,
  created_at: TIME,
  password_changed_at: TIME,
}, { optional: ["created_at", "password_changed_at"] });

const IDENTITIES = objectSchema({ identities: listSchema(IDENTITY), next: TEXT }, { optional: ["next"] });

const ORDER = { id: TEXT, username: TEXT, password: TEXT, password_hash: TEXT, groups: TEXTS };

const CHANGE = { disabled: FLAG, groups: TEXTS, password: TEXT, password_hash: TEXT };

const GROUPS_MAX = 100;
/** Longest id, in bytes of UTF-8: it becomes part of a file's name, two characters a byte. */
const ID_BYTES_MAX = 120;
/** No colon: before one stands who vouches for somebody of elsewhere, and in Basic credentials it ends the user name. */
const NAME = /^[^:\p{Cc}]+$/u;

/** The rows of identities. */
export function identityRoutes(parts: IdentityParts): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/identities", {
      action: "admin.list-identities",
      summary: "The identities of the configuration and of the store",
      query: { n: COUNT, last: TEXT },
      answer: { status: 200, schema: IDENTITIES },
      endpoint: (_, call) => list(parts, call),
    }),
    adminRoute("POST", "/admin/v1/identities", {
      action: "admin.create-identity",
      summary:
        "Make an identity, with a password, the hash of one or neither. Without an id its user name is its id",
      body: objectSchema(ORDER, { optional: ["id", "password", "password_hash", "groups"] }),
      answer: { status: 201, schema: IDENTITY },
      endpoint: (_, call) => create(parts, call),
    }),
    adminRoute("GET HEAD", "/admin/v1/identities/<id>", {
      action: "admin.list-identities",
      summary: "An identity",
      answer: { status: 200, schema: IDENTITY },
      endpoint: (_, call) => show(parts, call),
    }),
    adminRoute("PATCH", "/admin/v1/identities/<id>", {
      action: "admin.change-identity",
      summary: "Disable an identity or enable it, change its groups, give it another password",
      body: objectSchema(CHANGE, { optional: Object.keys(CHANGE) }),
      answer: { status: 200, schema: IDENTITY },
      endpoint: (_, call) => change(parts, call),
    }),
    adminRoute("DELETE", "/admin/v1/identities/<id>", {
      action: "admin.delete-identity",
      summary: "Delete an identity, and all tokens of it",
      answer: { status: 204 },
      endpoint: (_, call) => remove(parts, call),
    }),
  ];
}

async function list({ store }: IdentityParts, { access, query }: Call): Promise<Response> {
  const [configured, stored] = await Promise.all([access.directory.identities(), store.identities.list()]);
  const ids = new Set(configured.map(({ id }) => id));
  const all = [
    ...configured.map(describeConfigured),
    ...stored.filter(({ id }) => !ids.has(id)).map(describe),
  ];
  const { items, ...next } = pageOf(all, query, ({ id }) => id);
  return jsonAnswer({ identities: items, ...next });
}

async function create({ store }: IdentityParts, call: Call): Promise<Response> {
  const fields = await readFields(call, Object.keys(ORDER));
  const username = fields.required("username", readName);
  const id = fields.optional("id", readName) ?? username;
  checkId(fields, id);
  const groups = fields.optional("groups", readGroups) ?? [];
  const clash = findTaken({ id, username }, await call.access.directory.identities());
  if (clash) throw taken(clash);
  // A password is not worth hashing for a name that is taken; that both are free is looked at again with the hash.
  if (await store.identities.get(id)) throw taken("id");
  const passwordHash = await readPassword(fields, call);
  const password = passwordHash === undefined ? {} : { passwordHash };
  const created = await store.identities.create({ id, username, groups, ...password });
  if (typeof created === "string") throw taken(created);
  return jsonAnswer(describe(created), { status: 201 });
}

async function show({ store }: IdentityParts, { access, words: { id } }: Call<"id">): Promise<Response> {
  const configured = (await access.directory.identities()).find((identity) => identity.id === id);
  if (configured) return jsonAnswer(describeConfigured(configured));
  const stored = await store.identities.get(id);
  if (!stored) throw unknownIdentity();
  return jsonAnswer(describe(stored));
}

async function change({ store }: IdentityParts, call: Call<"id">): Promise<Response> {
  const { words: { id }, access, caller } = call;
  const fields = await readFields(call, Object.keys(CHANGE));
  await refuseConfigured(call, id);
  if (!await store.identities.get(id)) throw unknownIdentity();
  const disabled = fields.optional("disabled", readFlag);
  const groups = fields.optional("groups", readGroups);
  if (disabled === true && caller.identity.id === id) {
    throw refused("Cannot disable the identity: it is your own", 409);
  }
  const passwordHash = await readPassword(fields, call);
  const endsTokens = disabled === true || passwordHash !== undefined;
  const changed = await store.identities.change(
    id,
    {
      ...(disabled !== undefined && { disabled }),
      ...(groups && { groups }),
      ...(passwordHash !== undefined && { passwordHash }),
      endsTokens,
    } satisfies IdentityChange,
  );
  if (!changed) throw unknownIdentity();
  if (endsTokens) await access.personalTokens.revokeAllOf(id);
  return jsonAnswer(describe(changed));
}

/** One that is hidden behind one of the configuration goes too: it would come back when that goes. */
async function remove({ store }: IdentityParts, call: Call<"id">): Promise<Response> {
  const { words: { id }, access, caller } = call;
  if (caller.identity.id === id) throw refused("Cannot delete the identity: it is your own", 409);
  if (!await store.identities.get(id)) {
    await refuseConfigured(call, id);
    throw unknownIdentity();
  }
  await store.identities.delete(id);
  await access.personalTokens.revokeAllOf(id);
  return emptyAnswer(204, {});
}

/** The hash of the password that a request has, or the one that it has itself; `undefined`: neither. */
async function readPassword(fields: Fields, { access }: Call): Promise<string | undefined> {
  const password = fields.optional("password", readSecret);
  const passwordHash = fields.optional("password_hash", readSecret);
  if (password !== undefined && passwordHash !== undefined) {
    throw fields.refuse("password_hash", "expected it or password, found both");
  }
  if (password !== undefined) {
    return await hashNewPassword({ fields, name: "password", password }, access);
  }
  if (passwordHash === undefined) return undefined;
  const problem = await access.directory.findHashProblem(passwordHash);
  if (problem !== null) throw fields.refuse("password_hash", problem);
  return passwordHash;
}

/** The hash of a member that is to be a password. */
export async function hashNewPassword(
  { fields, name, password }: { readonly fields: Fields; readonly name: string; readonly password: string },
  access: Call["access"],
): Promise<string> {
  const problem = findPasswordProblem(password);
  if (problem !== undefined) throw fields.refuse(name, problem);
  return await access.directory.hashPassword(password);
}

/** Reads a member that is a password or a hash of one: how long it may be is said elsewhere. */
export function readSecret(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Ends a request about an identity that only the configuration can change. */
export async function refuseConfigured({ access }: Call, id: string): Promise<void> {
  const configured = await access.directory.identities();
  if (!configured.some((identity) => identity.id === id)) return;
  throw refused("Cannot change the identity: it is written in the configuration", 409);
}

function readName(value: unknown): string | undefined {
  const text = readText(value);
  return text !== undefined && NAME.test(text) && text.isWellFormed() ? text : undefined;
}

function readGroups(value: unknown): string[] | undefined {
  return readTexts(value, GROUPS_MAX);
}

function checkId(fields: Fields, id: string): void {
  if (new TextEncoder().encode(id).length > ID_BYTES_MAX) {
    throw fields.refuse("id", `expected at most ${ID_BYTES_MAX} bytes`);
  }
  // No URL has them in its path: whoever reads it takes them for something else.
  if (id === "." || id === "..") throw fields.refuse("id", "it does not fit");
}

function describe(identity: IdentityRecord) {
  const { id, username, groups, disabled = false, passwordHash, createdAtMs, passwordChangedAtMs } = identity;
  return {
    id,
    username,
    groups,
    source: "store",
    disabled,
    created_at: formatTime(createdAtMs),
    ...(passwordHash !== undefined && { password_changed_at: formatTime(passwordChangedAtMs) }),
  };
}

function describeConfigured({ id, username, groups }: ConfiguredIdentity) {
  return { id, username, groups, source: "file", disabled: false };
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}

function taken(what: "id" | "username") {
  const name = what === "id" ? "id" : "user name";
  return refused(`Cannot make the identity: another one has the ${name}`, 409);
}

function unknownIdentity() {
  return refused("Cannot find the identity: there is none with this id", 404);
}
