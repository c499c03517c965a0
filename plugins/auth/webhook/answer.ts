import type { AuthAnswer, KnownIdentity } from "@sreg/contract/auth.ts";
import type { JsonObject } from "@sreg/contract/identity.ts";
import { AUTH_WIRE } from "@sreg/contract/wire_auth.ts";
import { readList, readNullable, readOptional, readRecord } from "@sreg/contract/wire_shapes.ts";
import type { Reply } from "../../webhook/caller.ts";
import { readDate, readKnown, readName } from "../../webhook/replies.ts";
import type { Meaning } from "../../webhook/webhook.ts";

const FOREIGN: Meaning<AuthAnswer> = { answer: { outcome: "foreign" } };
const GROUPS_MAX = 1_000;

/**
 * What a reply says of a credential: `{ identity, expires_at? }`, or, where it has no content, by its status. Ids of the
 * service `name` begin with `webhook:<name>:`. Throws where it says nothing.
 */
export function readAnswer({ status, content }: Reply, name: string): Meaning<AuthAnswer> {
  if (status === 404) return FOREIGN;
  if (status !== 200) return refuse(`the webhook answered ${status}`);
  const properties = readKnown(content, ["identity", "expires_at"]);
  const identity = readNullable(properties["identity"], (value) => readIdentity(value, name));
  if (identity === null) return FOREIGN;
  const { expires_at: expiresAtMs } = readOptional(properties, "expires_at", readDate);
  if (expiresAtMs === undefined) return { answer: known(identity) };
  if (expiresAtMs <= Date.now()) return refuse("the webhook says that it has expired");
  return { answer: { ...known(identity), expiresAtMs }, expiresAtMs };
}

function refuse(reason: string): Meaning<AuthAnswer> {
  return { answer: { outcome: "refused", reason } };
}

/** Throws for what the contract cannot carry, such as claims nested without end: that is no answer either. */
function known(identity: KnownIdentity): AuthAnswer & { readonly outcome: "known" } {
  const answer = { outcome: "known", identity } as const;
  AUTH_WIRE.authenticate.read(answer);
  return answer;
}

function readIdentity(value: unknown, name: string): KnownIdentity {
  const properties = readKnown(value, ["id", "username", "groups", "claims"]);
  const readUsername = (value: unknown) => readNullable(value, readName);
  const readGroups = (value: unknown) => readList(value, readName, GROUPS_MAX);
  return {
    id: `webhook:${name}:${readName(properties["id"])}`,
    username: null,
    groups: [],
    claims: {},
    provider: null,
    ...readOptional(properties, "username", readUsername),
    ...readOptional(properties, "groups", readGroups),
    ...readOptional(properties, "claims", (value) => readRecord(value) as JsonObject),
  };
}
