import { allowEverything } from "./access/guard.ts";
import { createHandler, type Handler } from "./api/handler.ts";
import type { Config, PluginConfig } from "./config/mod.ts";
import type { Log } from "./observe/log.ts";
import { createRegistry, type Registry } from "./registry/registry.ts";
import { checkGrant, expandPermissions, type RunningPlugin, startPlugin } from "./sandbox/mod.ts";

/** A registry that is ready for requests. */
export interface Server extends AsyncDisposable {
  /** Serves one request. */
  readonly fetch: Handler;
  /** Stops its plugins. No request may be under way. */
  close(): Promise<void>;
}

/** How often idle uploads are looked for, in milliseconds, at most. */
const EXPIRY_INTERVAL_MAX_MS = 10 * 60 * 1000;

/** Starts the plugins of `config` and the registry over them. Fails, by name and reason, where one does not start. */
export async function createServer(config: Config, log: Log): Promise<Server> {
  const storage = await startConfigured(config.storage, log);
  try {
    const registry = await createRegistry(storage.serve("storage"), {
      openUploadsMax: config.uploads.openMax,
    });
    const stopExpiry = expireUploads(registry, { idleTimeoutMs: config.uploads.idleTimeoutMs, log });
    const close = async () => {
      stopExpiry();
      await storage.close();
    };
    const { stallTimeoutMs } = config.uploads;
    const fetch = createHandler({ registry, guard: allowEverything, log, stallTimeoutMs });
    return { fetch, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

async function startConfigured(plugin: PluginConfig, log: Log): Promise<RunningPlugin> {
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

/** Removes idle uploads now and then; answers how to stop that. */
function expireUploads(
  registry: Registry,
  { idleTimeoutMs, log }: { readonly idleTimeoutMs: number; readonly log: Log },
): () => void {
  const timer = setInterval(async () => {
    try {
      const expired = await registry.uploads.expire(idleTimeoutMs);
      if (expired > 0) log.info("Removed idle uploads", { uploads: expired });
    } catch (error) {
      log.warn("Cannot look for idle uploads; will try again", { error: (error as Error).message });
    }
  }, Math.min(idleTimeoutMs, EXPIRY_INTERVAL_MAX_MS));
  return () => clearInterval(timer);
}
