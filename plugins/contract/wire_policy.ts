import type { POLICY_METHODS, PolicyAnswer, PolicyProblem, RuleVerdict } from "./policy.ts";
import { type Retention, RETENTION_IMAGES_MAX } from "./retention.ts";
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
