import type { StoredIdentity } from "../../plugins/contract/auth.ts";
import type { StoredRoles } from "../../plugins/contract/role.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { AccessChanges } from "./access_changes.ts";
import { Identities } from "./identities.ts";
import { Roles } from "./roles.ts";

/** Who there is and who may do what, as far as the registry's store says it, at one time. */
export interface StoredAccess extends StoredRoles {
  readonly identities: readonly StoredIdentity[];
  /** Whether there has ever been an identity: then nobody is let in without being asked who they are. */
  readonly hadIdentities: boolean;
  /** Whether there has ever been a binding: then nobody may do what no policy grants. */
  readonly hadBindings: boolean;
}

/** Identities, roles and bindings of the registry's store, and one version for all of them. */
export interface AccessStore {
  readonly identities: Identities;
  readonly roles: Roles;
  /** Something else after each change. */
  version(): Promise<string>;
  /** All that there is. */
  read(): Promise<StoredAccess>;
}

/** Opens what is kept of access. `onChange` is awaited after each change that is made through it. */
export function openAccessStore(storage: Storage, onChange?: () => Promise<void>): AccessStore {
  const changes = new AccessChanges(storage, onChange);
  const identities = new Identities(storage, changes);
  const roles = new Roles(storage, changes);
  return {
    identities,
    roles,
    version: () => changes.version(),
    async read() {
      const [people, all, bindings, hadIdentities, hadBindings] = await Promise.all([
        identities.list(),
        roles.list(),
        roles.listBindings(),
        changes.hadAny("identities"),
        changes.hadAny("bindings"),
      ]);
      return {
        identities: people.map(tellable),
        roles: all,
        bindings,
        hadIdentities: hadIdentities || people.length > 0,
        hadBindings: hadBindings || bindings.length > 0,
      };
    },
  };
}

/** What plugins are told of an identity. */
function tellable(
  { createdAtMs: _created, passwordChangedAtMs: _changed, ...identity }: StoredIdentity & {
    readonly createdAtMs?: number;
    readonly passwordChangedAtMs?: number;
  },
): StoredIdentity {
  return identity;
}
