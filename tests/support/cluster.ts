/**
 * Starts a cluster for tests: an S3 server and a Redis, replicas of sreg that hold nothing, each a process of its own from
 * one configuration, and a load balancer before them. Between replicas and what they share there can be faulty proxies.
 *
 * @module
 */

import { FaultyProxy } from "./faulty_proxy.ts";
import { FaultyTcp } from "./faulty_tcp.ts";
import { pauseProcess, resumeProcess } from "./paused_process.ts";
import { hasProgram } from "./programs.ts";
import { HAS_REDIS, type RunningRedis, startRedis } from "./redis_server.ts";
import { type RegistryOptions, type RunningRegistry, startProcess, type StartRegistry } from "./registry.ts";
import { RoundRobin } from "./round_robin.ts";
import { type RunningS3, S3_PROGRAM, s3Toml, startS3 } from "./s3_server.ts";

/** Whether a cluster can be started; a test that needs one says so in its name: `(versitygw, redis-server)`. */
export const CAN_CLUSTER: boolean = hasProgram(S3_PROGRAM) && HAS_REDIS;

/** What a test that needs a cluster adds to its name. */
export const CLUSTER_PROGRAMS = `(${S3_PROGRAM}, redis-server)`;

/** What replicas share. */
export interface Ground extends AsyncDisposable {
  readonly s3: RunningS3;
  readonly redis: RunningRedis;
}

/** What to start. */
export interface ClusterOptions extends Pick<RegistryOptions, "args" | "env"> {
  /** How many; default: three. */
  readonly replicas?: number;
  /** More of their configuration file. */
  readonly config?: string;
  /** More of its table `[storage.s3]`: lines. */
  readonly storage?: string;
  /** More of its table `[lock_store.redis]`: lines. */
  readonly locks?: string;
  /** What they share; default: one of their own, which ends with the cluster. Clusters on one ground do not meet. */
  readonly ground?: Ground;
  /** Whether there are proxies between the replicas and what they share; default: no. */
  readonly withFaults?: boolean;
}

/** What stands between replicas and what they share. */
export interface Links extends AsyncDisposable {
  readonly store: FaultyProxy;
  readonly redis: FaultyTcp;
}

/** Replicas that run behind a load balancer. */
export interface RunningCluster extends AsyncDisposable {
  /** The load balancer's base, without a slash at the end. */
  readonly url: string;
  readonly balancer: RoundRobin;
  readonly ground: Ground;
  /** The folder in which each object of theirs is a file, under its key. */
  readonly folder: string;
  /** How many. */
  readonly size: number;
  /** The replica, as it was started last. */
  replica(index: number): RunningRegistry;
  /** SIGKILL. */
  kill(index: number): Promise<void>;
  /** Has it stand still: it takes connections and answers nothing. The load balancer does not know. */
  pause(index: number): Promise<void>;
  /** It goes on. */
  resume(index: number): void;
  /**
   * Starts a replica anew; one that runs is ended in good order before. `config`: in the place of what the cluster was
   * started with, for this replica.
   */
  restart(index: number, config?: string): Promise<void>;
  /** What all replicas have logged so far, also those that have ended, in the order of time. */
  log(): string;
  /** What stands between replicas and what they share. Throws unless the cluster was started `withFaults`. */
  readonly links: Links;
}

let prefixes = 0;

/** Starts what replicas share. */
export async function startGround(): Promise<Ground> {
  const [s3, redis] = await Promise.all([startS3(), startRedis()]);
  const dispose = async () => void await Promise.all([s3.stop(), redis.stop()]);
  return { s3, redis, [Symbol.asyncDispose]: dispose };
}

