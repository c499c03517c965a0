import { SCOPE_ACTIONS, type ScopeVerb } from "../access/actions.ts";
import { findPatternProblem } from "../../plugins/contract/pattern.ts";
import type {
  IssuedToken,
  PersonalTokens,
  StoredToken,
  TokenOrder,
  TokenOwner,
  TokenScope,
} from "../access/personal_tokens.ts";
import { emptyAnswer, jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import { OciError } from "../oci/error.ts";
import type { Registry } from "../registry/registry.ts";
import { type Fields, readFields } from "./body.ts";
import { type AdminRoute, adminRoute, listSchema, objectSchema, TEXT, TEXTS, TIME } from "./route.ts";

const SCOPES = listSchema(objectSchema({
  repositories: TEXT,
  actions: listSchema({ enum: Object.keys(SCOPE_ACTIONS) }),
}));

const ORDER = { name: TEXT, expires_at: TIME, scopes: SCOPES };

const TOKEN = {
  id: TEXT,
  name: TEXT,
  kind: { enum: ["robot", "personal"] },
  owner: TEXT,
  groups: TEXTS,
  scopes: SCOPES,
  created_at: TIME,
  rotated_at: TIME,
  expires_at: TIME,
};

const OPTIONAL = ["owner", "groups", "scopes", "rotated_at", "expires_at"];

const TOKENS = objectSchema({
  tokens: listSchema(objectSchema({ ...TOKEN, last_used_at: TIME, last_used_from: TEXT }, {
    optional: [...OPTIONAL, "last_used_at", "last_used_from"],
  })),
});

/** A token with its text, which is shown this once. */
const ISSUED = objectSchema({ ...TOKEN, token: TEXT }, { optional: OPTIONAL });

/** Tokens that somebody may make for themselves, and have at a time. */
const OWN_TOKENS_MAX = 100;

/** The rows of tokens: the caller's own, and everybody's. */
export function tokenRoutes(): readonly AdminRoute[] {
  return [...ownRoutes(), ...allRoutes()];
}

function ownRoutes(): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/me/tokens", {
      action: "own-tokens",
      summary: "The caller's tokens, and when they were used last",
      answer: { status: 200, schema: TOKENS },
      endpoint: listOwn,
    }),
    adminRoute("POST", "/admin/v1/me/tokens", {
      action: "own-tokens",
      summary: "Make a token that stands for the caller",
      body: objectSchema(ORDER, { optional: ["expires_at", "scopes"] }),
      answer: { status: 201, schema: ISSUED },
      endpoint: createOwn,
    }),
    adminRoute("POST", "/admin/v1/me/tokens/<token>/rotate", {
      action: "own-tokens",
      summary: "Give a token of the caller's another secret",
      answer: { status: 200, schema: ISSUED },
      endpoint: rotateOwn,
    }),
    adminRoute("DELETE", "/admin/v1/me/tokens/<token>", {
      action: "own-tokens",
      summary: "Take a token of the caller's back",
      answer: { status: 204 },
      endpoint: revokeOwn,
    }),
  ];
}

function allRoutes(): readonly AdminRoute[] {
  return [
    adminRoute("GET HEAD", "/admin/v1/tokens", {
      action: "admin.list-tokens",
      summary: "Everybody's tokens, and when they were used last",
      answer: { status: 200, schema: TOKENS },
      endpoint: list,
    }),
    adminRoute("POST", "/admin/v1/tokens", {
      action: "admin.create-token",
      summary: "Make a token for somebody, or, without an owner, a robot's",
      body: objectSchema({ ...ORDER, owner: TEXT, groups: TEXTS }, {
        optional: ["expires_at", "scopes", "owner", "groups"],
      }),
      answer: { status: 201, schema: ISSUED },
      endpoint: create,
    }),
    adminRoute("POST", "/admin/v1/tokens/<token>/rotate", {
      action: "admin.rotate-token",
      summary: "Give a token another secret",
      answer: { status: 200, schema: ISSUED },
      endpoint: rotate,
    }),
    adminRoute("DELETE", "/admin/v1/tokens/<token>", {
      action: "admin.revoke-token",
      summary: "Take a token back",
      answer: { status: 204 },
      endpoint: revoke,
    }),
  ];
}

/** `GET /admin/v1/me/tokens`: the caller's tokens. */
async function listOwn(_: Registry, call: Call): Promise<Response> {
  const owner = requireSelf(call);
  const tokens = await call.access.personalTokens.list();
  return await listAnswer(call.access.personalTokens, tokens.filter((token) => token.owner === owner));
}

/** `POST /admin/v1/me/tokens`: a token that stands for the caller. */
async function createOwn(_: Registry, call: Call): Promise<Response> {
  const owner = await requireOwner(call, requireSelf(call));
  const order = readOrder(await readFields(call, ["name", "expires_at", "scopes"]));
  await requireRoom(call, owner);
  return issuedAnswer(201, await call.access.personalTokens.create({ ...order, ...owner }));
}

/** `POST /admin/v1/me/tokens/<token>/rotate`: another secret for a token of the caller's. */
async function rotateOwn(_: Registry, call: Call<"token">): Promise<Response> {
  await requireOwnToken(call);
  return await rotateToken(call);
}

/** `DELETE /admin/v1/me/tokens/<token>`. */
async function revokeOwn(_: Registry, call: Call<"token">): Promise<Response> {
  await requireOwnToken(call);
  return await revokeToken(call);
}

/** `GET /admin/v1/tokens`: everybody's tokens. */
async function list(_: Registry, { access }: Call): Promise<Response> {
  return await listAnswer(access.personalTokens, await access.personalTokens.list());
}

