/** Starts the plugins of locks and caches as the server does: in their sandboxes, with what their files ask for. */

import type { PluginOptions } from "../../plugins/contract/plugin.ts";
import { readPluginFile } from "../../server/config/mod.ts";
import { expandPermissions, type RunningPlugin, startPlugin } from "../../server/sandbox/mod.ts";
import type { PluginEvent } from "../../server/sandbox/plugin.ts";
import { ROOT } from "../support/registry.ts";

/** What is started, and how. */
export interface Start {
  readonly kind: "lock" | "cache";
  readonly name: "memory" | "redis";
  readonly options: PluginOptions;
  readonly isolation?: "worker" | "process";
  readonly log?: (event: PluginEvent) => void;
}

/** Starts a built-in plugin. */
export async function startBuiltIn(start: Start): Promise<RunningPlugin> {
  const { kind, name, options, isolation = "worker", log = () => {} } = start;
  const { folder, entry, permissions } = await readPluginFile(`${ROOT}plugins/${kind}/${name}`);
  const granted = expandPermissions(permissions, options);
  return await startPlugin({ name, kind, folder, entry, isolation, permissions: granted, options }, { log });
}

/** The options of a plugin over Redis, with keys that no other test has. */
export function redisOptions(url: string, other: PluginOptions = {}): PluginOptions {
  return { url, key_prefix: `${crypto.randomUUID()}:`, ttl: 5_000, ...other };
}
