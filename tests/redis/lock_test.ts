/** The lock plugins, held to their contract behind their walls. */

import { lockSuite, type SuiteLocks } from "../../plugins/contract/lock_suite.ts";
import { create } from "../../plugins/lock/memory/memory.ts";
import { HAS_REDIS, type RunningRedis, startRedis } from "../support/redis_server.ts";
import { redisOptions, startBuiltIn } from "./plugins.ts";

lockSuite({
  name: "memory locks",
  create: async () => {
    const lock = await create({});
    return { one: lock, other: lock };
  },
});

for (const isolation of ["worker", "process"] as const) {
  lockSuite({
    name: `memory locks in a ${isolation}`,
    create: async () => {
      const plugin = await startBuiltIn({ kind: "lock", name: "memory", options: {}, isolation });
      const lock = plugin.serve("lock");
      return { one: lock, other: lock, [Symbol.asyncDispose]: () => plugin.close() };
    },
  });
}

let redis: RunningRedis;

async function createOverRedis(): Promise<SuiteLocks> {
  const options = redisOptions(redis.url);
  const plugins = await Promise.all(
    [0, 1].map(() => startBuiltIn({ kind: "lock", name: "redis", options })),
  );
  const [one, other] = plugins.map((plugin) => plugin.serve("lock"));
  const close = async () => void await Promise.all(plugins.map((plugin) => plugin.close()));
  return { one: one!, other: other!, [Symbol.asyncDispose]: close };
}

Deno.test.beforeAll(async () => {
  if (!HAS_REDIS) return;
  redis = await startRedis();
  await using locks = await createOverRedis() as SuiteLocks & AsyncDisposable;
  // A Redis that has just begun gives no locks yet.
  await locks.one.acquire("first", { ttlMs: 1, waitMs: 20_000 });
});

Deno.test.afterAll(async () => {
  if (HAS_REDIS) await redis.stop();
});

lockSuite({ name: "redis-server: locks", create: createOverRedis, ignore: !HAS_REDIS });
