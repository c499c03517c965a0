import { isDeepStrictEqual } from "node:util";
import type { Config } from "./load.ts";
import type { PluginConfig } from "./plugins.ts";

/**
 * The keys by which two configurations differ, of those that cannot change while the server runs: addresses, ports, TLS
 * on or off, and the plugins of storage, locks and cache with their settings. None: `next` can take the place of `running`.
 */
export function compareConfig(running: Config, next: Config): string[] {
  const keys: [key: string, of: (config: Config) => unknown][] = [
    ["server.bind_address", ({ server }) => server.bindAddress],
    ["server.port", ({ server }) => server.port],
    ["server.tls", ({ server }) => server.tls !== undefined],
    ["admin.bind_address", ({ admin }) => admin?.bindAddress],
    ["admin.port", ({ admin }) => admin?.port],
    ["admin.tls", ({ admin }) => admin?.tls !== undefined],
  ];
  const changed = keys.filter(([, of]) => !isDeepStrictEqual(of(running), of(next))).map(([key]) => key);
  return [
    ...changed,
    ...comparePlugins("storage", running.storage, next.storage),
    ...comparePlugins("lock_store", running.lockStore, next.lockStore),
    ...comparePlugins("cache_store", running.cacheStore, next.cacheStore),
  ];
}

function comparePlugins(table: string, running: PluginConfig, next: PluginConfig): string[] {
  if (running.name !== next.name) return [table];
  const options = Object.keys({ ...running.options, ...next.options })
    .filter((option) => !isDeepStrictEqual(running.options[option], next.options[option]));
  const declared: [key: string, of: (plugin: PluginConfig) => unknown][] = [
    ["path", ({ folder, entry, permissions }) => [folder, entry, permissions]],
    ["isolation", ({ isolation }) => isolation],
    ["permissions", ({ granted }) => granted],
  ];
  const { name } = running;
  return [
    ...options.map((option) => `${table}.${name}.${option}`),
    ...declared.filter(([, of]) => !isDeepStrictEqual(of(running), of(next))).map(([key]) =>
      `plugin.${name}.${key}`
    ),
  ];
}
