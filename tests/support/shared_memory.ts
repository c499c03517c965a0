/** A store in memory that says of itself what one on another machine does, for what the core does over such a store only. */

import type { Cache } from "../../plugins/contract/cache.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { createRegistry, type Registry, type RegistryOptions } from "../../server/registry/registry.ts";

/** An empty store; its moves are one step, whatever it says of them. */
export async function openShared({ moveMs = 20_000 }: { readonly moveMs?: number } = {}): Promise<Storage> {
  const memory = await create({});
  return Object.assign(memory, {
    features: () => Promise.resolve({ shared: true, conditions: true, moveMs, notes: false }),
    async copy(from: string, to: string): Promise<boolean> {
      const value = await memory.get(from);
      if (value) await memory.put(to, value.bytes);
      return value !== undefined;
    },
  });
}

/** One more replica over the store. */
export function openReplica(storage: Storage, options: Partial<RegistryOptions> = {}): Promise<Registry> {
  return createRegistry(storage, { openUploadsMax: 100, ...options });
}

/** A cache of `texts`, to which others can write, too. */
export function openTextCache(
  texts: Map<string, string> = new Map(),
): { readonly cache: Cache; readonly texts: Map<string, string> } {
  const cache: Cache = {
    get: (key) => {
      const text = texts.get(key);
      return Promise.resolve(text === undefined ? undefined : { bytes: new TextEncoder().encode(text) });
    },
    put: (key, bytes) => Promise.resolve(void texts.set(key, new TextDecoder().decode(bytes))),
    delete: (keys) => Promise.resolve(keys.forEach((key) => texts.delete(key))),
    count: () => Promise.resolve(0),
  };
  return { cache, texts };
}

/** All keys of the store but that of the seals. */
export async function keysOf(storage: Storage): Promise<string[]> {
  const keys = await storage.list("", { limit: 10_000 });
  return keys.filter((key) => !key.startsWith("secrets/"));
}
