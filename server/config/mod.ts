/**
 * The configuration: `sreg.toml` and the flags of the command line, as one value that cannot be changed.
 *
 * @module
 */

export { ConfigError, type ConfigProblem, type SourceMark } from "./error.ts";
export type { ConfigOverrides } from "./flags.ts";
export {
  type Config,
  type ConfigSource,
  type ConfigSources,
  loadConfig,
  type ReadConfig,
  readConfig,
  resolveConfigFiles,
} from "./load.ts";
export { compareConfig } from "./compare.ts";
export { type Permissions, readPluginFile } from "./plugin_file.ts";
export type { PluginConfig } from "./plugins.ts";
export type { TlsConfig } from "./tls.ts";
export { maskValue } from "./secrets.ts";
export { showConfig } from "./shown.ts";
