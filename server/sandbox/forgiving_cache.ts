import type { Cache } from "../../plugins/contract/cache.ts";
import { PluginError } from "../../plugins/contract/error.ts";

/** What the core gets of a cache plugin: one that cannot answer is empty, keeps nothing, and counts nothing. */
export function forgivingCache(remote: Cache): Cache {
  return {
    get: (key) => orElse(remote.get(key), undefined),
    put: (key, bytes, time) => orElse(remote.put(key, bytes, time), undefined),
    delete: (keys) => orElse(remote.delete(keys), undefined),
    count: (key, count) => orElse(remote.count(key, count), 0),
  };
}

async function orElse<T>(call: Promise<T>, missing: T): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof PluginError) return missing;
    throw error;
  }
}
