import type { PolicyAnswer, PolicyQuestion, RuleVerdict } from "@sreg/contract/policy.ts";
import { parsePattern, type RepositoryPattern } from "@sreg/contract/pattern.ts";
import { compileRule, type Rule, type Verdict } from "./rule.ts";
import { formatPath, type PolicySettings } from "./settings.ts";
import type { Bindings } from "./variables.ts";
import type { PolicyProblem } from "@sreg/contract/policy.ts";

/** An `access_policy` table, ready to decide. */
export interface AccessPolicy {
  /** The repositories that it is about; `undefined`: all. */
  readonly pattern: RepositoryPattern | undefined;
  /** Whether its answers may change with the time alone. */
  readonly readsTime: boolean;
  /** What is wrong with its rules: if anything is, it must not be asked. */
  readonly problems: readonly PolicyProblem[];
  /** What it says. */
  decide(bindings: Bindings, options: Pick<PolicyQuestion, "ahead">): PolicyAnswer;
  /** What becomes of each of its rules. */
  explain(bindings: Bindings, options: Pick<PolicyQuestion, "ahead">): RuleVerdict[];
}

interface NamedRule extends Rule {
  /** As the operator knows it. */
  readonly name: string;
}

/** Compiles the rules of a table. */
export function compilePolicy({ path, pattern, defaultAllow, rules }: PolicySettings): AccessPolicy {
  const compiled = rules.map((text, index) => ({
    path: [...path, "rules", String(index)],
    ...compileRule(text),
  }));
  const named = compiled.flatMap(({ path, rule }) => rule ? [{ ...rule, name: formatPath(path) }] : []);
  const fallback = `${formatPath(path)}.default_allow`;
  return {
    pattern: pattern === null ? undefined : parsePattern(pattern),
    readsTime: named.some(({ readsTime }) => readsTime),
    problems: compiled.flatMap(({ path, problems }) => problems.map((problem) => ({ path, ...problem }))),
    decide(bindings, { ahead }) {
      for (const rule of named) {
        const answer = answerOf(rule, { verdict: rule.evaluate(bindings, { ahead }), defaultAllow });
        if (answer) return answer;
      }
      const reason = "no rule of the policy is true";
      return { effect: "abstain", fallback: defaultAllow ? "allow" : "deny", rule: fallback, reason };
    },
    explain: (bindings, { ahead }) =>
      named.map((rule) => ({
        rule: rule.name,
        text: rule.text,
        verdict: formatVerdict(rule.evaluate(bindings, { ahead })),
      })),
  };
}

/** What a rule alone makes of the question; `undefined`: the next one is asked. */
function answerOf(
  { name }: NamedRule,
  { verdict, defaultAllow }: { readonly verdict: Verdict; readonly defaultAllow: boolean },
): PolicyAnswer | undefined {
  if (verdict === false || (verdict === "unknown" && defaultAllow)) return undefined;
  if (verdict === "unknown") return { effect: "allow", rule: name, reason: "the rule may come to be true" };
  if (verdict === true) {
    return { effect: defaultAllow ? "deny" : "allow", rule: name, reason: "the rule is true" };
  }
  const warning = `Cannot evaluate ${name}: ${verdict.error}`;
  return { effect: "deny", rule: name, reason: "the rule could not be evaluated", warning };
}

function formatVerdict(verdict: Verdict): string {
  if (typeof verdict === "object") return verdict.error;
  return verdict === "unknown" ? "not known ahead of the request" : String(verdict);
}
