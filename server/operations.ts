import type { Storage } from "../plugins/contract/storage.ts";
import type { ConfigFault } from "./admin/config.ts";
import type { PluginReport } from "./admin/plugins.ts";
import type { AdminParts } from "./admin/routes.ts";
import type { ServerStatus } from "./admin/status.ts";
import { type ConfigProblem, showConfig } from "./config/mod.ts";
import type { Jobs } from "./jobs/mod.ts";
import type { Registry } from "./registry/registry.ts";
import type { Setup } from "./setup.ts";
import type { Setups } from "./setups.ts";
import type { Stores } from "./stores.ts";

/** The process around a server, as far as the administration asks for it. */
export interface ServerHost {
  /** The URLs that it listens on. */
  urls(): readonly string[];
  /** Reads the files of the configuration anew and says what is wrong. */
  check(): Promise<readonly ConfigProblem[]>;
  /** Takes them over; answers what kept it from that. */
  reload(): Promise<readonly ConfigProblem[]>;
  /** Why that failed last; `undefined`: it did not. */
  lastError(): string | undefined;
}

/** A host that listens nowhere and has no files. */
export const NO_HOST: ServerHost = {
  urls: () => [],
  check: () => Promise.resolve([]),
  reload: () => Promise.resolve([]),
  lastError: () => undefined,
};

/** What a server's operations are about. */
export interface OperationsSource {
  readonly host: ServerHost;
  readonly stores: Stores;
  readonly registry: Registry;
  readonly jobs: Jobs;
  /** There are some before the first request. */
  readonly setups: () => Setups;
}

/** How long the store may take to show that it can be reached, in milliseconds. */
const REACH_MS = 3_000;
const COUNT_PAGE = 10_000;

/** What the administration tells of a server and does with it as a whole. */
export function createOperations(
  source: OperationsSource,
): Pick<AdminParts, "version" | "status" | "plugins" | "config"> {
  const { host, stores, setups } = source;
  const startedAtMs = Date.now();
  const version = readVersion();
  return {
    version,
    plugins: () => reportPlugins(stores, setups().current),
    status: () => describe(source, { version, startedAtMs }),
    config: {
      show: () => ({
        files: setups().current.read.sources.paths,
        loadedAtMs: setups().loadedAtMs,
        config: showConfig(setups().current.read.config),
      }),
      check: async () => (await host.check()).map(faultOf),
      reload: async () => (await host.reload()).map(faultOf),
    },
  };
}

function reportPlugins(stores: Stores, { chain }: Setup): PluginReport[] {
  const plugins = new Set([...chain.auths, ...chain.policies, ...chain.keepers]);
  return [...stores.reports(), ...[...plugins].map((plugin) => plugin.report())];
}

async function describe(
  source: OperationsSource,
  { version, startedAtMs }: { readonly version: string; readonly startedAtMs: number },
): Promise<ServerStatus> {
  const { host, stores, registry, jobs, setups } = source;
  const { current, loadedAtMs } = setups();
  const reachable = await isReachable(stores.storage);
  const recent = reachable ? await jobs.list({ limit: 20 }) : { entries: [] };
  const running = recent.entries.find(({ state }) => state === "running");
  const lastError = host.lastError();
  return {
    version,
    started_at: new Date(startedAtMs).toISOString(),
    uptime_s: Math.floor((Date.now() - startedAtMs) / 1_000),
    deno: Deno.version.deno,
    listen: host.urls(),
    storage: { plugin: stores.storageName, reachable },
    repositories: reachable ? await countRepositories(registry) : 0,
    ...(running && { running_job: running.id }),
    config: {
      files: current.read.sources.paths,
      loaded_at: new Date(loadedAtMs).toISOString(),
      ...(lastError !== undefined && { last_error: lastError }),
    },
  };
}

/** The version of the project, as its own file says it. */
function readVersion(): string {
  return JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url))).version;
}

async function isReachable(storage: Storage): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), REACH_MS));
  const asked = storage.list("", { limit: 1 }).then(() => true, () => false);
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function countRepositories({ catalog }: Registry): Promise<number> {
  let count = 0;
  let page = await catalog.list({ limit: COUNT_PAGE });
  for (;;) {
    count += page.entries.length;
    const last = page.entries.at(-1);
    if (!page.more || last === undefined) return count;
    page = await catalog.list({ limit: COUNT_PAGE, last });
  }
}

function faultOf({ origin, mark, key, message }: ConfigProblem): ConfigFault {
  return {
    ...(origin !== "" && { file: origin }),
    ...(mark && { line: mark.line, column: mark.column }),
    key,
    message,
  };
}
