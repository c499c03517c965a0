/** The cache plugins, held to their contract behind their walls. */

import { cacheSuite, type SuiteCaches } from "../../plugins/contract/cache_suite.ts";
import { create } from "../../plugins/cache/memory/memory.ts";
import { HAS_REDIS, type RunningRedis, startRedis } from "../support/redis_server.ts";
import { redisOptions, startBuiltIn } from "./plugins.ts";

const MEMORY = { size: 4 * 1024 * 1024 };

cacheSuite({
  name: "memory cache",
  create: async () => {
    const cache = await create(MEMORY);
    return { one: cache, other: cache };
  },
});

for (const isolation of ["worker", "process"] as const) {
  cacheSuite({
    name: `memory cache in a ${isolation}`,
    create: async () => {
      const plugin = await startBuiltIn({ kind: "cache", name: "memory", options: MEMORY, isolation });
      const cache = plugin.serve("cache");
      return { one: cache, other: cache, [Symbol.asyncDispose]: () => plugin.close() };
    },
  });
}

let redis: RunningRedis;

async function createOverRedis(): Promise<SuiteCaches> {
  const options = redisOptions(redis.url);
  const plugins = await Promise.all(
    [0, 1].map(() => startBuiltIn({ kind: "cache", name: "redis", options })),
  );
  const [one, other] = plugins.map((plugin) => plugin.serve("cache"));
  const close = async () => void await Promise.all(plugins.map((plugin) => plugin.close()));
  return { one: one!, other: other!, [Symbol.asyncDispose]: close };
}

Deno.test.beforeAll(async () => {
  if (HAS_REDIS) redis = await startRedis();
});

Deno.test.afterAll(async () => {
  if (HAS_REDIS) await redis.stop();
});

cacheSuite({ name: "redis-server: cache", create: createOverRedis, ignore: !HAS_REDIS });
