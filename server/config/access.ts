import { isIP } from "node:net";
import { RE2JS } from "@bufbuild/re2";
import { boolean, choice, duration, type Kind, path, scalar, text } from "./kinds.ts";
import { defaulted, list, named, optional, required, table } from "./tables.ts";

const ACCESS_POLICY = table({
  default_allow: defaulted(boolean, {
    to: false,
    doc:
      "What holds where no rule is true. With `true` the first rule that is true denies, with `false` it allows.",
  }),
  rules: defaulted(list(text()), { to: [], doc: "CEL rules, evaluated in order." }),
});

const RETENTION_POLICY = table({
  rules: defaulted(list(text()), {
    to: [],
    doc: "CEL rules that say which tags to keep: one that is true is enough. Without any nothing is deleted.",
  }),
  untagged_after: optional(
    duration(),
    "A manifest without tags that nothing kept refers to goes when it is so old. Without it those stay.",
  ),
  min_age: defaulted(duration(), {
    to: "1h",
    doc: "What was pushed, tagged or pulled by its digest more recently stays, whatever the rules say.",
  }),
});

const TAG_PATTERN = scalar(
  "a tag or a regular expression (RE2)",
  (value) => typeof value === "string" && value !== "" && isExpression(value) ? value : undefined,
);

function isExpression(text: string): boolean {
  try {
    RE2JS.compile(text);
    return true;
  } catch {
    return false;
  }
}

/** What holds for a repository, or for all. */
const REPOSITORY_FIELDS = {
  immutable_tags: optional(boolean, "Whether a tag, once it is set, can be neither moved nor deleted."),
  immutable_tags_exclusions: optional(
    list(TAG_PATTERN),
    "Tags that stay movable: names, or regular expressions (RE2) such as `^dev-.*`.",
  ),
  deletes: optional(boolean, "Whether anything can be deleted, by whatever way."),
  access_policy: optional(ACCESS_POLICY, "Who may do what, as CEL rules."),
  retention_policy: optional(
    RETENTION_POLICY,
    "What to keep, as CEL rules. Of several such tables the most particular one counts alone.",
  ),
} as const;

/** `[global]`: what holds for all repositories, unless theirs says something else. */
export const GLOBAL = table(REPOSITORY_FIELDS);

/** `[repository."<name or glob>"]`. */
export const REPOSITORIES = named(table(REPOSITORY_FIELDS));

const HASH =
  /^\$(?:argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[^$]+\$[^$]+|2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53})$/;

/** A password's hash. What is none is not repeated: it may be the password. */
const PASSWORD_HASH: Kind<string> = {
  expected: "an argon2id or bcrypt hash",
  unit: "",
  read: (value, at) =>
    typeof value === "string" && HASH.test(value)
      ? value
      : at.fail("expected an argon2id or bcrypt hash, found something else"),
};

/** `[identity.<id>]`. */
export const IDENTITIES = named(table({
  username: required(
    text({ pattern: /^[^:\p{Cc}]+$/u, expected: "a user name without a colon" }),
    "Its user name.",
  ),
  password: required(PASSWORD_HASH, "Its password's hash: argon2id (`$argon2id$…`) or bcrypt (`$2y$…`)."),
  groups: defaulted(list(text()), { to: [], doc: "The groups that it is in." }),
}));

/** `[role.<name>]`. */
export const ROLES = named(table({
  verbs: required(list(text()), 'Actions, or the words `"pull"`, `"push"`, `"delete"`, `"*"`, `"admin.*"`.'),
  repositories: defaulted(list(text()), {
    to: ["**"],
    doc: "Names and globs of the repositories that it is about.",
  }),
}));

/** `[[binding]]`. */
export const BINDINGS = list(table({
  role: required(text(), "The role: `[role.<name>]`, or `admin`, `push`, `pull`."),
  users: defaulted(list(text()), {
    to: [],
    doc: 'User names or ids; `"*"` is everybody, the anonymous too.',
  }),
  groups: defaulted(list(text()), { to: [], doc: 'Groups; `"authenticated"` is everybody who is somebody.' }),
}));

/** `[access]`. */
export const ACCESS = table({
  policies: optional(
    list(text()),
    'The chain of policies, such as `["cel", "rbac", "webhook.audit"]`. Without it: all that are configured.',
  ),
  challenges: defaulted(list(choice(["bearer", "basic"])), {
    to: ["bearer", "basic"],
    doc: "How clients are asked who they are, in this order.",
  }),
  token_service: defaulted(text({ pattern: /^[!#-\[\]-~]{1,255}$/, expected: "a name without spaces" }), {
    to: "sreg",
    doc: "The name that tokens are issued for; replicas share it.",
  }),
  token_lifetime: defaulted(duration({ min: "60s", max: "1d" }), {
    to: "5m",
    doc: "How long a token lasts.",
  }),
  refresh_token_lifetime: defaulted(duration({ min: "60s", max: "365d" }), {
    to: "30d",
    doc: "How long a token lasts that is only good for getting others.",
  }),
});

/** A scheme and a host, without a path. */
export const ORIGIN = scalar('a URL such as "https://registry.example"', (value) => {
  if (typeof value !== "string" || !URL.canParse(value)) return undefined;
  const { origin, protocol } = new URL(value);
  return /^https?:$/.test(protocol) && value.replace(/\/$/, "") === origin ? origin : undefined;
});

/** An address, or a range of them. */
export const ADDRESS_RANGE = scalar('an IP address or a range such as "10.0.0.0/8"', (value) => {
  if (typeof value !== "string") return undefined;
  const [, address = "", bits] = /^([^/]+)(?:\/([0-9]{1,3}))?$/.exec(value) ?? [];
  const bitsMax = isIP(address) === 6 ? 128 : 32;
  return isIP(address) !== 0 && Number(bits ?? 0) <= bitsMax ? value : undefined;
});

/** The keys of `[server.tls]` that are about clients. */
export const CLIENT_TLS_FIELDS = {
  client_ca_bundle: optional(
    path,
    "PEM file: the CAs whose client certificates are believed. Without it clients are not asked for any.",
  ),
  client_auth: defaulted(choice(["optional", "required"]), {
    to: "optional",
    doc: "Whether a client must show a certificate. One that shows a bad one is refused either way.",
  }),
} as const;