/** `POST /admin/v1/tokens`: a token for somebody (`owner`), or, without one, a robot's. */
async function create(_: Registry, call: Call): Promise<Response> {
  const fields = await readFields(call, ["name", "owner", "groups", "expires_at", "scopes"]);
  const owner = fields.optional("owner", readText);
  const groups = fields.optional("groups", (value) => readList(value, readText));
  if (owner !== undefined && groups !== undefined) {
    throw fields.refuse("groups", "only a robot's token has groups");
  }
  const found = owner === undefined ? {} : await requireOwner(call, owner);
  const order = { ...readOrder(fields), ...found, ...(groups && { groups }) };
  return issuedAnswer(201, await call.access.personalTokens.create(order));
}

/** `POST /admin/v1/tokens/<token>/rotate`: another secret. */
function rotate(_: Registry, call: Call<"token">): Promise<Response> {
  return rotateToken(call);
}

/** `DELETE /admin/v1/tokens/<token>`. */
function revoke(_: Registry, call: Call<"token">): Promise<Response> {
  return revokeToken(call);
}

/** The caller's id. A token makes no tokens: it could outlive its own end so. */
function requireSelf({ caller }: Call): string {
  const { identity, authentication } = caller;
  if (identity.id === null) throw caller.refuse("Cannot have tokens: the caller is anonymous");
  if (authentication.by === "token") {
    throw new OciError("DENIED", "Cannot manage tokens with a token: sign in otherwise");
  }
  return identity.id;
}

async function requireOwner({ access }: Call, id: string): Promise<TokenOwner> {
  const owner = await access.ownerOf(id);
  if (owner) return owner;
  throw new OciError(
    "DENIED",
    "Cannot make a token: it could not be known later whether its owner is still there",
  );
}

async function requireRoom({ access }: Call, { owner }: TokenOwner): Promise<void> {
  const tokens = await access.personalTokens.list();
  if (tokens.filter((token) => token.owner === owner).length < OWN_TOKENS_MAX) return;
  throw new OciError("UNSUPPORTED", `Cannot make a token: you have ${OWN_TOKENS_MAX}, take one back first`, {
    status: 409,
  });
}

async function requireOwnToken(call: Call<"token">): Promise<void> {
  const owner = requireSelf(call);
  const token = await call.access.personalTokens.get(call.words.token);
  if (token?.owner !== owner) throw unknownToken();
}

async function rotateToken({ access, words }: Call<"token">): Promise<Response> {
  const issued = await access.personalTokens.rotate(words.token);
  if (!issued) throw unknownToken();
  return issuedAnswer(200, issued);
}

async function revokeToken({ access, words }: Call<"token">): Promise<Response> {
  if (!await access.personalTokens.revoke(words.token)) throw unknownToken();
  return emptyAnswer(204, {});
}

function readOrder(fields: Fields): TokenOrder {
  const expiresAtMs = fields.optional("expires_at", readTime);
  const scopes = fields.optional("scopes", (value) => readList(value, readScope));
  return {
    name: fields.required("name", readText),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
    ...(scopes && { scopes }),
  };
}

/** No control characters: a robot's token has a name that stands in logs and rules as a user name does. */
function readText(value: unknown): string | undefined {
  return typeof value === "string" && /^\P{Cc}{1,255}$/u.test(value) && value.isWellFormed()
    ? value
    : undefined;
}

function readTime(value: unknown): number | undefined {
  const time = typeof value === "string" ? Date.parse(value) : NaN;
  return time > Date.now() ? time : undefined;
}

function readList<T>(value: unknown, read: (item: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value) || value.length > 100) return undefined;
  const items = value.map(read);
  return items.every((item) => item !== undefined) ? items as T[] : undefined;
}

function readScope(value: unknown): TokenScope | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { repositories, actions, ...rest } = value as Record<string, unknown>;
  const verbs = readList(actions, readVerb);
  if (
    typeof repositories !== "string" || findPatternProblem(repositories) || !verbs ||
    Object.keys(rest).length > 0
  ) {
    return undefined;
  }
  return { repositories, actions: verbs };
}

function readVerb(value: unknown): ScopeVerb | undefined {
  return (Object.keys(SCOPE_ACTIONS) as ScopeVerb[]).find((verb) => verb === value);
}

async function listAnswer(tokens: PersonalTokens, found: readonly StoredToken[]): Promise<Response> {
  const shown = await Promise.all(found.map(async (token) => {
    const use = await tokens.lastUse(token.id);
    return {
      ...describe(token),
      ...(use && { last_used_at: formatTime(use.usedAtMs), last_used_from: use.clientAddress }),
    };
  }));
  return jsonAnswer({ tokens: shown });
}

function issuedAnswer(status: number, { token, text }: IssuedToken): Response {
  return jsonAnswer({ ...describe(token), token: text }, {
    status,
    headers: { "Cache-Control": "no-store" },
  });
}

function describe({ id, name, owner, groups, scopes, createdAtMs, rotatedAtMs, expiresAtMs }: StoredToken) {
  return {
    id,
    name,
    ...(owner === undefined ? { kind: "robot", groups: groups ?? [] } : { kind: "personal", owner }),
    ...(scopes && { scopes }),
    created_at: formatTime(createdAtMs),
    ...(rotatedAtMs !== undefined && { rotated_at: formatTime(rotatedAtMs) }),
    ...(expiresAtMs !== undefined && { expires_at: formatTime(expiresAtMs) }),
  };
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}

function unknownToken(): OciError {
  return new OciError("UNSUPPORTED", "Cannot find the token: there is none with this id", { status: 404 });
}
