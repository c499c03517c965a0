/**
 * One of several processes over one bucket that they take for a store without conditional writes, with locks in Redis:
 * `locked_bucket.ts <settings>`, which are JSON. Adds lines to one object on the condition that it is what was read, and writes
 * those that were acknowledged to standard output. Now and then it stops itself in the middle of a change; whoever started it has it go on.
 *
 * @module
 */

import { PluginError } from "../../plugins/contract/error.ts";
import type { Lock } from "../../plugins/contract/lock.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { lockedStorage } from "../../server/registry/locked_storage.ts";
import { assertEquals } from "../support/assert.ts";
import { FaultyProxy, type Rule } from "../support/faulty_proxy.ts";
import type { RunningS3 } from "../support/s3_server.ts";
import { startS3Plugin } from "../support/s3_store.ts";
import { redisOptions, startBuiltIn } from "./plugins.ts";

/** What a process is told. */
export interface LockedBucketSettings {
  readonly server: RunningS3;
  readonly redisUrl: string;
  readonly keyPrefix: string;
  readonly ttlMs: number;
  /** Begins the lines of this process. */
  readonly name: string;
  readonly rounds: number;
}

/** What a process writes before it stops itself. */
export const STOPPED = "stopped";

/** After how many lines it does. */
const STOP_EVERY = 10;

/** The object that all add to. */
export const SHARED_KEY = "shared/lines";

/** A bucket with locks, and the proxy that all of its requests go through. */
export interface LockedBucket extends AsyncDisposable {
  readonly storage: Storage;
  readonly lock: Lock;
  readonly proxy: FaultyProxy;
}

/** At its start the plugin tries whether the store knows conditions; with this answer to its fourth put it does not. */
const NO_CONDITIONS: Rule = {
  fault: { kind: "answer", status: 400, code: "InvalidRequest" },
  operations: ["PutObject"],
  skip: 3,
  times: 1,
};

/** Opens the bucket, with locks. */
export async function openLockedBucket(
  { server, redisUrl, keyPrefix, ttlMs }: Omit<LockedBucketSettings, "name" | "rounds">,
): Promise<LockedBucket> {
  const proxy = new FaultyProxy(server.endpoint);
  const plan = proxy.plan(NO_CONDITIONS);
  const store = await startS3Plugin({ ...server, endpoint: proxy.endpoint });
  plan.end();
  assertEquals((await store.features!()).conditions, false);
  const options = redisOptions(redisUrl, { key_prefix: keyPrefix, ttl: ttlMs });
  const plugin = await startBuiltIn({ kind: "lock", name: "redis", options });
  const lock = plugin.serve("lock");
  return {
    storage: lockedStorage(store, lock),
    lock,
    proxy,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([store[Symbol.asyncDispose](), plugin.close()]);
      await proxy[Symbol.asyncDispose]();
    },
  };
}

/** The lines of the object. */
export async function readLines(storage: Storage): Promise<string[]> {
  const value = await storage.get(SHARED_KEY);
  return value ? new TextDecoder().decode(value.bytes).trimEnd().split("\n") : [];
}

if (import.meta.main) {
  const settings = JSON.parse(Deno.args[0]!) as LockedBucketSettings;
  await using bucket = await openLockedBucket(settings);
  const acknowledged: string[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    const line = `${settings.name}-${round}`;
    if (round % STOP_EVERY === STOP_EVERY - 1) stopAtNextPut(bucket.proxy);
    await add(bucket.storage, line);
    acknowledged.push(line);
  }
  console.log(JSON.stringify(acknowledged));
}

/** Stops this process, with SIGSTOP, while its next put is on its way to the store; it goes on when the process does. */
function stopAtNextPut(proxy: FaultyProxy): void {
  const plan = proxy.plan({ fault: { kind: "delay", ms: 50 }, operations: ["PutObject"], times: 1 });
  const timer = setInterval(() => {
    if (plan.hits === 0) return;
    clearInterval(timer);
    Deno.stdout.writeSync(new TextEncoder().encode(`${STOPPED}\n`));
    Deno.kill(Deno.pid, "SIGSTOP");
  }, 1);
}

/** Adds a line, however often that takes: what was not acknowledged may have been added all the same. */
async function add(storage: Storage, line: string): Promise<void> {
  for (;;) {
    try {
      const value = await storage.get(SHARED_KEY);
      const text = value ? new TextDecoder().decode(value.bytes) : "";
      if (text.includes(`${line}\n`)) return;
      const bytes = new TextEncoder().encode(`${text}${line}\n`);
      await storage.put(SHARED_KEY, bytes, value ? { ifMatch: value.etag } : { ifAbsent: true });
      return;
    } catch (error) {
      if (!(error instanceof PluginError) || error.code === "failed") throw error;
    }
  }
}
