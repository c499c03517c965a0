import type {
  AUTH_METHODS,
  AuthAnswer,
  ConfiguredIdentity,
  KnownIdentity,
  RecalledIdentity,
} from "./auth.ts";
import type { JsonObject, JsonValue } from "./identity.ts";
import type { WireMethod, WireMethods } from "./wire.ts";
import {
  malformed,
  readCount,
  readList,
  readNullable,
  readOptional,
  readRecord,
  readText,
  readTime,
  readWord,
} from "./wire_shapes.ts";

const GROUPS_MAX = 1_000;
const IDENTITIES_MAX = 100_000;
const CLAIMS_DEPTH_MAX = 16;

/** The auth contract on the wire. */
export const AUTH_WIRE: WireMethods & Readonly<Record<(typeof AUTH_METHODS)[number], WireMethod>> = {
  authenticate: { read: readAnswer },
  recall: { optional: true, read: (answer) => readNullable(answer, readRecalled) },
  replaceIdentities: { optional: true, read: () => undefined },
  listIdentities: { optional: true, read: (answer) => readList(answer, readConfigured, IDENTITIES_MAX) },
  hashPassword: { optional: true, read: readText },
  findHashProblem: { optional: true, read: (answer) => readNullable(answer, readText) },
};

function readAnswer(answer: unknown): AuthAnswer {
  const properties = readRecord(answer);
  const outcome = readWord(properties["outcome"], ["known", "refused", "foreign"]);
  if (outcome === "foreign") return { outcome };
  if (outcome === "refused") return { outcome, reason: readText(properties["reason"]) };
  return {
    outcome,
    identity: readIdentity(properties["identity"]),
    ...readOptional(properties, "expiresAtMs", readTime),
    ...readOptional(properties, "cacheForMs", readCount),
  };
}

function readRecalled(answer: unknown): RecalledIdentity {
  const properties = readRecord(answer);
  return {
    identity: readIdentity(properties["identity"]),
    generation: readText(properties["generation"]),
    ...readOptional(properties, "incarnation", readText),
  };
}

function readConfigured(answer: unknown): ConfiguredIdentity {
  const { id, username, groups } = readRecord(answer);
  return {
    id: readText(id),
    username: readText(username),
    groups: readList(groups, readText, GROUPS_MAX),
  };
}

function readIdentity(answer: unknown): KnownIdentity {
  const { id, username, groups, claims, provider } = readRecord(answer);
  return {
    id: readNullable(id, readText),
    username: readNullable(username, readText),
    groups: readList(groups, readText, GROUPS_MAX),
    claims: readClaims(claims, 0) as JsonObject,
    provider: readNullable(provider, readText),
  };
}

/** A fresh copy, whose objects have no prototype that a claim's name could reach. */
function readClaims(value: unknown, depth: number): JsonValue {
  if (depth > CLAIMS_DEPTH_MAX) throw malformed("claims of some depth", value);
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((item) => readClaims(item, depth + 1));
  const entries = Object.entries(readRecord(value)).map(([key, item]) => [key, readClaims(item, depth + 1)]);
  return Object.assign(Object.create(null), Object.fromEntries(entries)) as JsonObject;
}
