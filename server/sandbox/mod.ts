/**
 * The sandbox: starts plugins behind a wall, with exactly the permissions that they were granted.
 *
 * @module
 */

export type { CallFacts, LatencyFacts, MethodFacts } from "./call_statistics.ts";
export type { PluginDeclaration } from "./declaration.ts";
export { checkGrant, expandPermissions, type PluginPermissions } from "./permissions.ts";
export {
  type PluginEvent,
  type PluginFacts,
  type PluginLimits,
  type PluginStartOptions,
  type RunningPlugin,
  startPlugin,
} from "./plugin.ts";
