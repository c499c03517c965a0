import type { Auth } from "../../plugins/contract/auth.ts";
import type { Cache } from "../../plugins/contract/cache.ts";
import type { Lock } from "../../plugins/contract/lock.ts";
import type { PluginKind } from "../../plugins/contract/plugin.ts";
import type { Policy } from "../../plugins/contract/policy.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { WireMethods } from "../../plugins/contract/wire.ts";
import { AUTH_WIRE } from "../../plugins/contract/wire_auth.ts";
import { CACHE_WIRE } from "../../plugins/contract/wire_cache.ts";
import { LOCK_WIRE } from "../../plugins/contract/wire_lock.ts";
import { POLICY_WIRE } from "../../plugins/contract/wire_policy.ts";
import { STORAGE_WIRE } from "../../plugins/contract/wire_storage.ts";
import { forgivingCache } from "./forgiving_cache.ts";
import { locatedStorage } from "./located.ts";
import type { LocatedOptions } from "./located_file.ts";

/** The contracts that plugins can serve, by kind. */
export interface Contracts {
  /** An object store; its `locate` stays inside the sandbox. */
  readonly storage: Storage;
  readonly auth: Auth;
  readonly policy: Policy;
  readonly lock: Lock;
  /** Never fails: what it cannot answer is not there. */
  readonly cache: Cache;
}

/** A kind of plugin that can be started. */
export type ServedKind = keyof Contracts;

/** How a kind of plugin is served. */
export interface ContractRow<Contract> {
  /** What may be called, and how it crosses. */
  readonly methods: WireMethods;
  /** What the core gets, over calls of the plugin. */
  readonly wrap: (remote: Contract, options: LocatedOptions) => Contract;
}

const CONTRACTS: { readonly [Kind in ServedKind]: ContractRow<Contracts[Kind]> } = {
  storage: { methods: STORAGE_WIRE, wrap: locatedStorage },
  auth: { methods: AUTH_WIRE, wrap: (remote) => remote },
  policy: { methods: POLICY_WIRE, wrap: (remote) => remote },
  lock: { methods: LOCK_WIRE, wrap: (remote) => remote },
  cache: { methods: CACHE_WIRE, wrap: forgivingCache },
};

/** The row of a kind. Throws where no plugin of the kind can be started. */
export function contractOf<Kind extends ServedKind>(kind: Kind | PluginKind): ContractRow<Contracts[Kind]> {
  const row = (CONTRACTS as Partial<Record<PluginKind, unknown>>)[kind];
  if (!row) throw new TypeError(`plugins of kind ${kind} are not served`);
  return row as ContractRow<Contracts[Kind]>;
}
