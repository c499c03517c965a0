import { openAccessStore } from "./access/access_store.ts";
import type { Handler } from "./api/handler.ts";
import type { ReadConfig } from "./config/mod.ts";
import { type AccessWatch, watchAccess } from "./access_watch.ts";
import { jobKinds } from "./job_kinds.ts";
import { createJobs } from "./job_runner.ts";
import { AuditTrail } from "./observe/audit.ts";
import type { Log } from "./observe/log.ts";
import { createOperations, NO_HOST, type ServerHost } from "./operations.ts";
import type { HotBlobsOptions } from "./registry/hot_blobs.ts";
import { createRegistry, type Registry, type RegistryOptions } from "./registry/registry.ts";
import type { RepositoryRules } from "./registry/tags.ts";
import { serve, setupOfRequest } from "./setup.ts";
import { Setups } from "./setups.ts";
import { startStores, type Stores } from "./stores.ts";

/** A registry that is ready for requests. */
export interface Server extends AsyncDisposable {
  /** Serves one request of the registry's listener. */
  readonly fetch: Handler;
  /** Serves one request of the administration's own listener. */
  readonly fetchAdmin: Handler;
  /**
   * Goes on with another configuration, all or nothing: fails where it cannot be used, and goes on as before. Requests
   * under way end as they began. What cannot change while the server runs is not looked at. `commit` is called when nothing
   * else can fail; where it throws, nothing has changed.
   */
  replace(read: ReadConfig, commit: () => void): Promise<void>;
  /** Fails where a configuration could not be used; changes nothing. */
  check(read: ReadConfig): Promise<void>;
  /** Stops its plugins. No request may be under way. */
  close(): Promise<void>;
}

/** How often it is written down what was pulled, in milliseconds. */
const PULLS_INTERVAL_MS = 30_000;

/** How often idle uploads are looked for, in milliseconds, at most. */
const EXPIRY_INTERVAL_MAX_MS = 10 * 60 * 1000;

/** What a server may be given besides its configuration. */
export interface ServerOptions {
  /** The kinds of jobs that it runs. */
  readonly kinds?: typeof jobKinds;
  /** The process that it runs in. */
  readonly host?: ServerHost;
}

/** Starts the plugins of a configuration and the registry over them. Fails, by name and reason, where one does not start. */
export async function createServer(read: ReadConfig, log: Log, options: ServerOptions = {}): Promise<Server> {
  const stores = await startStores(read.config, log);
  try {
    return await createServerOver(stores, read, { ...options, log });
  } catch (error) {
    await stores.close();
    throw error;
  }
}

async function createServerOver(
  stores: Stores,
  read: ReadConfig,
  { log, kinds = jobKinds, host = NO_HOST }: ServerOptions & { readonly log: Log },
): Promise<Server> {
  const { storage, cache } = stores;
  const registry = await createRuledRegistry(stores, {
    openUploadsMax: read.config.uploads.openMax,
    hotBlobs: hotBlobs(log, () => config().blobs.cacheSizeBytes),
    rules: () => (setupOfRequest() ?? setups.current).rules,
  });
  const store = openAccessStore(storage, () => watch.refresh());
  const version = await store.version();
  const config = () => setups.current.read.config;
  const jobParts = { registry, storage, config, retentionTerms: () => setups.current.retention };
  const { jobs, ...work } = createJobs(kinds(jobParts), { storage, config, log });
  const audit = new AuditTrail(storage, { log, limits: () => config().audit });
  const operations = createOperations({ host, stores, registry, jobs, setups: () => setups });
  const stored = await store.read();
  const admin = { ...operations, audit, jobs, store };
  const setups = await Setups.start(read, { registry, storage, cache, log, audit, admin, stored });
  work.follow();
  const watch: AccessWatch = watchAccess(store, {
    version,
    stored,
    log,
    onChange: (changed) => setups.takeStored(changed),
  });
  const stopExpiry = expireUploads(registry, { idleTimeoutMs: () => config().uploads.idleTimeoutMs, log });
  const stopPulls = writePulls(registry, log);
  const close = async () => {
    stopExpiry();
    await Promise.all([watch.stop(), work.close(), stopPulls()]);
    await audit.close();
    await setups.close();
    await stores.close();
  };
  return {
    fetch: (...request) => serve(setups.current, "handler", request),
    fetchAdmin: (...request) => serve(setups.current, "adminHandler", request),
    async replace(next, commit) {
      await setups.replace(next, commit);
      work.follow();
    },
    check: (next) => setups.check(next),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A registry whose rules are those of whichever configuration is in force. */
function createRuledRegistry(
  { storage, cache }: Pick<Stores, "storage" | "cache">,
  { rules, ...options }: Omit<RegistryOptions, "cache" | "rules"> & { readonly rules: () => RepositoryRules },
): Promise<Registry> {
  return createRegistry(storage, {
    ...options,
    cache,
    rules: {
      isImmutable: (name, tag) => rules().isImmutable(name, tag),
      hasImmutable: (name) => rules().hasImmutable(name),
      allowsDelete: (name) => rules().allowsDelete(name),
    },
  });
}

/** Keeps as many bytes as `bytesMax` says when it is asked, and tells the log where a blob cannot be kept. */
function hotBlobs(log: Log, bytesMax: () => number): HotBlobsOptions {
  return {
    bytesMax,
    onFailure: (digest, { message }) =>
      log.warn("Cannot keep a blob in memory; it is read from the store each time", {
        digest,
        error: message,
      }),
  };
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

/** Writes down now and then what was pulled; answers how to end that, with what is not written yet. */
function writePulls({ pulls }: Registry, log: Log): () => Promise<void> {
  const write = async () => {
    try {
      await pulls.flush();
    } catch (error) {
      log.warn("Cannot write down what was pulled; will try again", { error: (error as Error).message });
    }
  };
  const timer = setInterval(write, PULLS_INTERVAL_MS);
  return async () => {
    clearInterval(timer);
    await write();
  };
}
