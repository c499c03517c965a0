import { comparePatterns, parsePattern } from "@sreg/contract/pattern.ts";
import type { PolicyProblem } from "@sreg/contract/policy.ts";
import type { Retention, RetentionQuestion } from "@sreg/contract/retention.ts";
import { bindImages, retentionVocabulary } from "./retention_vocabulary.ts";
import { compileRule, type Rule } from "./rule.ts";
import { formatPath, type RetentionSettings } from "./settings.ts";
import type { Bindings } from "./variables.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** The `retention_policy` tables, ready to be asked. */
export interface RetentionPolicies {
  /** What is wrong with their rules: if anything is, they must not be asked. */
  readonly problems: readonly PolicyProblem[];
  /** What becomes of each image; nothing at all where no table with rules is about the repository. */
  retain(question: RetentionQuestion): Retention[];
}

interface NamedRule extends Rule {
  /** As the operator knows it. */
  readonly name: string;
}

interface RetentionPolicy {
  /** The repositories that it is about; `null`: all. */
  readonly pattern: string | null;
  readonly covers: (repository: string) => boolean;
  readonly name: string;
  readonly rules: readonly NamedRule[];
  readonly problems: readonly PolicyProblem[];
}

/** Compiles the rules of the tables. Of those that are about a repository the most particular one counts alone. */
export function compileRetention(settings: readonly RetentionSettings[]): RetentionPolicies {
  let timeMs = 0;
  const vocabulary = retentionVocabulary(() => timeMs);
  const policies = settings
    .map((table) => compileTable(table, vocabulary))
    .sort((a, b) => compareScopes(a.pattern, b.pattern));
  return {
    problems: policies.flatMap(({ problems }) => problems),
    retain(question) {
      const policy = policies.find(({ covers }) => covers(question.repository));
      if (!policy || policy.rules.length === 0) return [];
      timeMs = question.timeMs;
      const bind = bindImages(question);
      return question.images.map((image) => judge(policy, bind(image)));
    },
  };
}

function compileTable({ path, pattern, rules }: RetentionSettings, vocabulary: Vocabulary): RetentionPolicy {
  const compiled = rules.map((text, index) => ({
    path: [...path, "rules", String(index)],
    ...compileRule(text, vocabulary),
  }));
  return {
    pattern,
    covers: pattern === null ? () => true : parsePattern(pattern).covers,
    name: formatPath(path),
    rules: compiled.flatMap(({ path, rule }) => rule ? [{ ...rule, name: formatPath(path) }] : []),
    problems: compiled.flatMap(({ path, problems }) => problems.map((problem) => ({ path, ...problem }))),
  };
}

/** What is about all repositories comes last. */
function compareScopes(a: string | null, b: string | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return comparePatterns(a, b);
}

const ERROR_LENGTH_MAX = 500;

/** The first rule that is true keeps the image, else the first that cannot be evaluated. */
function judge({ name, rules }: RetentionPolicy, bindings: Bindings): Retention {
  let failure: Retention | undefined;
  for (const rule of rules) {
    const verdict = rule.evaluate(bindings, { ahead: false });
    if (verdict === true) return { keep: true, rule: rule.name, reason: "the rule is true" };
    if (verdict === false) continue;
    const error = typeof verdict === "object" ? verdict.error.slice(0, ERROR_LENGTH_MAX) : verdict;
    failure ??= { keep: true, rule: rule.name, reason: `the rule could not be evaluated: ${error}` };
  }
  return failure ?? { keep: false, reason: `no rule of ${name} is true` };
}
