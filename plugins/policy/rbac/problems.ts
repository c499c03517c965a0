import type { PolicyProblem } from "@sreg/contract/policy.ts";
import { findPatternProblem } from "@sreg/contract/pattern.ts";
import { didYouMean } from "@sreg/contract/nearest.ts";
import { type BindingSettings, BUILT_IN_ROLES, type RoleSettings } from "./settings.ts";
import { VERBS } from "./verbs.ts";

/** Roles, and who has them. */
interface Settings {
  readonly roles: readonly RoleSettings[];
  readonly bindings: readonly BindingSettings[];
}

/**
 * What is wrong with roles and bindings: each could be meant to grant something, and does not. `others` are roles that may
 * be bound besides.
 */
export function findProblems(
  { roles, bindings }: Settings,
  others: readonly RoleSettings[] = [],
): PolicyProblem[] {
  const known = new Set([...BUILT_IN_ROLES, ...others, ...roles].map(({ name }) => name));
  return [
    ...roles.flatMap(findRoleProblems),
    ...bindings.flatMap((binding, index) => findBindingProblems(binding, { index: String(index), known })),
  ];
}

function findRoleProblems({ name, verbs, repositories }: RoleSettings): PolicyProblem[] {
  const at = ["role", name];
  const isTaken = BUILT_IN_ROLES.some((role) => role.name === name);
  return [
    ...(isTaken ? [whole(at, name, "the role is built in, call yours something else")] : []),
    ...verbs.flatMap((verb, index) => {
      if (VERBS.includes(verb)) return [];
      const message = `unknown verb ${JSON.stringify(verb)}${meant(verb, VERBS)}`;
      return [whole([...at, "verbs", String(index)], verb, message)];
    }),
    ...repositories.flatMap((glob, index) => {
      const problem = findPatternProblem(glob);
      return problem ? [{ path: [...at, "repositories", String(index)], ...problem }] : [];
    }),
  ];
}

function findBindingProblems(
  { role, users, groups }: BindingSettings,
  { index, known }: { readonly index: string; readonly known: ReadonlySet<string> },
): PolicyProblem[] {
  const at = ["binding", index];
  const unknown = `unknown role ${JSON.stringify(role)}${meant(role, known)}`;
  return [
    ...(known.has(role) ? [] : [whole([...at, "role"], role, unknown)]),
    ...(users.length + groups.length > 0 ? [] : [whole(at, "", "it binds nobody: expected users or groups")]),
  ];
}

function meant(text: string, words: Iterable<string>): string {
  return didYouMean(text, words) || `, there are: ${[...words].join(", ")}`;
}

function whole(path: readonly string[], text: string, message: string): PolicyProblem {
  return { path, offset: 0, length: text.length, message };
}