/** Starts a cluster, and waits until all of its replicas listen. */
export async function startCluster(options: ClusterOptions = {}): Promise<RunningCluster> {
  await using stack = new AsyncDisposableStack();
  const ground = options.ground ?? stack.use(await startGround());
  const links = options.withFaults ? stack.use(linksTo(ground)) : undefined;
  const prefix = `cluster-${Deno.pid}-${++prefixes}/`;
  const shared = sharedConfig(ground, {
    prefix,
    links,
    storage: options.storage ?? "",
    locks: options.locks ?? "",
  });
  const config = (options.config ?? "") + shared;
  const replicas = new Replicas({ config, args: options.args ?? [], env: options.env ?? {} });
  stack.use(replicas);
  await replicas.start(options.replicas ?? 3);
  const balancer = stack.use(new RoundRobin(replicas.ports()));
  const all = stack.move();
  return {
    url: balancer.url,
    balancer,
    ground,
    folder: `${ground.s3.bucketFolder}/${prefix}`.replace(/\/$/, ""),
    size: replicas.ports().length,
    replica: (index) => replicas.at(index),
    kill: (index) => replicas.at(index).kill(),
    pause: (index) => pauseProcess(replicas.at(index).pid),
    resume: (index) => resumeProcess(replicas.at(index).pid),
    restart: async (index, other) =>
      balancer.take(index, await replicas.restart(index, other === undefined ? config : other + shared)),
    log: () => replicas.log(),
    get links() {
      if (!links) throw new Error("This cluster was started without faults");
      return links;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Has a cluster stand for each registry that a test file starts: `startInstead(clusters(ground))`. */
export function clusters(ground: Ground): StartRegistry {
  return async (options = {}) => asRegistry(await startCluster({ ...options, ground }));
}

/**
 * As `clusters`, but registries that are started with the same options are one and the same cluster, which ends when the
 * first of them is stopped.
 */
export function sharedClusters(ground: Ground): StartRegistry {
  const started = new Map<string, Promise<RunningRegistry>>();
  const start = clusters(ground);
  return (options = {}) => {
    const key = JSON.stringify(options);
    const running = started.get(key) ?? start(options);
    started.set(key, running);
    return running;
  };
}

/** A cluster as if it were one registry. */
function asRegistry(cluster: RunningCluster): RunningRegistry {
  const all = Array.from({ length: cluster.size }, (_, index) => index);
  const stop = async () => {
    await cluster[Symbol.asyncDispose]();
    return 0;
  };
  return {
    url: cluster.url,
    host: new URL(cluster.url).host,
    pid: cluster.replica(0).pid,
    dataDir: cluster.folder,
    log: cluster.log,
    stop,
    kill: async () => void await Promise.all(all.map(cluster.kill)),
    [Symbol.asyncDispose]: async () => void await stop(),
  };
}

function linksTo({ s3, redis }: Ground): Links {
  const store = new FaultyProxy(s3.endpoint);
  const link = new FaultyTcp(redis.port);
  const dispose = async () => {
    await store[Symbol.asyncDispose]();
    await link[Symbol.asyncDispose]();
  };
  return { store, redis: link, [Symbol.asyncDispose]: dispose };
}

/** What is common to the configuration files of replicas: that their store is below a prefix of a ground. */
export function sharedConfig(
  ground: Ground,
  { prefix, links, storage = "", locks = "" }: {
    readonly prefix: string;
    readonly links?: Links | undefined;
    readonly storage?: string;
    readonly locks?: string;
  },
): string {
  const s3 = { ...ground.s3, ...(links && { endpoint: links.store.endpoint }) };
  const url = links ? `redis://127.0.0.1:${links.redis.port}` : ground.redis.url;
  const redis = `url = "${url}"\nkey_prefix = "${prefix}"\n`;
  return `
${s3Toml(s3, prefix)}${storage}
[lock_store.redis]
${redis}${locks}
[cache_store.redis]
${redis}`;
}

/** The processes. */
class Replicas implements AsyncDisposable {
  readonly #options: RegistryOptions;
  readonly #running: RunningRegistry[] = [];
  readonly #ended: RunningRegistry[] = [];

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  async start(count: number): Promise<void> {
    for (let index = 0; index < count; index++) this.#running.push(await startProcess(this.#options));
  }

  at(index: number): RunningRegistry {
    return this.#running[index]!;
  }

  ports(): number[] {
    return this.#running.map(({ url }) => Number(new URL(url).port));
  }

  /** Answers its new port. */
  async restart(index: number, config: string): Promise<number> {
    const before = this.at(index);
    await before.stop();
    this.#ended.push(before);
    this.#running[index] = await startProcess({ ...this.#options, config });
    return this.ports()[index]!;
  }

  log(): string {
    const lines = [...this.#ended, ...this.#running].flatMap((replica) =>
      replica.log().split("\n").slice(0, -1)
    );
    // Each line begins with its time.
    return lines.sort().map((line) => `${line}\n`).join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map(async (replica) => {
      // One that was stopped hears SIGTERM only when it goes on.
      resumeProcess(replica.pid);
      await replica.stop();
    }));
  }
}
