/**
 * Roles and bindings as they are kept in the registry's store, beside those of the configuration.
 *
 * @module
 */

/** A role: verbs on repositories. */
export interface StoredRole {
  /** What bindings name it by. */
  readonly name: string;
  /** Actions, or words for several of them. */
  readonly verbs: readonly string[];
  /** Names and globs of the repositories that it is about. */
  readonly repositories: readonly string[];
}

/** Who has a role. */
export interface StoredBinding {
  /** What it is kept under. */
  readonly id: string;
  /** The role's name. */
  readonly role: string;
  /** User names or ids; `*` is everybody, the anonymous too. */
  readonly users: readonly string[];
  /** Groups; `authenticated` is everybody with an id. */
  readonly groups: readonly string[];
}

/** All roles and bindings of the store. */
export interface StoredRoles {
  /** A role that has the name of one that is configured or built in counts for nothing. */
  readonly roles: readonly StoredRole[];
  /** A binding may name any role; where there is none it grants nothing. */
  readonly bindings: readonly StoredBinding[];
}

/** A role that is not the store's. */
export interface ConfiguredRole extends StoredRole {
  /** Whether it is there without any configuration. */
  readonly builtIn: boolean;
}

/** The roles and bindings that are not the store's. */
export interface ConfiguredRoles {
  /** Those of the configuration, and those that are built in. */
  readonly roles: readonly ConfiguredRole[];
  /** Those of the configuration, in its order. */
  readonly bindings: readonly Omit<StoredBinding, "id">[];
}
