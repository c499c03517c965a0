/**
 * A cache plugin over Redis or Valkey: for servers that share a store.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Cache } from "@sreg/contract/cache.ts";
import type { CreatePlugin } from "@sreg/contract/plugin.ts";
import { Connection, type RedisCall } from "../../redis/connection.ts";
import { readSettings, type RedisOptions } from "../../redis/settings.ts";

/** Key: the counter; arguments: what is added, milliseconds. Answers the new count. */
const COUNT = `
local by = tonumber(ARGV[1])
if by <= 0 and redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local count = redis.call('INCRBY', KEYS[1], by)
if count < 0 then
  redis.call('SET', KEYS[1], 0, 'KEEPTTL')
  count = 0
end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return count
`;

/** Connects to the Redis that is the cache. */
export const create: CreatePlugin<Cache, RedisOptions> = async (options) => {
  const connection = await Connection.open(readSettings(options));
  const keyOf = (key: string) => `${options.key_prefix}cache:${key}`;
  // A request that would wait for a cache had better go without.
  const call = <T>(work: RedisCall<T>) => connection.call(work, { waitMs: 0 });
  return {
    async get(key) {
      const bytes = await call((client) => client.getBuffer(keyOf(key)));
      return bytes ? { bytes: Uint8Array.from(bytes) } : undefined;
    },
    async put(key, bytes, { ttlMs }) {
      await call((client) =>
        client.set(keyOf(key), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), "PX", ttlMs)
      );
    },
    async delete(keys) {
      if (keys.length > 0) await call((client) => client.unlink(keys.map(keyOf)));
    },
    async count(key, { by, ttlMs }) {
      return await call((client) => client.eval(COUNT, 1, keyOf(key), by, ttlMs)) as number;
    },
  };
};
