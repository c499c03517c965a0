import type { Storage } from "../plugins/contract/storage.ts";
import { ADMIN_ROUTES } from "./admin/routes.ts";
import { createHandler, type Handler } from "./api/handler.ts";
import { ROUTES } from "./api/routes.ts";
import { type AccessChain, createChainedAccess, startAccessChain } from "./access_chain.ts";
import type { Config, ConfigSources, ReadConfig } from "./config/mod.ts";
import type { Log } from "./observe/log.ts";
import { startConfigured } from "./plugins.ts";
import { createRegistry, type Registry } from "./registry/registry.ts";
import { repositoryRules } from "./repository_rules.ts";

/** A registry that is ready for requests. */
export interface Server extends AsyncDisposable {
  /** Serves one request. */
  readonly fetch: Handler;
  /**
   * Goes on with another configuration, all or nothing: fails where it cannot be used, and goes on as before. Requests
   * under way end as they began. What cannot change while the server runs is not looked at. `commit` is called when nothing
   * else can fail; where it throws, nothing has changed.
   */
  replace(read: ReadConfig, commit: () => void): Promise<void>;
  /** Stops its plugins. No request may be under way. */
  close(): Promise<void>;
}

/** How often idle uploads are looked for, in milliseconds, at most. */
const EXPIRY_INTERVAL_MAX_MS = 10 * 60 * 1000;

/** What of a server a configuration decides: replaced as a whole, and ended when its last request has ended. */
interface Setup {
  readonly config: Config;
  readonly handler: Handler;
  readonly chain: AccessChain;
  requests: number;
  retired: boolean;
}

/** Starts the plugins of a configuration and the registry over them. Fails, by name and reason, where one does not start. */
export async function createServer({ config, sources }: ReadConfig, log: Log): Promise<Server> {
  const storage = await startConfigured("storage", config.storage, log);
  try {
    const rules = { current: repositoryRules(config) };
    const registry = await createRegistry(storage.contract, {
      openUploadsMax: config.uploads.openMax,
      rules: {
        isImmutable: (name, tag) => rules.current.isImmutable(name, tag),
        allowsDelete: (name) => rules.current.allowsDelete(name),
      },
    });
    const parts = { registry, storage: storage.contract, log };
    let setup = await createSetup(config, sources, parts);
    const stopExpiry = expireUploads(registry, {
      idleTimeoutMs: () => setup.config.uploads.idleTimeoutMs,
      log,
    });
    const close = async () => {
      stopExpiry();
      await setup.chain.close();
      await storage.close();
    };
    return {
      fetch: (request, connection) => serve(setup, request, connection),
      async replace(read, commit) {
        const next = await createSetup(read.config, read.sources, parts);
        try {
          commit();
        } catch (error) {
          await next.chain.close();
          throw error;
        }
        const last = setup;
        setup = next;
        rules.current = repositoryRules(read.config);
        retire(last);
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

interface SetupParts {
  readonly registry: Registry;
  readonly storage: Storage;
  readonly log: Log;
}

async function createSetup(config: Config, sources: ConfigSources, parts: SetupParts): Promise<Setup> {
  const { registry, storage, log } = parts;
  const chain = await startAccessChain({ config, sources, log });
  const { server, uploads } = config;
  const handler = createHandler({
    routes: [...ROUTES, ...ADMIN_ROUTES],
    registry,
    access: createChainedAccess(chain, { storage, config, log }),
    frontage: { ...server, secure: server.tls !== undefined },
    log,
    stallTimeoutMs: uploads.stallTimeoutMs,
  });
  return { config, handler, chain, requests: 0, retired: false };
}

const serve = async (setup: Setup, ...request: Parameters<Handler>): Promise<Response> => {
  setup.requests++;
  try {
    return await setup.handler(...request);
  } finally {
    setup.requests--;
    endIfIdle(setup);
  }
};

function retire(setup: Setup): void {
  setup.retired = true;
  endIfIdle(setup);
}

function endIfIdle(setup: Setup): void {
  if (setup.retired && setup.requests === 0) void setup.chain.close();
}

/** Removes idle uploads now and then; answers how to stop that. */
function expireUploads(
  registry: Registry,
  { idleTimeoutMs, log }: { readonly idleTimeoutMs: () => number; readonly log: Log },
): () => void {
  const timer = setInterval(async () => {
    try {
      const expired = await registry.uploads.expire(idleTimeoutMs());
      if (expired > 0) log.info("Removed idle uploads", { uploads: expired });
    } catch (error) {
      log.warn("Cannot look for idle uploads; will try again", { error: (error as Error).message });
    }
  }, Math.min(idleTimeoutMs(), EXPIRY_INTERVAL_MAX_MS));
  return () => clearInterval(timer);
}
