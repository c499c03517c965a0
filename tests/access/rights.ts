/**
 * Who may do what, written down by hand: what the matrix of requests is held against. Nothing of it comes from the code
 * under test.
 *
 * @module
 */

import type { USERS } from "./scene.ts";

/** What a request needs. */
export type Need = "token" | "version" | "catalog" | "pull" | "push" | "delete" | "own" | "admin";

/** The repositories that requests are about; `""`: none. */
export const REPOSITORIES = ["team/app", "public/app", "secret/app"] as const;

/** One of them, or none. */
export type Place = (typeof REPOSITORIES)[number] | "";

/** What each row of the route table needs, and what it answers to those who have it. */
export const ROWS: Readonly<Record<string, readonly [need: Need, status: number]>> = {
  "GET /v2/": ["version", 200],
  "HEAD /v2/": ["version", 200],
  "GET /v2/_catalog": ["catalog", 200],
  "HEAD /v2/_catalog": ["catalog", 200],
  "GET /v2/tags/list": ["catalog", 200],
  "HEAD /v2/tags/list": ["catalog", 200],
  "GET /v2/_oci/ext/discover": ["version", 200],
  "HEAD /v2/_oci/ext/discover": ["version", 200],

  "POST /v2/<name>/blobs/uploads/": ["push", 202],
  "GET /v2/<name>/blobs/uploads/<upload>": ["push", 204],
  "HEAD /v2/<name>/blobs/uploads/<upload>": ["push", 204],
  "PATCH /v2/<name>/blobs/uploads/<upload>": ["push", 202],
  "PUT /v2/<name>/blobs/uploads/<upload>": ["push", 201],
  "DELETE /v2/<name>/blobs/uploads/<upload>": ["push", 204],

  "GET /v2/<name>/blobs/<digest>": ["pull", 200],
  "HEAD /v2/<name>/blobs/<digest>": ["pull", 200],
  "DELETE /v2/<name>/blobs/<digest>": ["delete", 202],

  "GET /v2/<name>/manifests/<reference>": ["pull", 200],
  "HEAD /v2/<name>/manifests/<reference>": ["pull", 200],
  "PUT /v2/<name>/manifests/<reference>": ["push", 201],
  "DELETE /v2/<name>/manifests/<reference>": ["delete", 202],

  "GET /token": ["token", 200],
  "HEAD /token": ["token", 200],
  "POST /token": ["token", 200],
  "GET /token/keys": ["token", 200],
  "HEAD /token/keys": ["token", 200],

  "GET /v2/<name>/tags/list": ["pull", 200],
  "HEAD /v2/<name>/tags/list": ["pull", 200],
  "GET /v2/<name>/referrers/<digest>": ["pull", 200],
  "HEAD /v2/<name>/referrers/<digest>": ["pull", 200],

  "GET /admin/v1/openapi.json": ["own", 200],
  "HEAD /admin/v1/openapi.json": ["own", 200],
  "GET /admin/v1/status": ["admin", 200],
  "HEAD /admin/v1/status": ["admin", 200],
  "GET /admin/v1/plugins": ["admin", 200],
  "HEAD /admin/v1/plugins": ["admin", 200],
  "GET /admin/v1/plugins/<plugin>": ["admin", 200],
  "HEAD /admin/v1/plugins/<plugin>": ["admin", 200],
  "GET /admin/v1/config": ["admin", 200],
  "HEAD /admin/v1/config": ["admin", 200],
  "POST /admin/v1/config/check": ["admin", 200],
  "POST /admin/v1/config/reload": ["admin", 200],
  "GET /admin/v1/audit": ["admin", 200],
  "HEAD /admin/v1/audit": ["admin", 200],

  "GET /admin/v1/me": ["own", 200],
  "HEAD /admin/v1/me": ["own", 200],

  "PUT /admin/v1/me/password": ["own", 409],

  "GET /admin/v1/identities": ["admin", 200],
  "HEAD /admin/v1/identities": ["admin", 200],
  "POST /admin/v1/identities": ["admin", 201],
  "GET /admin/v1/identities/<id>": ["admin", 200],
  "HEAD /admin/v1/identities/<id>": ["admin", 200],
  "PATCH /admin/v1/identities/<id>": ["admin", 200],
  "DELETE /admin/v1/identities/<id>": ["admin", 204],

  "GET /admin/v1/roles": ["admin", 200],
  "HEAD /admin/v1/roles": ["admin", 200],
  "PUT /admin/v1/roles/<role>": ["admin", 201],
  "DELETE /admin/v1/roles/<role>": ["admin", 204],

  "GET /admin/v1/bindings": ["admin", 200],
  "HEAD /admin/v1/bindings": ["admin", 200],
  "POST /admin/v1/bindings": ["admin", 201],
  "DELETE /admin/v1/bindings/<binding>": ["admin", 204],

  "GET /admin/v1/me/tokens": ["own", 200],
  "HEAD /admin/v1/me/tokens": ["own", 200],
  "POST /admin/v1/me/tokens": ["own", 201],
  "POST /admin/v1/me/tokens/<token>/rotate": ["own", 200],
  "DELETE /admin/v1/me/tokens/<token>": ["own", 204],

  "GET /admin/v1/jobs": ["admin", 200],
  "HEAD /admin/v1/jobs": ["admin", 200],
  "POST /admin/v1/jobs": ["admin", 400],
  "GET /admin/v1/jobs/<job>": ["admin", 404],
  "HEAD /admin/v1/jobs/<job>": ["admin", 404],
  "GET /admin/v1/jobs/<job>/lines": ["admin", 404],
  "HEAD /admin/v1/jobs/<job>/lines": ["admin", 404],
  "POST /admin/v1/jobs/<job>/cancel": ["admin", 404],
  "POST /admin/v1/jobs/<job>/resume": ["admin", 404],

  "GET /admin/v1/repositories": ["admin", 200],
  "HEAD /admin/v1/repositories": ["admin", 200],
  "GET /admin/v1/repositories/<name>": ["admin", 200],
  "HEAD /admin/v1/repositories/<name>": ["admin", 200],
  "DELETE /admin/v1/repositories/<name>": ["admin", 200],
  "GET /admin/v1/repositories/<name>/_tags": ["admin", 200],
  "HEAD /admin/v1/repositories/<name>/_tags": ["admin", 200],
  "GET /admin/v1/repositories/<name>/_tags/<tag>": ["admin", 200],
  "HEAD /admin/v1/repositories/<name>/_tags/<tag>": ["admin", 200],
  "DELETE /admin/v1/repositories/<name>/_tags/<tag>": ["admin", 204],
  "GET /admin/v1/repositories/<name>/_tags/<tag>/history": ["admin", 200],
  "HEAD /admin/v1/repositories/<name>/_tags/<tag>/history": ["admin", 200],
  "GET /admin/v1/repositories/<name>/_manifests/<reference>": ["admin", 200],
  "HEAD /admin/v1/repositories/<name>/_manifests/<reference>": ["admin", 200],
  "GET /admin/v1/uploads": ["admin", 200],
  "HEAD /admin/v1/uploads": ["admin", 200],
  "DELETE /admin/v1/repositories/<name>/_uploads/<upload>": ["admin", 204],
  "GET /admin/v1/usage": ["admin", 200],
  "HEAD /admin/v1/usage": ["admin", 200],

  "POST /admin/v1/policy/decide": ["admin", 200],

  "GET /admin/v1/tokens": ["admin", 200],
  "HEAD /admin/v1/tokens": ["admin", 200],
  "POST /admin/v1/tokens": ["admin", 201],
  "POST /admin/v1/tokens/<token>/rotate": ["admin", 200],
  "DELETE /admin/v1/tokens/<token>": ["admin", 204],
};

