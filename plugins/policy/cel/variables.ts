import { celError, celList } from "@bufbuild/cel";
import { ACTIONS } from "@sreg/contract/action.ts";
import type { Identity, JsonValue } from "@sreg/contract/identity.ts";
import type { PolicyQuestion } from "@sreg/contract/policy.ts";
import { ANY_MAP, listOf, recordOf, type Shape, STRING, TIMESTAMP } from "./shapes.ts";

const STRINGS = listOf(STRING);
const ACTION: Shape = { kind: "string", words: { noun: "action", known: ACTIONS, prefix: "admin." } };

/** What rules know. Strings may be `null`, and so may `identity.oidc`. */
export const VARIABLES: Readonly<Record<string, Shape>> = {
  identity: recordOf("identity", {
    id: STRING,
    username: STRING,
    groups: STRINGS,
    claims: ANY_MAP,
    certificate: recordOf("identity.certificate", {
      common_names: STRINGS,
      organizations: STRINGS,
      dns_names: STRINGS,
      uris: STRINGS,
      emails: STRINGS,
      fingerprint: STRING,
    }),
    oidc: recordOf("identity.oidc", { provider_name: STRING, provider_type: STRING, claims: ANY_MAP }),
    client_ip: STRING,
  }),
  request: recordOf("request", {
    action: ACTION,
    namespace: STRING,
    digest: STRING,
    reference: STRING,
    tags: STRINGS,
    method: STRING,
    client_address: STRING,
    time: TIMESTAMP,
  }),
};

/** What nobody knows yet when a question is asked ahead of its request. */
export const UNKNOWN_AHEAD = ["request.digest", "request.reference", "request.tags"] as const;

/** What only holds for now. */
export const TIME = "request.time";

/** The values of a question's variables, by their whole names: `identity.username`. */
export type Bindings = Record<string, ReturnType<typeof celError> | Value>;

type Value = JsonValue | ReturnType<typeof celList> | Map<string, Value> | readonly Value[] | Timestamp;

/** As protobuf has it, by which CEL knows it. */
export interface Timestamp {
  readonly $typeName: "google.protobuf.Timestamp";
  readonly seconds: bigint;
  readonly nanos: number;
}

/** The values of a question. What is not known yet is an error, which `&&` and `||` pass over where it does not matter. */
export function bindQuestion(question: PolicyQuestion): Bindings {
  const { identity, timeMs, ahead } = question;
  return Object.assign(Object.create(null), {
    "identity.id": identity.id,
    "identity.username": identity.username,
    "identity.groups": celList(identity.groups),
    "identity.claims": fromJson(identity.claims),
    "identity.certificate": bindCertificate(identity),
    "identity.oidc": bindProvider(identity),
    "identity.client_ip": question.clientAddress,
    "request.action": question.action,
    "request.namespace": question.namespace,
    "request.digest": question.digest,
    "request.reference": question.reference,
    "request.tags": celList(question.tags),
    "request.method": question.method,
    "request.client_address": question.clientAddress,
    "request.time": timestampOf(timeMs),
    ...(ahead &&
      Object.fromEntries(UNKNOWN_AHEAD.map((name) => [name, celError(`${name} is not known yet`)]))),
  });
}

function bindCertificate({ certificate }: Identity): Value {
  return new Map<string, Value>([
    ["common_names", celList(certificate?.commonNames ?? [])],
    ["organizations", celList(certificate?.organizations ?? [])],
    ["dns_names", celList(certificate?.dnsNames ?? [])],
    ["uris", celList(certificate?.uris ?? [])],
    ["emails", celList(certificate?.emails ?? [])],
    ["fingerprint", certificate?.fingerprint ?? null],
  ]);
}

function bindProvider({ provider, claims }: Identity): Value {
  if (provider === null) return null;
  return new Map<string, Value>([
    ["provider_name", provider],
    ["provider_type", "oidc"],
    ["claims", fromJson(claims)],
  ]);
}

/** Objects become maps: what else an object of JavaScript has is none of a rule's business. */
function fromJson(value: JsonValue): Value {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]));
}

/** A point in time as CEL knows it. */
export function timestampOf(timeMs: number): Timestamp {
  const seconds = Math.floor(timeMs / 1000);
  const nanos = Math.round((timeMs - seconds * 1000) * 1_000_000);
  return { $typeName: "google.protobuf.Timestamp", seconds: BigInt(seconds), nanos };
}
