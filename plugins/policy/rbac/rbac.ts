/**
 * The policy contract as roles: verbs on repositories, bound to users and groups. It permits what a bound role grants,
 * and has nothing to say of anything else: it never denies.
 *
 * @module
 */

import type { CreatePlugin } from "@sreg/contract/plugin.ts";
import type {
  Policy,
  PolicyAnswer,
  PolicyProblem,
  PolicyQuestion,
  RuleVerdict,
} from "@sreg/contract/policy.ts";
import { findProblems } from "./problems.ts";
import { type Bond, compileBindings, type Deed } from "./roles.ts";
import { type RbacOptions, readBindings, readRoles } from "./settings.ts";

/** Roles change with the configuration only, and that starts the plugin anew. */
const CACHE_MS = 60_000;

/** Compiles roles and bindings. What is wrong with them is for `check` to say, and grants nothing. */
export const create: CreatePlugin<Policy, RbacOptions> = (options) => {
  const roles = readRoles(options.roles);
  const bindings = readBindings(options.bindings);
  const bonds = compileBindings(bindings, roles);
  return {
    decide: (question) => Promise.resolve(decide(bonds, question)),
    explain: (question) => Promise.resolve(bonds.map((bond) => explain(bond, question))),
    check: (): Promise<PolicyProblem[]> => Promise.resolve(findProblems(roles, bindings)),
  };
};

function decide(bonds: readonly Bond[], question: PolicyQuestion): PolicyAnswer {
  const deed = deedOf(question);
  for (const { role, binds, grants } of bonds) {
    const who = grants(deed) ? binds(question.identity) : undefined;
    if (who === undefined) continue;
    return { effect: "allow", rule: ruleOf(role), reason: `bound to ${who}`, cacheForMs: CACHE_MS };
  }
  return { effect: "abstain", rule: "rbac", reason: "no bound role grants it", cacheForMs: CACHE_MS };
}

function explain({ role, text, exists, binds, grants }: Bond, question: PolicyQuestion): RuleVerdict {
  const holds = grants(deedOf(question)) && binds(question.identity) !== undefined;
  return { rule: ruleOf(role), text, verdict: exists ? String(holds) : "there is no such role" };
}

function deedOf({ action, namespace }: PolicyQuestion): Deed {
  return { action, repository: namespace };
}

function ruleOf(role: string): string {
  return `role.${role}`;
}
