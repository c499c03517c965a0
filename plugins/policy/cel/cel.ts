/**
 * Decides by rules in the Common Expression Language, which are compiled and checked once.
 *
 * @module
 */

import type { CreatePlugin } from "@sreg/contract/plugin.ts";
import type { Policy, PolicyAnswer, PolicyProblem } from "@sreg/contract/policy.ts";
import { type AccessPolicy, compilePolicy } from "./access_policy.ts";
import { comparePrecisions } from "./pattern.ts";
import { formatPath, parseSettings } from "./settings.ts";
import { bindQuestion } from "./variables.ts";

/** How long an answer holds that no clock can change. */
const CACHE_MS = 60_000;

/** Makes the policy of the tables in `options.policies`. Rules that are wrong are told by `check`, and deny everything. */
export const create: CreatePlugin<Required<Policy>> = (options) => {
  const policies = parseSettings(options).map(compilePolicy);
  const problems = policies.flatMap((policy) => policy.problems);
  const [problem] = problems;
  return {
    decide(question) {
      if (problem) return Promise.resolve(denyFor(problem));
      const applicable = findApplicable(policies, question.namespace);
      const bindings = bindQuestion(question);
      const answer = combine(applicable.map((policy) => policy.decide(bindings, question)));
      const isLasting = !applicable.some(({ readsTime }) => readsTime);
      return Promise.resolve({ ...answer, ...(isLasting && { cacheForMs: CACHE_MS }) });
    },
    explain(question) {
      const bindings = bindQuestion(question);
      const applicable = findApplicable(policies, question.namespace);
      return Promise.resolve(applicable.flatMap((policy) => policy.explain(bindings, question)));
    },
    check: () => Promise.resolve(problems),
  };
};

/** The policy of all repositories, and of those that cover `namespace` the one that means it most exactly. */
function findApplicable(policies: readonly AccessPolicy[], namespace: string | null): AccessPolicy[] {
  const everywhere = policies.filter(({ pattern }) => pattern === undefined);
  if (namespace === null) return everywhere;
  const [most] = policies
    .flatMap(({ pattern, ...policy }) =>
      pattern?.covers(namespace)
        ? [{ policy: { pattern, ...policy }, precision: pattern.precision(namespace) }]
        : []
    )
    .sort((a, b) => comparePrecisions(a.precision, b.precision));
  return most ? [...everywhere, most.policy] : everywhere;
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