type User = (typeof USERS)[number] | "nobody";

/** Whoever sends requests, and by what. */
export interface Sender {
  /** Whose credential it is. */
  readonly user: User;
  /** What the credential may be used for; absent: all that its user may. */
  readonly covers?: readonly Need[];
  /** Whether the credential is not believed. */
  readonly rejected?: true;
}

const TOKEN_COVERS: readonly Need[] = ["version", "catalog", "pull", "push", "delete"];

/** By name, for people. */
export const SENDERS = {
  "nobody": { user: "nobody" },
  "a wrong password": { user: "reader", rejected: true },
  "an expired token": { user: "admin", rejected: true },
  "a token for another repository": { user: "writer", covers: ["version"] },
  "the reader": { user: "reader" },
  "the reader's token": { user: "reader", covers: TOKEN_COVERS },
  "the writer": { user: "writer" },
  "the writer's token": { user: "writer", covers: TOKEN_COVERS },
  "the admin": { user: "admin" },
  "the admin's token": { user: "admin", covers: TOKEN_COVERS },
} as const satisfies Readonly<Record<string, Sender>>;

/** The name of one of them. */
export type SenderName = keyof typeof SENDERS;

const RIGHTS: Readonly<Record<User, Readonly<Record<Place, readonly Need[]>>>> = {
  nobody: { "": ["catalog"], "public/app": ["pull"], "team/app": [], "secret/app": [] },
  reader: {
    "": ["version", "catalog", "own"],
    "public/app": ["pull"],
    "team/app": ["pull"],
    "secret/app": [],
  },
  writer: {
    "": ["version", "catalog", "own"],
    "public/app": ["pull"],
    "team/app": ["pull", "push"],
    "secret/app": [],
  },
  admin: {
    "": ["version", "catalog", "own", "admin"],
    "public/app": ["pull", "push", "delete", "admin"],
    "team/app": ["pull", "push", "delete", "admin"],
    "secret/app": ["pull", "push", "delete", "admin"],
  },
};

/** What is answered. */
export interface Verdict {
  readonly status: number;
  /** With 401: what the Bearer challenge says besides realm and service. */
  readonly challenge?: string;
}

/** What is to be answered to a row of the table in a place. */
export function verdictOf(row: string, place: Place, sender: Sender): Verdict {
  const [need, status] = ROWS[row]!;
  if (sender.rejected) return { status: 401, challenge: "" };
  if (need === "token") return { status };
  const isAllowed = RIGHTS[sender.user][place].includes(need);
  const isCovered = sender.covers?.includes(need) ?? true;
  if (isAllowed && isCovered) return { status };
  const scope = scopeOf(need, place);
  if (isAllowed) return { status: 401, challenge: `${scope},error="insufficient_scope"` };
  return sender.user === "nobody" ? { status: 401, challenge: scope } : { status: 403 };
}

function scopeOf(need: Need, place: Place): string {
  if (need === "catalog") return `,scope="registry:catalog:*"`;
  // No scope of a token covers the administration.
  if (place === "" || need === "admin") return "";
  return `,scope="repository:${place}:${need === "push" ? "pull,push" : need}"`;
}
