import type { Cache } from "../plugins/contract/cache.ts";
import type { Storage, StorageFeatures } from "../plugins/contract/storage.ts";
import type { Config } from "./config/mod.ts";
import type { Log } from "./observe/log.ts";
import { startConfigured, type StartedPlugin } from "./plugins.ts";
import { lockedStorage } from "./registry/locked_storage.ts";
import type { PluginReport } from "./admin/plugins.ts";

/** What a server keeps outside of itself: its plugins belong to it, not to a configuration that can be replaced. */
export interface Stores {
  /** The store, on which conditions hold. */
  readonly storage: Storage;
  /** The storage plugin's name. */
  readonly storageName: string;
  /** What is shared with other servers besides; `undefined`: the store is this machine's own, and asking it is as fast. */
  readonly cache: Cache | undefined;
  /** Its plugins, and how they do. */
  reports(): PluginReport[];
  /** Ends them. */
  close(): Promise<void>;
}

/** The plugins that serve one process only. */
const IN_MEMORY = "memory";

/** What is true of a store that does not say. */
const OWN: StorageFeatures = { shared: false, conditions: true, moveMs: 0, notes: false };

/**
 * Starts the plugin of the store, and those of locks and the cache, where the store needs them or they are named for all servers. Fails, by name
 * and reason, where one does not start; then none runs.
 */
export async function startStores(
  { storage: storageConfig, lockStore, cacheStore }: Pick<Config, "storage" | "lockStore" | "cacheStore">,
  log: Log,
): Promise<Stores> {
  const started: StartedPlugin<"storage" | "lock" | "cache">[] = [];
  const start = async <Kind extends "storage" | "lock" | "cache">(
    kind: Kind,
    config: Config["storage"],
  ): Promise<StartedPlugin<Kind>["contract"]> => {
    const plugin = await startConfigured(kind, config, log);
    started.push(plugin);
    return plugin.contract;
  };
  const close = async () => void await Promise.all(started.map((plugin) => plugin.close()));
  try {
    const storage = await start("storage", storageConfig);
    const features = await storage.features?.() ?? OWN;
    warn(features, { lockStore, cacheStore, log });
    const lock = features.conditions && lockStore.name === IN_MEMORY
      ? undefined
      : await start("lock", lockStore);
    const cache = !features.shared && cacheStore.name === IN_MEMORY
      ? undefined
      : await start("cache", cacheStore);
    return {
      storage: lock && !features.conditions ? lockedStorage(storage, lock) : storage,
      storageName: storageConfig.name,
      cache,
      reports: () => started.map((plugin) => plugin.report()),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Says what a server is alone with, though others can use its store. */
function warn(
  { shared, conditions }: StorageFeatures,
  { lockStore, cacheStore, log }: Pick<Config, "lockStore" | "cacheStore"> & { readonly log: Log },
): void {
  if (!shared) return;
  if (!conditions && lockStore.name === IN_MEMORY) {
    log.warn(
      "The store does not hold all writes and deletions to conditions, and locks are in memory: run this one server only, or set [lock_store.redis] for all",
    );
  }
  if (cacheStore.name === IN_MEMORY) {
    log.warn(
      "The store can be shared, and the cache is in memory: several servers count failed sign-ins each for itself; set [cache_store.redis] for all",
    );
  }
}
