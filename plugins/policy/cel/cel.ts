/**
 * Decides by rules in the Common Expression Language, which are compiled and checked once.
 *
 * @module
 */

import { PluginError } from "@sreg/contract/error.ts";
import type { CreatePlugin } from "@sreg/contract/plugin.ts";
import type { Policy, PolicyAnswer, PolicyProblem } from "@sreg/contract/policy.ts";
import { type AccessPolicy, compilePolicy } from "./access_policy.ts";
import { comparePatterns } from "@sreg/contract/pattern.ts";
import { compileRetention, type RetentionPolicies } from "./retention_policy.ts";
import { formatPath, parseRetention, parseSettings } from "./settings.ts";
import { bindQuestion } from "./variables.ts";

/** It says what to keep only where it was told rules for that. */
type CelPolicy = Policy & Required<Pick<Policy, "explain" | "check">>;

/** How long an answer holds that no clock can change. */
const CACHE_MS = 60_000;

/**
 * Makes the policy of the tables in `options.policies` and `options.retention`. Rules that are wrong are told by `check`; wrong
 * ones of access deny everything, wrong ones of retention keep everything.
 */
export const create: CreatePlugin<CelPolicy> = (options) => {
  const policies = parseSettings(options).map(compilePolicy);
  const tables = parseRetention(options);
  const retention = compileRetention(tables);
  const problems = policies.flatMap((policy) => policy.problems);
  const [problem] = problems;
  const findApplicable = createFinder(policies);
  return {
    decide(question) {
      if (problem) return Promise.resolve(denyFor(problem));
      const applicable = findApplicable(question.namespace);
      const bindings = bindQuestion(question);
      const answer = combine(applicable.map((policy) => policy.decide(bindings, question)));
      const isLasting = !applicable.some(({ readsTime }) => readsTime);
      return Promise.resolve({ ...answer, ...(isLasting && { cacheForMs: CACHE_MS }) });
    },
    explain(question) {
      const bindings = bindQuestion(question);
      const applicable = findApplicable(question.namespace);
      return Promise.resolve(applicable.flatMap((policy) => policy.explain(bindings, question)));
    },
    ...(tables.length > 0 && { retain: keep(retention) }),
    check: () => Promise.resolve([...problems, ...retention.problems]),
  };
};

function keep({ problems: [mistake], retain }: RetentionPolicies): NonNullable<Policy["retain"]> {
  return (question) => {
    if (!mistake) return Promise.resolve(retain(question));
    const message = `Cannot evaluate ${formatPath(mistake.path)}: ${mistake.message}`;
    return Promise.reject(new PluginError("failed", message));
  };
}

/** The policies that are about a question: what is about every one, and of the others the one that means it most exactly. */
type FindApplicable = (namespace: string | null) => readonly AccessPolicy[];

function createFinder(policies: readonly AccessPolicy[]): FindApplicable {
  const everywhere = policies.filter(({ pattern }) => pattern === undefined);
  const scoped = policies
    .flatMap((policy) => policy.pattern ? [{ policy, pattern: policy.pattern }] : [])
    .sort((a, b) => comparePatterns(a.pattern.text, b.pattern.text));
  return (namespace) => {
    const most = namespace === null ? undefined : scoped.find(({ pattern }) => pattern.covers(namespace));
    return most ? [...everywhere, most.policy] : everywhere;
  };
}

/** A denial wins, then a permission, then the default that denies. */
function combine(answers: readonly PolicyAnswer[]): PolicyAnswer {
  const found = answers.find(({ effect }) => effect === "deny") ??
    answers.find(({ effect }) => effect === "allow") ??
    answers.find(({ fallback }) => fallback === "deny") ??
    answers[0];
  return found ?? { effect: "abstain", rule: "cel", reason: "no policy is about it" };
}

function denyFor({ path, message }: PolicyProblem): PolicyAnswer {
  const rule = formatPath(path);
  return {
    effect: "deny",
    rule,
    reason: "the policies have mistakes",
    warning: `Cannot evaluate ${rule}: ${message}`,
  };
}
