/**
 * What a plugin's module exports.
 *
 * @module
 */

/** The kinds of plugin there are. */
export const PLUGIN_KINDS = ["storage", "auth", "policy", "lock", "cache", "event"] as const;

/** One of the kinds of plugin. */
export type PluginKind = (typeof PLUGIN_KINDS)[number];

/** The settings of a plugin as its `plugin.toml` declares them and `sreg.toml` sets them: checked, defaults filled in. */
export type PluginOptions = Readonly<Record<string, unknown>>;

/**
 * The one export that a plugin's entry must have: `export const create: CreatePlugin<Storage> = (options) => …`.
 * Called once, in the sandbox. What it answers serves the contract of the plugin's kind until the sandbox ends. A
 * plugin that throws here stops the start of the server, by name and reason.
 */
export type CreatePlugin<Contract, Options = PluginOptions> = (
  options: Options,
) => Contract | Promise<Contract>;
