import type { PluginKind, PluginOptions } from "../../plugins/contract/plugin.ts";
import type { PluginPermissions } from "./permissions.ts";

/** A plugin that is to be started: checked, and with what it may touch spelled out. */
export interface PluginDeclaration {
  /** Its name in `sreg.toml`. */
  readonly name: string;
  readonly kind: PluginKind;
  /** The folder that holds it: absolute. */
  readonly folder: string;
  /** The file of its module, in its folder. */
  readonly entry: string;
  readonly isolation: "worker" | "process";
  readonly permissions: PluginPermissions;
  readonly options: PluginOptions;
}

/** How messages name a plugin: `storage plugin "s3"`. */
export function formatTitle({ kind, name }: PluginDeclaration): string {
  return `${kind} plugin ${JSON.stringify(name)}`;
}
