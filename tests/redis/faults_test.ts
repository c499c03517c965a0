/** What the plugins over Redis do while it is away, does not answer, or has lost its memory. */

import type { Cache } from "../../plugins/contract/cache.ts";
import type { Lock } from "../../plugins/contract/lock.ts";
import type { PluginOptions } from "../../plugins/contract/plugin.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { makeCertificate } from "../support/certificate.ts";
import { hasProgram } from "../support/programs.ts";
import { freePort, HAS_REDIS, startRedis } from "../support/redis_server.ts";
import { redisOptions, startBuiltIn } from "./plugins.ts";

/** Well above what calls may take, and well below what nobody would wait for. */
const SOON_MS = 8_000;
const LONG = { ttlMs: 60_000 };

interface Pair extends AsyncDisposable {
  readonly lock: Lock;
  readonly cache: Cache;
  readonly log: readonly string[];
}

async function startPair(options: PluginOptions): Promise<Pair> {
  const log: string[] = [];
  const start = (kind: "lock" | "cache") =>
    startBuiltIn({
      kind,
      name: "redis",
      options,
      log: ({ level, message }) => log.push(`${level}: ${message}`),
    });
  const [lock, cache] = await Promise.all([start("lock"), start("cache")]);
  return {
    lock: lock.serve("lock"),
    cache: cache.serve("cache"),
    log,
    [Symbol.asyncDispose]: async () => void await Promise.all([lock.close(), cache.close()]),
  };
}

function redisTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `redis-server: ${name}`, ignore: !HAS_REDIS, fn });
}

redisTest(
  "while it is away locks are unavailable, soon, and the cache is empty; then both are as before",
  async () => {
    await using redis = await startRedis();
    await using pair = await startPair(redisOptions(redis.url, { ttl: 1_000 }));
    const { lock, cache } = pair;
    assert(await lock.acquire("before", { ttlMs: 500, waitMs: 15_000 }));
    await cache.put("a", Uint8Array.of(1), LONG);
    await redis.kill();
    await inTime(SOON_MS, async () => {
      await assertRejects(lock.acquire("a", { ...LONG, waitMs: 15_000 }), { code: "unavailable" });
      await assertRejects(lock.renew("a", "x", 1_000), { code: "unavailable" });
      await assertRejects(lock.release("a", "x"), { code: "unavailable" });
      assertEquals(await cache.get("a"), undefined);
      await cache.put("a", Uint8Array.of(2), LONG);
      await cache.delete(["a"]);
      assertEquals(await cache.count("b", { by: 1, ...LONG }), 0);
    });
    await redis.restart();
    const held = await again(() => lock.acquire("a", { ...LONG, waitMs: 10_000 }));
    assert(held);
    await again(async () => {
      await cache.put("a", Uint8Array.of(3), LONG);
      return await cache.get("a");
    });
    const log = pair.log.join("\n");
    assertMatch(log, /warn: Redis at 127\.0\.0\.1:\d+ is away: /);
    assertMatch(log, /info: Redis at 127\.0\.0\.1:\d+ is there again/);
  },
);

redisTest(
  "one that was started empty gives no lock that somebody may still hold, and greater fences",
  async () => {
    await using redis = await startRedis();
    const ttlMs = 2_000;
    await using pair = await startPair(redisOptions(redis.url, { ttl: ttlMs }));
    const { lock } = pair;
    const before = await lock.acquire("a", { ...LONG, waitMs: 15_000 });
    assert(before && before.ttlMs === ttlMs);
    await redis.restart();
    const restartedMs = performance.now();
    const early = await again(async () => [await lock.acquire("a", { ...LONG, waitMs: 0 })]);
    assertEquals(early, [undefined]);
    assertEquals(await lock.renew("a", before.token, ttlMs), false);
    const after = await lock.acquire("a", { ...LONG, waitMs: 15_000 });
    assert(after && performance.now() - restartedMs >= ttlMs - 100);
    assert(after.fence > before.fence);
    assertEquals(await lock.release("a", before.token), false);
    assertEquals(await lock.release("a", after.token), true);
  },
);

