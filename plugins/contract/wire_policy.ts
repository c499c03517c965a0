import type { POLICY_METHODS, PolicyAnswer, PolicyProblem, RuleVerdict } from "./policy.ts";
import { type Retention, RETENTION_IMAGES_MAX } from "./retention.ts";
import type { ConfiguredRole, ConfiguredRoles, StoredBinding } from "./role.ts";
import type { WireMethod, WireMethods } from "./wire.ts";
import {
  readBoolean,
  readCount,
  readList,
  readOptional,
  readRecord,
  readText,
  readWord,
} from "./wire_shapes.ts";

const RULES_MAX = 10_000;

/** The policy contract on the wire. */
export const POLICY_WIRE: WireMethods & Readonly<Record<(typeof POLICY_METHODS)[number], WireMethod>> = {
  decide: { read: readAnswer },
  explain: { optional: true, read: (answer) => readList(answer, readVerdict, RULES_MAX) },
  retain: { optional: true, read: (answer) => readList(answer, readRetention, RETENTION_IMAGES_MAX) },
  check: { optional: true, read: (answer) => readList(answer, readProblem, RULES_MAX) },
  replaceRoles: { optional: true, read: () => undefined },
  checkRoles: { optional: true, read: (answer) => readList(answer, readProblem, RULES_MAX) },
  listRoles: { optional: true, read: readRoles },
};

function readAnswer(answer: unknown): PolicyAnswer {
  const properties = readRecord(answer);
  return {
    effect: readWord(properties["effect"], ["allow", "deny", "abstain"]),
    rule: readText(properties["rule"]),
    reason: readText(properties["reason"]),
    ...readOptional(properties, "fallback", (value) => readWord(value, ["allow", "deny"])),
    ...readOptional(properties, "warning", readText),
    ...readOptional(properties, "cacheForMs", readCount),
  };
}

function readVerdict(answer: unknown): RuleVerdict {
  const { rule, text, verdict } = readRecord(answer);
  return { rule: readText(rule), text: readText(text), verdict: readText(verdict) };
}

function readRetention(answer: unknown): Retention {
  const properties = readRecord(answer);
  return {
    keep: readBoolean(properties["keep"]),
    reason: readText(properties["reason"]),
    ...readOptional(properties, "rule", readText),
  };
}

function readProblem(answer: unknown): PolicyProblem {
  const { path, offset, length, message } = readRecord(answer);
  return {
    path: readList(path, readText, 100),
    offset: readCount(offset),
    length: readCount(length),
    message: readText(message),
  };
}

function readRoles(answer: unknown): ConfiguredRoles {
  const { roles, bindings } = readRecord(answer);
  return {
    roles: readList(roles, readRole, RULES_MAX),
    bindings: readList(bindings, readBinding, RULES_MAX),
  };
}

function readRole(answer: unknown): ConfiguredRole {
  const { name, verbs, repositories, builtIn } = readRecord(answer);
  return {
    name: readText(name),
    verbs: readTexts(verbs),
    repositories: readTexts(repositories),
    builtIn: readBoolean(builtIn),
  };
}

function readBinding(answer: unknown): Omit<StoredBinding, "id"> {
  const { role, users, groups } = readRecord(answer);
  return { role: readText(role), users: readTexts(users), groups: readTexts(groups) };
}

function readTexts(answer: unknown): string[] {
  return readList(answer, readText, RULES_MAX);
}
