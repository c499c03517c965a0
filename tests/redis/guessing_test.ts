/** Who guesses passwords at several servers that share a Redis. */

import { peopled, startReplicas } from "../access/replicas.ts";
import { assertEquals } from "../support/assert.ts";
import { HAS_REDIS, startRedis } from "../support/redis_server.ts";

const FAILURES_MAX = 10;

// Who is known, and may nothing, gets a 403; who is not looked at a 429.

Deno.test({
  name:
    "redis-server: guesses that are spread over servers are counted together, and hold up nobody once Redis is away",
  ignore: !HAS_REDIS,
  fn: async () => {
    await using redis = await startRedis();
    const cache = `[cache_store.redis]\nurl = "${redis.url}"\n`;
    await using replicas = await startReplicas(await peopled() + cache);
    const { one, other } = replicas;
    const guesses = Array.from(
      { length: FAILURES_MAX },
      (_, at) => (at % 2 ? one : other).as("ann", `guess ${at}`).shown(),
    );
    assertEquals(await Promise.all(guesses), guesses.map(() => 401));
    assertEquals([await one.as("ann", "more").shown(), await other.as("ann", "more").shown()], [429, 429]);
    assertEquals(await one.as("ann").shown(), 429);
    assertEquals(await other.as("bob").shown(), 403);
    await redis.kill();
    assertEquals([await one.as("ann").shown(), await other.as("ann").shown()], [403, 403]);
  },
});