redisTest("one that does not answer is given up soon, and found again when it does", async () => {
  await using redis = await startRedis();
  await using pair = await startPair(redisOptions(redis.url, { ttl: 1_000 }));
  const { lock, cache } = pair;
  const held = await lock.acquire("a", { ...LONG, waitMs: 15_000 });
  await cache.put("a", Uint8Array.of(1), LONG);
  await redis.pause();
  await inTime(2 * SOON_MS, async () => {
    await assertRejects(lock.renew("a", held!.token, 1_000), { code: "unavailable" });
    await assertRejects(lock.acquire("b", { ...LONG, waitMs: 10_000 }), { code: "unavailable" });
    assertEquals(await cache.get("a"), undefined);
    assertEquals(await cache.get("a"), undefined);
  });
  redis.resume();
  assertEquals(await again(async () => [await lock.renew("a", held!.token, 1_000)]), [false]);
  const value = await again(() => cache.get("a"));
  assertEquals(value?.bytes, Uint8Array.of(1));
});

redisTest("plugins start without it, and use it once it is there", async () => {
  const redis = await startRedis();
  await redis.kill();
  await using _stopped = redis;
  await using pair = await startPair(redisOptions(redis.url, { ttl: 1_000 }));
  await assertRejects(pair.lock.acquire("a", { ...LONG, waitMs: 0 }), { code: "unavailable" });
  await redis.restart();
  assert(await again(() => pair.lock.acquire("a", { ...LONG, waitMs: 10_000 })));
});

redisTest("locks that are released are heard of again after connections were cut", async () => {
  await using redis = await startRedis();
  await using _pair = await startPair(redisOptions(redis.url, { key_prefix: "p:" }));
  const listening = async () => /:1\r\n$/.test(await redis.ask("PUBSUB", "NUMSUB", "p:freed")) || undefined;
  await again(listening);
  await redis.ask("CLIENT", "KILL", "TYPE", "pubsub");
  assertEquals(await listening(), undefined);
  await again(listening);
});

redisTest("a password is needed to start where it wants one, and is told to nobody", async () => {
  await using redis = await startRedis({ args: ["--requirepass", "s3cret/@:"] });
  const wrong = redis.url.replace("//", "//:wr0ng@");
  const right = redis.url.replace("//", `//:${encodeURIComponent("s3cret/@:")}@`);
  for (const url of [wrong, redis.url]) {
    const error = await startPair(redisOptions(url)).then(() => undefined, (error: Error) => error);
    assertMatch(String(error?.message), /Cannot start (?:lock|cache) plugin "redis": .*(?:WRONGPASS|NOAUTH)/);
    assert(!error!.message.includes("wr0ng"));
  }
  const file = await Deno.makeTempFile({ prefix: "sreg-test-" });
  await Deno.writeTextFile(file, "s3cret/@:\n");
  for (const options of [redisOptions(right), redisOptions(redis.url, { password_file: file })]) {
    await using pair = await startPair(options);
    await pair.cache.put("a", Uint8Array.of(1), LONG);
    assertEquals((await pair.cache.get("a"))?.bytes, Uint8Array.of(1));
  }
  await Deno.remove(file);
});

redisTest("the URL names the user, the database and Valkey", async () => {
  await using redis = await startRedis();
  await redis.ask("ACL", "SETUSER", "sreg", "on", ">pass", "~p:*", "&*", "+@all");
  const url = `${redis.url.replace("redis://", "valkey://sreg:pass@")}/3`;
  await using pair = await startPair(redisOptions(url, { key_prefix: "p:" }));
  await pair.cache.put("a", Uint8Array.of(120), LONG);
  assertMatch(await redis.ask("INFO", "keyspace"), /db3:keys=1/);
  await using elsewhere = await startPair(redisOptions(redis.url, { key_prefix: "p:" }));
  assertEquals(await elsewhere.cache.get("a"), undefined);
});

