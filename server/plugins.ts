import type { CallReport, PluginReport } from "./admin/plugins.ts";
import type { Contracts } from "./sandbox/contracts.ts";
import { maskValue, type PluginConfig, readPluginFile } from "./config/mod.ts";
import type { Log } from "./observe/log.ts";
import {
  type CallFacts,
  checkGrant,
  expandPermissions,
  type PluginPermissions,
  type RunningPlugin,
  startPlugin,
} from "./sandbox/mod.ts";

/** A plugin of the configuration that runs. */
export interface StartedPlugin<Kind extends keyof Contracts> {
  readonly name: string;
  readonly contract: Contracts[Kind];
  /** What it is, and how it does. */
  report(): PluginReport;
  close(): Promise<void>;
}

/** Starts a plugin with what it was granted. Fails, by name and reason, where that is less than it asks for. */
export async function startConfigured<Kind extends keyof Contracts>(
  kind: Kind,
  config: PluginConfig,
  log: Log,
): Promise<StartedPlugin<Kind>> {
  const { version, description } = await readPluginFile(config.folder);
  const permissions = expandPermissions(config.permissions, config.options);
  const running = await start(config, permissions, log);
  const { name, isolation } = config;
  const options = maskValue(config.options) as PluginReport["options"];
  const touched = permissions as PluginReport["permissions"];
  return {
    name,
    contract: running.serve(kind),
    report: () => ({
      ...{ name, kind, version, description, isolation, permissions: touched, options },
      ...reportOf(running),
    }),
    close: () => running.close(),
  };
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

function reportOf(plugin: RunningPlugin) {
  const { running, restarts, startedAtMs, methods, ...total } = plugin.facts();
  return {
    state: running ? "running" as const : "restarting" as const,
    restarts,
    started_at: new Date(startedAtMs).toISOString(),
    ...reportCalls(total),
    methods: methods.map((method) => ({ name: method.name, ...reportCalls(method) })),
  };
}

function reportCalls({ calls, failures, latencyMs }: CallFacts): CallReport {
  return { calls, failures, latency_ms: latencyMs };
}

async function start(plugin: PluginConfig, permissions: PluginPermissions, log: Log): Promise<RunningPlugin> {
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
