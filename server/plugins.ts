import type { Contracts } from "./sandbox/contracts.ts";
import type { PluginConfig } from "./config/mod.ts";
import type { Log } from "./observe/log.ts";
import { checkGrant, expandPermissions, type RunningPlugin, startPlugin } from "./sandbox/mod.ts";

/** A plugin of the configuration that runs. */
export interface StartedPlugin<Kind extends keyof Contracts> {
  readonly name: string;
  readonly contract: Contracts[Kind];
  close(): Promise<void>;
}

/** Starts a plugin with what it was granted. Fails, by name and reason, where that is less than it asks for. */
export async function startConfigured<Kind extends keyof Contracts>(
  kind: Kind,
  config: PluginConfig,
  log: Log,
): Promise<StartedPlugin<Kind>> {
  const running = await start(config, log);
  return { name: config.name, contract: running.serve(kind), close: () => running.close() };
}

/** Starts plugins together. Where one does not start, none runs. */
export async function startAll<Kind extends keyof Contracts>(
  kind: Kind,
  configs: readonly PluginConfig[],
  log: Log,
): Promise<StartedPlugin<Kind>[]> {
  const results = await Promise.allSettled(configs.map((config) => startConfigured(kind, config, log)));
  const started = results.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
  const failed = results.find((result) => result.status === "rejected");
  if (!failed) return started;
  await closeAll(started);
  throw failed.reason;
}

/** Ends plugins. */
export async function closeAll(plugins: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.all(plugins.map((plugin) => plugin.close()));
}

async function start(plugin: PluginConfig, log: Log): Promise<RunningPlugin> {
  const permissions = expandPermissions(plugin.permissions, plugin.options);
  const missing = plugin.granted ? checkGrant(permissions, plugin.granted) : [];
  if (missing.length > 0) {
    throw new Error(
      `Cannot start ${plugin.kind} plugin "${plugin.name}": it is not granted ${missing.join(", ")}`,
    );
  }
  return await startPlugin({ ...plugin, permissions }, {
    log: ({ level, message, ...fields }) => log[level](message, fields),
  });
}
