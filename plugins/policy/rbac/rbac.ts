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
import type { ConfiguredRoles, StoredRoles } from "@sreg/contract/role.ts";
import { findProblems } from "./problems.ts";
import { type Bond, compileBindings, type Deed } from "./roles.ts";
import {
  type BindingSettings,
  BUILT_IN_ROLES,
  type RbacOptions,
  readBindings,
  readRoles,
  type RoleSettings,
} from "./settings.ts";

/** The core forgets what it remembers when the store's roles change; those of the configuration start the plugin anew. */
const CACHE_MS = 60_000;

/** Compiles roles and bindings. What is wrong with them is for `check` to say, and grants nothing. */
export const create: CreatePlugin<Policy, RbacOptions> = (options) =>
  new Rbac(readRoles(options.roles), readBindings(options.bindings));

/** Roles of the configuration, and those of the store as they come and go. */
class Rbac implements Policy {
  readonly #roles: readonly RoleSettings[];
  readonly #bindings: readonly BindingSettings[];
  #stored: readonly RoleSettings[] = [];
  #bonds: readonly Bond[];

  constructor(roles: readonly RoleSettings[], bindings: readonly BindingSettings[]) {
    this.#roles = roles;
    this.#bindings = bindings;
    this.#bonds = compileBindings(bindings, roles);
  }

  decide(question: PolicyQuestion): Promise<PolicyAnswer> {
    return Promise.resolve(decide(this.#bonds, question));
  }

  explain(question: PolicyQuestion): Promise<RuleVerdict[]> {
    return Promise.resolve(this.#bonds.map((bond) => explain(bond, question)));
  }

  check(): Promise<PolicyProblem[]> {
    return Promise.resolve(findProblems({ roles: this.#roles, bindings: this.#bindings }));
  }

  // deno-lint-ignore require-await -- what it throws must arrive as a rejection
  async replaceRoles(stored: StoredRoles): Promise<void> {
    const roles = readRoles(stored.roles);
    const bindings = readBindings(stored.bindings);
    // The last role of a name counts: that of the configuration.
    this.#bonds = compileBindings([...this.#bindings, ...bindings], [...roles, ...this.#roles]);
    this.#stored = roles;
  }

  checkRoles({ roles, bindings }: StoredRoles): Promise<PolicyProblem[]> {
    const others = [...this.#roles, ...this.#stored];
    return Promise.resolve(findProblems({ roles, bindings }, others));
  }

  listRoles(): Promise<ConfiguredRoles> {
    const builtIn = BUILT_IN_ROLES.map((role) => ({ ...role, builtIn: true }));
    const configured = this.#roles.map((role) => ({ ...role, builtIn: false }));
    return Promise.resolve({ roles: [...builtIn, ...configured], bindings: this.#bindings });
  }
}

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
