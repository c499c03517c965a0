import type { AccessStore } from "../access/access_store.ts";
import { ExpiringMap } from "../access/expiring_map.ts";
import { emptyAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import { OciError } from "../oci/error.ts";
import { readFields } from "./body.ts";
import { hashNewPassword, readSecret, refuseConfigured } from "./identities.ts";
import { refused } from "./members.ts";
import { type AdminRoute, adminRoute, objectSchema, TEXT } from "./route.ts";

/** What the row of one's own password is served from. */
export interface OwnPasswordParts {
  readonly store: Pick<AccessStore, "identities">;
}

/** Changes of one identity's password in a while: after each, everybody's password is checked anew. */
const CHANGES_MAX = 5;
const WHILE_MS = 60_000;

const IDENTITIES_MAX = 10_000;

/** How often identities have changed their passwords of late. */
type Changes = ExpiringMap<{ readonly count: number; readonly untilMs: number }>;

/** The row of one's own password. */
export function ownPasswordRoutes(parts: OwnPasswordParts): readonly AdminRoute[] {
  const changes: Changes = new ExpiringMap(IDENTITIES_MAX);
  return [
    adminRoute("PUT", "/admin/v1/me/password", {
      action: "own-identity",
      summary: "Change the caller's password; personal tokens stay good",
      body: objectSchema({ old_password: TEXT, new_password: TEXT }),
      answer: { status: 204 },
      endpoint: (_, call) => change(parts, call, changes),
    }),
  ];
}

async function change({ store }: OwnPasswordParts, call: Call, changes: Changes): Promise<Response> {
  const { caller: { identity: { id, username }, authentication, refuse }, access } = call;
  if (id === null || username === null) throw refuse("Cannot change the password: the caller is anonymous");
  if (authentication.by !== "password") {
    throw new OciError("DENIED", "Cannot change the password: sign in with it");
  }
  const fields = await readFields(call, ["old_password", "new_password"]);
  const old = fields.required("old_password", readSecret);
  const password = fields.required("new_password", readSecret);
  await refuseConfigured(call, id);
  if (!await store.identities.get(id)) {
    throw refused("Cannot change the password: it is not kept here", 409);
  }
  await requirePassword(call, username, old);
  countChange(changes, id);
  const passwordHash = await hashNewPassword({ fields, name: "new_password", password }, access);
  if (!await store.identities.change(id, { passwordHash, endsTokens: false })) {
    throw refused("Cannot change the password: its identity is no more", 409);
  }
  return emptyAnswer(204, {});
}

/** Ends the request of who has changed it again and again. */
function countChange(changes: Changes, id: string): void {
  const { count, untilMs } = changes.get(id) ?? { count: 0, untilMs: Date.now() + WHILE_MS };
  if (count >= CHANGES_MAX) {
    throw new OciError("TOOMANYREQUESTS", "Cannot change the password: it was changed again and again", {
      headers: { "Retry-After": String(Math.ceil((untilMs - Date.now()) / 1_000)) },
    });
  }
  changes.set(id, { count: count + 1, untilMs }, untilMs);
}

/** Ends the request unless this is the caller's password. Whoever guesses is slowed down as at the front door. */
async function requirePassword({ access, request, caller }: Call, username: string, password: string) {
  const authorization = `Basic ${new TextEncoder().encode(`${username}:${password}`).toBase64()}`;
  try {
    const found = await access.identify({ ...request, authorization });
    if (found.identity.id === caller.identity.id && found.authentication.by === "password") return;
  } catch (error) {
    if (!(error instanceof OciError) || error.status !== 401) throw error;
  }
  throw new OciError("DENIED", "Cannot change the password: old_password is not right");
}
