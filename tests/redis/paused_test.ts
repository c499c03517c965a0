/** Locks in Redis over a real S3 server, whose own conditions nobody uses: holders that are late, and holders that stand still. */

import { assertEquals, assertRejects } from "../support/assert.ts";
import { fromFileUrl } from "../support/paths.ts";
import { hasProgram } from "../support/programs.ts";
import { HAS_REDIS, startRedis } from "../support/redis_server.ts";
import { S3_PROGRAM, startS3 } from "../support/s3_server.ts";
import {
  type LockedBucketSettings,
  openLockedBucket,
  readLines,
  SHARED_KEY,
  STOPPED,
} from "./locked_bucket.ts";

const TTL_MS = 3_000;
const PROCESSES = 3;
const ROUNDS = 30;
/** How often each of them stops itself. */
const STOPS = 3;
const ignore = !HAS_REDIS || !hasProgram(S3_PROGRAM);

Deno.test({
  name: "redis-server, versitygw: a change that reaches the store after its lock has ended is not made",
  ignore,
  fn: async () => {
    await using redis = await startRedis();
    await using server = await startS3();
    const settings = { redisUrl: redis.url, keyPrefix: "p:", ttlMs: TTL_MS };
    await using late = await openLockedBucket({ ...settings, server });
    await using next = await openLockedBucket({ ...settings, server });
    await next.storage.put(SHARED_KEY, encode("first\n"));
    const { etag } = (await next.storage.get(SHARED_KEY))!;
    late.proxy.plan({ fault: { kind: "delay", ms: 2 * TTL_MS }, operations: ["PutObject"], times: 1 });
    const refused = assertRejects(
      late.storage.put(SHARED_KEY, encode("late\n"), { ifMatch: etag }),
      { code: "unavailable" },
    );
    // It has the lock, and its change is under way.
    while (await next.lock.acquire(SHARED_KEY, { ttlMs: 1, waitMs: 0 })) await pass(5);
    await next.storage.put(SHARED_KEY, encode("next\n"), { ifMatch: etag });
    await refused;
    assertEquals(await readLines(next.storage), ["next"]);
  },
});

Deno.test({
  name:
    "redis-server, versitygw: processes that are stopped past their locks' time lose nothing that was acknowledged",
  ignore,
  fn: async () => {
    await using redis = await startRedis();
    await using server = await startS3();
    const settings = { server: { ...server }, redisUrl: redis.url, keyPrefix: "p:", ttlMs: TTL_MS };
    const runs = Array.from(
      { length: PROCESSES },
      (_, index) => run({ ...settings, name: `p${index}`, rounds: ROUNDS }),
    );
    const acknowledged = (await Promise.all(runs)).flat();
    assertEquals(acknowledged.length, PROCESSES * ROUNDS);
    await using bucket = await openLockedBucket(settings);
    assertEquals((await readLines(bucket.storage)).toSorted(), acknowledged.toSorted());
  },
});

/** Runs a process to its end, and has it go on, where it has stopped itself, once its locks have ended. Answers what was acknowledged. */
async function run(settings: LockedBucketSettings): Promise<string[]> {
  const script = fromFileUrl(new URL("./locked_bucket.ts", import.meta.url));
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", "--no-prompt", script, JSON.stringify(settings)],
    stdout: "piped",
  }).spawn();
  let last = "";
  let stops = 0;
  const text = process.stdout.pipeThrough(new TextDecoderStream() as never) as ReadableStream<string>;
  for await (const part of text) {
    last += part;
    if (!last.startsWith(`${STOPPED}\n`)) continue;
    last = last.slice(STOPPED.length + 1);
    stops++;
    await pass(TTL_MS + 500);
    process.kill("SIGCONT");
  }
  assertEquals([(await process.status).success, stops], [true, STOPS]);
  return JSON.parse(last);
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
