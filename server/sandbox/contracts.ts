import type { PluginKind } from "../../plugins/contract/plugin.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { WireMethods } from "../../plugins/contract/wire.ts";
import { STORAGE_WIRE } from "../../plugins/contract/wire_storage.ts";
import { locatedStorage } from "./located.ts";
import type { LocatedOptions } from "./located_file.ts";

/** The contracts that plugins can serve, by kind. */
export interface Contracts {
  /** An object store; its `locate` stays inside the sandbox. */
  readonly storage: Storage;
}

/** How a kind of plugin is served. */
export interface ContractRow<Contract> {
  /** What may be called, and how it crosses. */
  readonly methods: WireMethods;
  /** What the core gets, over calls of the plugin. */
  readonly wrap: (remote: Contract, options: LocatedOptions) => Contract;
}

const CONTRACTS: { readonly [Kind in keyof Contracts]: ContractRow<Contracts[Kind]> } = {
  storage: { methods: STORAGE_WIRE, wrap: locatedStorage },
};

/** The row of a kind. Throws where no plugin of the kind can be started. */
export function contractOf(kind: PluginKind): ContractRow<Contracts[keyof Contracts]> {
  const rows: Partial<Record<PluginKind, ContractRow<Contracts[keyof Contracts]>>> = CONTRACTS;
  const row = rows[kind];
  if (!row) throw new TypeError(`plugins of kind ${kind} are not served`);
  return row;
}
