import type { Storage } from "../plugins/contract/storage.ts";
import { adminRoutes } from "./admin/routes.ts";
import { AsyncLocalStorage } from "node:async_hooks";
import { PluginError } from "../plugins/contract/error.ts";
import type { Access } from "./access/access.ts";
import { type AccessStore, openAccessStore, type StoredAccess } from "./access/access_store.ts";
import { createHandler, type Handler } from "./api/handler.ts";
import { ROUTES } from "./api/routes.ts";
import { type AccessChain, createChainedAccess, startAccessChain } from "./access_chain.ts";
import type { ReadConfig } from "./config/mod.ts";
import { type AccessWatch, watchAccess } from "./access_watch.ts";
import { jobKinds } from "./job_kinds.ts";
import { createJobs } from "./job_runner.ts";
import type { Jobs } from "./jobs/mod.ts";
import type { Log } from "./observe/log.ts";
import { startConfigured, type StartedPlugin } from "./plugins.ts";
import { KeyedMutex } from "./registry/mutex.ts";
import { createRegistry, type Registry } from "./registry/registry.ts";
import type { RepositoryRules } from "./registry/tags.ts";
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
  readonly read: ReadConfig;
  readonly access: Access;
  readonly rules: RepositoryRules;
  readonly handler: Handler;
  readonly chain: AccessChain;
  /** What it was told of the store last. */
  stored: StoredAccess;
  requests: number;
  retired: boolean;
}

interface ServerOptions {
  readonly log: Log;
  /** The kinds of jobs that it runs. */
  readonly kinds: typeof jobKinds;
}

/** Starts the plugins of a configuration and the registry over them. Fails, by name and reason, where one does not start. */
export async function createServer(read: ReadConfig, log: Log, kinds = jobKinds): Promise<Server> {
  const storage = await startConfigured("storage", read.config.storage, log);
  try {
    return await createServerOver(storage, read, { log, kinds });
  } catch (error) {
    await storage.close();
    throw error;
  }
}

async function createServerOver(
  { contract: storage, close: closeStorage }: StartedPlugin<"storage">,
  read: ReadConfig,
  { log, kinds }: ServerOptions,
): Promise<Server> {
  const rules = () => (requestSetup.getStore() ?? setup).rules;
  const registry = await createRuledRegistry(storage, read, rules);
  const store = openAccessStore(storage, () => watch.refresh());
  const version = await store.version();
  const config = () => setup.read.config;
  const { jobs, ...work } = createJobs(kinds({ registry, storage, config }), { storage, config, log });
  const parts: SetupParts = { registry, storage, log, jobs, store, stored: await store.read() };
  let setup: Setup = await createSetup(read, parts);
  work.follow();
  const replaceNow = async (next: ReadConfig, commit: () => void) => {
    const created = await createSetup(next, parts);
    try {
      // What changed meanwhile was told to the setup before.
      while (created.stored !== parts.stored) await tell(created, parts);
      commit();
    } catch (error) {
      await created.chain.close();
      throw error;
    }
    const last = setup;
    setup = created;
    work.follow();
    retire(last);
  };
  const turns = new KeyedMutex();
  const replace: Server["replace"] = (next, commit) => turns.run("setup", () => replaceNow(next, commit));
  const watch: AccessWatch = watchAccess(store, {
    version,
    stored: parts.stored,
    log,
    async onChange(stored) {
      parts.stored = stored;
      await tell(setup, parts);
      if (setup.chain.suffices(stored)) return;
      // The first identity needs somebody to check its password, the first binding somebody to listen to it.
      await turns.run("setup", async () => {
        if (!setup.chain.suffices(stored)) await replaceNow(setup.read, () => {});
      });
    },
  });
  const stops = [
    expireUploads(registry, { idleTimeoutMs: () => setup.read.config.uploads.idleTimeoutMs, log }),
  ];
  const close = async () => {
    for (const stop of stops) stop();
    await Promise.all([watch.stop(), work.close()]);
    await turns.run("setup", () => setup.chain.close());
    await closeStorage();
  };
  const fetch: Handler = (request, connection) => serve(setup, request, connection);
  return { fetch, replace, close, [Symbol.asyncDispose]: close };
}

/** A registry whose rules are those of whichever configuration is in force. */
function createRuledRegistry(
  storage: Storage,
  { config }: ReadConfig,
  rules: () => RepositoryRules,
): Promise<Registry> {
  return createRegistry(storage, {
    openUploadsMax: config.uploads.openMax,
    rules: {
      isImmutable: (name, tag) => rules().isImmutable(name, tag),
      hasImmutable: (name) => rules().hasImmutable(name),
      allowsDelete: (name) => rules().allowsDelete(name),
    },
  });
}

interface SetupParts {
  readonly registry: Registry;
  readonly storage: Storage;
  readonly log: Log;
  readonly jobs: Jobs;
  readonly store: AccessStore;
  /** What the store says of access, as it was read last. */
  stored: StoredAccess;
}

async function createSetup(read: ReadConfig, parts: SetupParts): Promise<Setup> {
  const { registry, storage, log, stored } = parts;
  const { config, sources } = read;
  const chain = await startAccessChain({ config, sources, log, stored });
  const access = createChainedAccess(chain, { storage, config, log });
  await tellAccess(access, stored, log);
  // The keys that sign tokens are there before the first one is asked for.
  if (chain.auths.length > 0) await access.tokens.publicKeys();
  const { server, uploads } = config;
  const rules = repositoryRules(config);
  const handler = createHandler({
    routes: [...ROUTES, ...adminRoutes(parts)],
    registry,
    access,
    frontage: { ...server, secure: server.tls !== undefined },
    log,
    stallTimeoutMs: uploads.stallTimeoutMs,
  });
  return { read, access, rules, handler, chain, stored, requests: 0, retired: false };
}

/** Tells a setup what the store says of access now. */
async function tell(setup: Setup, { stored, log }: SetupParts): Promise<void> {
  setup.stored = stored;
  await tellAccess(setup.access, stored, log);
}

/** Fails where a plugin cannot be told now. What it cannot use of what it was told is for people to mend. */
async function tellAccess(access: Access, stored: StoredAccess, log: Log): Promise<void> {
  try {
    await access.replaceStored(stored);
  } catch (error) {
    if (!(error instanceof PluginError) || error.code !== "failed") throw error;
    log.error("Not all that the store says of access is in force", { error: error.message });
  }
}

/** The setup that a request began with: it holds to the request's end, whatever is taken over meanwhile. */
const requestSetup = new AsyncLocalStorage<Setup>();

const serve = async (setup: Setup, ...request: Parameters<Handler>): Promise<Response> => {
  setup.requests++;
  try {
    return await requestSetup.run(setup, () => setup.handler(...request));
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