redisTest("one that throws keys away when it is full is warned of, as a place for locks", async () => {
  await using redis = await startRedis({
    args: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"],
  });
  await using pair = await startPair(redisOptions(redis.url));
  assertMatch(
    pair.log.join("\n"),
    /warn: Redis throws keys away when it is full \(maxmemory-policy allkeys-lru\)/,
  );
});

Deno.test({
  name: "redis-server, openssl: TLS trusts the authorities that it was given, and no others",
  ignore: !HAS_REDIS || !hasProgram("openssl"),
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
    const { authority, certificate, key } = await makeCertificate(folder);
    const port = freePort();
    const files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", authority];
    await using _redis = await startRedis({
      args: [
        "--bind",
        "127.0.0.1",
        "127.0.0.2",
        "--tls-port",
        String(port),
        "--tls-auth-clients",
        "no",
        ...files,
      ],
    });
    for (const host of ["127.0.0.1", "localhost"]) {
      const url = `rediss://${host}:${port}`;
      await using pair = await startPair(redisOptions(url, { ca_file: authority }));
      await pair.cache.put("a", Uint8Array.of(1), LONG);
      assertEquals((await pair.cache.get("a"))?.bytes, Uint8Array.of(1));
      await assertRejects(startPair(redisOptions(url)), /Cannot connect to Redis at .*certificate/i);
    }
    const stranger = redisOptions(`rediss://127.0.0.2:${port}`, { ca_file: authority });
    await assertRejects(startPair(stranger), /Cannot connect to Redis at .*certificate/i);
    await Deno.remove(folder, { recursive: true });
  },
});

const REFUSED: readonly (readonly [name: string, options: PluginOptions, reason: RegExp])[] = [
  [
    "a URL of something else",
    { url: "http://a" },
    /Cannot use url: expected one that begins with redis:\/\//,
  ],
  ["no URL", { url: "redis://:hidden/@a" }, /Cannot expand \{url.host\}: it is no URL/],
  [
    "a database that is no number",
    { url: "redis://:hidden@a/x" },
    /Cannot use url: expected the number of a database/,
  ],
  [
    "a password with a bare percent sign",
    { url: "redis://:50%hidden@a" },
    /Cannot use url: a % of its user name or password is not written %25/,
  ],
  [
    "an authority that is none",
    { url: "rediss://a", ca_file: import.meta.filename! },
    /Cannot use ca_file: expected a PEM file with a CERTIFICATE, found none in /,
  ],
  [
    "an authority without TLS",
    { url: "redis://a", ca_file: "/ca" },
    /Cannot use ca_file: the url asks for no TLS/,
  ],
  [
    "two passwords",
    { url: "redis://:hidden@a", password_file: "/p" },
    /Cannot use password_file: the url has/,
  ],
  [
    "a password file that is not there",
    { url: "redis://a", password_file: "/none" },
    /\/none cannot be read/,
  ],
  ["a time too short", { url: "redis://a", ttl: 10 }, /Cannot use ttl: expected from 1s to 5m, found 10 ms/],
];

for (const [name, options, reason] of REFUSED) {
  Deno.test(`the lock plugin over Redis refuses ${name}`, async () => {
    const start = startBuiltIn({ kind: "lock", name: "redis", options: redisOptions("", options) });
    const error = await start.then(() => undefined, (error: Error) => error);
    assertMatch(String(error?.message), reason);
    assert(!error!.message.includes("hidden"));
  });
}

/** Fails where `work` takes longer. */
async function inTime(ms: number, work: () => Promise<void>): Promise<void> {
  const startedMs = performance.now();
  await work();
  const tookMs = performance.now() - startedMs;
  assert(tookMs < ms, `it took ${Math.round(tookMs)} ms`);
}

/** What a call answers once it answers something: while a connection is made again some fail. */
async function again<T>(call: () => Promise<T | undefined>): Promise<T> {
  for (let left = 100;; left--) {
    const answer = await call().catch((error) => {
      if (left === 0 || error.code !== "unavailable") throw error;
    });
    if (answer !== undefined) return answer;
    if (left === 0) throw new Error("nothing was answered");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
