import type { Identity } from "@sreg/contract/identity.ts";
import { parsePattern } from "@sreg/contract/pattern.ts";
import { type BindingSettings, BUILT_IN_ROLES, type RoleSettings } from "./settings.ts";
import { compileVerbs } from "./verbs.ts";

/** What is to be done. */
export interface Deed {
  readonly action: string;
  /** `null` where the action is not about a repository. */
  readonly repository: string | null;
}

/** A role that somebody has. */
export interface Bond {
  /** The role's name. */
  readonly role: string;
  /** What the role grants to whom, for people. */
  readonly text: string;
  /** Whether there is such a role. */
  readonly exists: boolean;
  /** Why it binds this identity: `user "ann"`; `undefined`: it does not. */
  binds(identity: Identity): string | undefined;
  /** Whether the role grants this. */
  grants(deed: Deed): boolean;
}

const EVERYBODY = "*";
const AUTHENTICATED = "authenticated";

/** Compiles bindings with their roles. One whose role does not exist grants nothing. */
export function compileBindings(
  bindings: readonly BindingSettings[],
  roles: readonly RoleSettings[],
): Bond[] {
  // A role that takes the name of a built-in one is not listened to.
  const byName = new Map([...roles, ...BUILT_IN_ROLES].map((role) => [role.name, role]));
  const compiled = new Map([...byName].map(([name, role]) => [name, compileRole(role)]));
  return bindings.map((binding) => {
    const role = byName.get(binding.role);
    return {
      role: binding.role,
      text: `${role ? describeRole(role) : "nothing"}, for ${describeWho(binding)}`,
      exists: role !== undefined,
      binds: compileWho(binding),
      grants: compiled.get(binding.role) ?? (() => false),
    };
  });
}

function compileRole({ verbs, repositories }: RoleSettings): Bond["grants"] {
  const covers = compileVerbs(verbs);
  const globs = repositories.map(parsePattern);
  return ({ action, repository }) =>
    covers(action) && (repository === null || globs.some((glob) => glob.covers(repository)));
}

function compileWho({ users, groups }: BindingSettings): Bond["binds"] {
  const userSet = new Set(users);
  const groupSet = new Set(groups);
  return ({ id, username, groups }) => {
    if (userSet.has(EVERYBODY)) return "everybody";
    const user = [id, username].find((name) => name !== null && userSet.has(name));
    if (user !== undefined) return `user ${JSON.stringify(user)}`;
    if (groupSet.has(AUTHENTICATED) && id !== null) return "everybody who is authenticated";
    const group = groups.find((name) => name !== AUTHENTICATED && groupSet.has(name));
    return group === undefined ? undefined : `group ${JSON.stringify(group)}`;
  };
}

function describeRole({ verbs, repositories }: RoleSettings): string {
  return `${verbs.join(", ")} on ${repositories.join(", ")}`;
}

function describeWho({ users, groups }: BindingSettings): string {
  return [...users.map((user) => `user ${user}`), ...groups.map((group) => `group ${group}`)].join(", ");
}
