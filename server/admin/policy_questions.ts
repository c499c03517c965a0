import {
  ANONYMOUS,
  type ClientCertificate,
  type Identity,
  type JsonObject,
} from "../../plugins/contract/identity.ts";
import type { PolicyQuestion } from "../../plugins/contract/policy.ts";
import { type Action, ACTIONS, scopeVerbOf } from "../access/actions.ts";
import { isDigest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { isRepositoryName } from "../oci/name.ts";
import { isTag } from "../oci/reference.ts";

export { ANONYMOUS, type Identity } from "../../plugins/contract/identity.ts";
export type { PolicyQuestion } from "../../plugins/contract/policy.ts";
export { type Action, ACTIONS } from "../access/actions.ts";

/** What somebody asks about: what is left out is filled in as a request would have it. */
export interface QuestionFacts {
  readonly identity: Identity;
  readonly action: Action;
  readonly repository?: string | undefined;
  /** A tag or a digest. */
  readonly reference?: string | undefined;
  /** Default: the reference, where that is a digest. */
  readonly digest?: string | undefined;
  /** Default: the reference, where that is the tag of a push. */
  readonly tags?: readonly string[] | undefined;
  /** Default: `127.0.0.1`. */
  readonly clientAddress?: string | undefined;
  /** Default: the one that requests of this action mostly have. */
  readonly method?: string | undefined;
  /** Default: now. */
  readonly timeMs?: number | undefined;
}

/** Whether the action is about a repository, and a question about it must name one. */
export function needsRepository(action: Action): boolean {
  return scopeVerbOf(action) !== undefined;
}

/** The question that a request of these facts would lead to. */
export function askedBy(facts: QuestionFacts): PolicyQuestion {
  const { identity, action, repository = null, reference = null } = facts;
  const isPush = scopeVerbOf(action) === "push";
  return {
    identity,
    action,
    namespace: repository,
    digest: facts.digest ?? (reference?.includes(":") ? reference : null),
    reference,
    tags: facts.tags ?? (isPush && reference && !reference.includes(":") ? [reference] : []),
    method: facts.method ?? methodOf(action),
    clientAddress: facts.clientAddress ?? "127.0.0.1",
    timeMs: facts.timeMs ?? Date.now(),
    ahead: false,
  };
}

/** The question as JSON: `parseQuestion` makes the same of it. What is `null` is left out. */
export function formatQuestion({ identity, timeMs, ...question }: PolicyQuestion): JsonObject {
  const { action, namespace, reference, digest, tags, clientAddress, method } = question;
  return withoutNulls({
    identity: formatIdentity(identity),
    action,
    repository: namespace,
    reference,
    digest,
    tags,
    client_address: clientAddress,
    method,
    time: new Date(timeMs).toISOString(),
  });
}

/** The question that a JSON value is. An `OciError` with status 400 says what is wrong with it, after `at`. */
export function parseQuestion(value: unknown, at: string): PolicyQuestion {
  const fields = readObject(value, at, [
    "identity",
    "action",
    "repository",
    "reference",
    "digest",
    "tags",
    "client_address",
    "method",
    "time",
  ]);
  const action = ACTIONS.find((known) => known === fields.action);
  if (!action) throw malformed(`${at}.action`, "an action");
  const repository = readText(fields.repository, `${at}.repository`, isRepositoryName);
  if (needsRepository(action) && repository === undefined) {
    throw malformed(`${at}.repository`, "a repository");
  }
  const time = readText(fields.time, `${at}.time`, (text) => !Number.isNaN(Date.parse(text)));
  return askedBy({
    identity: fields.identity === undefined ? ANONYMOUS : parseIdentity(fields.identity, `${at}.identity`),
    action,
    repository,
    reference: readText(fields.reference, `${at}.reference`, (text) => isTag(text) || isDigest(text)),
    digest: readText(fields.digest, `${at}.digest`, isDigest),
    tags: fields.tags === undefined ? undefined : readTexts(fields.tags, `${at}.tags`),
    clientAddress: readText(fields.client_address, `${at}.client_address`),
    method: readText(fields.method, `${at}.method`),
    timeMs: time === undefined ? undefined : Date.parse(time),
  });
}

/**
 * The identity that a JSON object is: `{"username":"bob","groups":["dev"]}`. Without an `id` the user name is its id. An
 * `OciError` with status 400 says what is wrong with it.
 */
export function parseIdentity(value: unknown, at: string): Identity {
  const known = ["id", "username", "groups", "claims", "provider", "certificate"];
  const fields = readObject(value, at, known);
  const username = readText(fields.username, `${at}.username`) ?? null;
  return {
    id: readText(fields.id, `${at}.id`) ?? username,
    username,
    groups: readTexts(fields.groups, `${at}.groups`),
    claims: fields.claims === undefined ? {} : readObject(fields.claims, `${at}.claims`) as JsonObject,
    provider: readText(fields.provider, `${at}.provider`) ?? null,
    certificate: fields.certificate === undefined
      ? null
      : parseCertificate(fields.certificate, `${at}.certificate`),
  };
}

function parseCertificate(value: unknown, at: string): ClientCertificate {
  const lists = ["common_names", "organizations", "dns_names", "uris", "emails"] as const;
  const fields = readObject(value, at, [...lists, "fingerprint"]);
  const list = (name: (typeof lists)[number]) => readTexts(fields[name], `${at}.${name}`);
  return {
    commonNames: list("common_names"),
    organizations: list("organizations"),
    dnsNames: list("dns_names"),
    uris: list("uris"),
    emails: list("emails"),
    fingerprint: readText(fields.fingerprint, `${at}.fingerprint`) ?? "",
  };
}

function formatIdentity({ id, username, groups, claims, provider, certificate }: Identity): JsonObject {
  return withoutNulls({
    id,
    username,
    groups,
    claims,
    provider,
    certificate: certificate && {
      common_names: certificate.commonNames,
      organizations: certificate.organizations,
      dns_names: certificate.dnsNames,
      uris: certificate.uris,
      emails: certificate.emails,
      fingerprint: certificate.fingerprint,
    },
  });
}

function methodOf(action: Action): string {
  const methods = {
    start: "POST",
    update: "PATCH",
    complete: "PUT",
    put: "PUT",
    cancel: "DELETE",
    delete: "DELETE",
  };
  const [verb = ""] = action.split("-");
  return Object.hasOwn(methods, verb) ? methods[verb as keyof typeof methods] : "GET";
}

function withoutNulls(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null));
}

function readObject(value: unknown, at: string, known?: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(at, "an object");
  const unknown = Object.keys(value).find((name) => known && !known.includes(name));
  if (unknown !== undefined) throw malformed(at, `only ${known!.join(", ")}`);
  return value as Record<string, unknown>;
}

function readText(
  value: unknown,
  at: string,
  fits: (text: string) => boolean = () => true,
): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value !== "" && fits(value)) return value;
  throw malformed(at, `a ${at.split(".").at(-1)!.replaceAll("_", " ")}`);
}

function readTexts(value: unknown, at: string): readonly string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw malformed(at, "a list of strings");
}

function malformed(at: string, expected: string): OciError {
  return new OciError("UNSUPPORTED", `Cannot read the question: ${at}: expected ${expected}`, {
    status: 400,
  });
}
