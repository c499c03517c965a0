/** The files of `sregctl policy test`. */

import {
  type Action,
  ACTIONS,
  ANONYMOUS,
  askedBy,
  type Identity,
  needsRepository,
  type PolicyQuestion,
} from "../server/admin/policy_questions.ts";
import { parseDocument, type Place } from "../server/config/document.ts";
import { ConfigError } from "../server/config/error.ts";
import { choice, json, type Kind, type KindValue, scalar, text } from "../server/config/kinds.ts";
import { nearest } from "../plugins/contract/nearest.ts";
import { readConfigFiles } from "../server/config/read.ts";
import { defaulted, list, named, optional, required, table } from "../server/config/tables.ts";
import type { TomlValue } from "../server/config/toml.ts";
import { isDigest } from "../server/oci/digest.ts";
import { isRepositoryName } from "../server/oci/name.ts";
import { isTag } from "../server/oci/reference.ts";

/** What is expected of the policies. */
export interface PolicyCase {
  readonly name: string;
  /** Where it is written: `policy.test.toml:12`. */
  readonly place: string;
  readonly question: PolicyQuestion;
  readonly expected: "allow" | "deny";
  /** The rule that must have decided; absent: whichever. */
  readonly rule?: string | undefined;
}

/** The identities that cases may name. */
export type Identities = ReadonlyMap<string, Identity>;

/** The cases of files and folders. Throws a `ConfigError` with all that is wrong in them. */
export async function readCases(paths: readonly string[], identities: Identities): Promise<PolicyCase[]> {
  const files = await readConfigFiles(paths, Deno.cwd());
  const kind = casesKind(identities);
  const read = files.map((source) => {
    const document = parseDocument(source);
    const cases = kind.read(document.value, document.place)?.case ?? [];
    const lineOf = (index: number) =>
      document.problemAt(["case", String(index)], { offset: 0, length: 0 }, "").mark?.line;
    return {
      problems: document.problems(),
      cases: cases.map((item, index) => caseOf(item, `${source.origin}:${lineOf(index)}`)),
    };
  });
  const problems = read.flatMap(({ problems }) => problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return read.flatMap(({ cases }) => cases);
}

const CERTIFICATE = table({
  common_names: defaulted(list(text()), { to: [], doc: "The common names of its subject." }),
  organizations: defaulted(list(text()), { to: [], doc: "The organizations of its subject." }),
  dns_names: defaulted(list(text()), { to: [], doc: "Its DNS names." }),
  uris: defaulted(list(text()), { to: [], doc: "Its URIs." }),
  emails: defaulted(list(text()), { to: [], doc: "Its mail addresses." }),
  fingerprint: optional(text(), "Its SHA-256."),
});

const IDENTITY = table({
  id: optional(text(), "Its id; else its user name."),
  username: optional(text(), "Its user name."),
  groups: defaulted(list(text()), { to: [], doc: "Its groups." }),
  claims: defaulted(named(json), { to: {}, doc: "What its provider says of it." }),
  provider: optional(text(), "The OpenID provider that vouches for it."),
  certificate: optional(CERTIFICATE, "Its client certificate."),
});

const ACTION: Kind<Action> = {
  expected: "an action",
  unit: "",
  read(value, at) {
    const known = ACTIONS.find((action) => action === value);
    if (known) return known;
    const meant = typeof value === "string" ? nearest(value, ACTIONS) : undefined;
    return at.fail(
      `no such action, ${meant ? `did you mean ${meant}?` : `there are: ${ACTIONS.join(", ")}`}`,
    );
  },
};

const TIME = scalar("a date with its time, such as 2025-03-31T22:00:00Z", (value) => {
  const timeMs = value instanceof Date
    ? value.getTime()
    : typeof value === "string"
    ? Date.parse(value)
    : NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs;
}, "Ms");

function word(expected: string, fits: (text: string) => boolean): Kind<string> {
  return scalar(expected, (value) => typeof value === "string" && fits(value) ? value : undefined);
}

function caseFields(identities: Identities) {
  return {
    name: required(text(), "What it shows."),
    identity: optional(identityKind(identities), "Who asks: a table, or the id of `[identity.<id>]`."),
    action: required(ACTION, "What they want to do."),
    repository: optional(word("a repository name", isRepositoryName), "The repository."),
    reference: optional(word("a tag or a digest", (text) => isTag(text) || isDigest(text)), "The manifest."),
    digest: optional(word("a digest", isDigest), "The digest."),
    tags: optional(list(word("a tag", isTag)), "The tags that a push sets."),
    client_address: optional(text(), "The client's address."),
    method: optional(text({ pattern: /^[A-Z]+$/, expected: "an HTTP method" }), "The HTTP method."),
    time: optional(TIME, "When."),
    expect: required(choice(["allow", "deny"]), "What the policies must say."),
    rule: optional(text(), "The rule that must have decided."),
  };
}

function casesKind(identities: Identities) {
  const fields = table(caseFields(identities));
  const each: Kind<KindValue<typeof fields>> = {
    ...fields,
    read(value, at) {
      const item = fields.read(value, at);
      if (!item || !needsRepository(item.action) || item.repository !== undefined) return item;
      return at.child("repository").fail(`missing, ${item.action} is about a repository`);
    },
  };
  return table({ case: required(list(each), "The cases.") });
}

type CaseTable = KindValue<ReturnType<typeof casesKind>>["case"][number];

function identityKind(identities: Identities): Kind<Identity> {
  return {
    expected: "an identity",
    unit: "",
    read(value, at) {
      if (typeof value === "string") return findIdentity(value, { identities, at });
      return readIdentity(value, at);
    },
  };
}

function findIdentity(
  id: string,
  { identities, at }: { readonly identities: Identities; readonly at: Place },
): Identity | undefined {
  const found = identities.get(id);
  if (found) return found;
  const meant = nearest(id, identities.keys());
  return at.fail(
    `no such identity is configured${meant ? `, did you mean ${meant}?` : ""}`,
  );
}

function readIdentity(value: TomlValue, at: Place): Identity | undefined {
  const read = IDENTITY.read(value, at);
  if (!read) return undefined;
  const { username = null, id = username, groups, claims, provider = null } = read;
  const certificate = read.certificate ? { fingerprint: "", ...read.certificate } : null;
  return { ...ANONYMOUS, id, username, groups, claims: Object.fromEntries(claims), provider, certificate };
}

function caseOf(
  { name, expect, rule, identity = ANONYMOUS, ...facts }: CaseTable,
  place: string,
): PolicyCase {
  return { name, place, question: askedBy({ identity, ...facts }), expected: expect, rule };
}
