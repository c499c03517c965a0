/** The settings of the plugin, as the loader fills them; nothing of them is trusted to have its form. */
export interface RbacOptions {
  /** A list of `{ name, verbs, repositories }`. */
  readonly roles?: unknown;
  /** A list of `{ role, users, groups }`. */
  readonly bindings?: unknown;
}

/** A role: verbs on repositories. */
export interface RoleSettings {
  readonly name: string;
  /** Actions, or words for several of them. */
  readonly verbs: readonly string[];
  /** Names and globs. */
  readonly repositories: readonly string[];
}

/** Who has a role. */
export interface BindingSettings {
  readonly role: string;
  /** User names or ids; `*` is everybody, the anonymous too. */
  readonly users: readonly string[];
  /** Groups; `authenticated` is everybody with an id. */
  readonly groups: readonly string[];
}

/** The roles that there are without any configuration. */
export const BUILT_IN_ROLES: readonly RoleSettings[] = [
  { name: "admin", verbs: ["*", "admin.*"], repositories: ["**"] },
  { name: "push", verbs: ["pull", "push"], repositories: ["**"] },
  { name: "pull", verbs: ["pull"], repositories: ["**"] },
];

/** Reads the configured roles. Throws where they have not their form. */
export function readRoles(value: unknown): RoleSettings[] {
  return readList(value, "roles").map(({ name, verbs, repositories = ["**"] }, index) => {
    if (typeof name === "string" && isTexts(verbs) && isTexts(repositories)) {
      return { name, verbs, repositories };
    }
    throw new TypeError(
      `roles[${index}]: expected a text for name, and lists of texts for verbs and repositories`,
    );
  });
}

/** Reads the bindings. Throws where they have not their form. */
export function readBindings(value: unknown): BindingSettings[] {
  return readList(value, "bindings").map(({ role, users = [], groups = [] }, index) => {
    if (typeof role === "string" && isTexts(users) && isTexts(groups)) return { role, users, groups };
    throw new TypeError(
      `bindings[${index}]: expected a text for role, and lists of texts for users and groups`,
    );
  });
}

function readList(value: unknown, name: string): Record<string, unknown>[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new TypeError(`${name}: expected a list`);
  return value.map((item) => Object(item));
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
