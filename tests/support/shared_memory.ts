/** A store in memory that says of itself what one on another machine does, for what the core does over such a store only. */

import type { Cache } from "../../plugins/contract/cache.ts";
import { type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";
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

/** The store, each call to which waits for `before`. */
export function gated(storage: Storage, before: (verb: string, key: string) => Promise<void>): Storage {
  const calls = STORAGE_VERBS.map((verb) => {
    const call = storage[verb].bind(storage) as (...args: unknown[]) => Promise<unknown>;
    const waiting = async (...args: unknown[]) => {
      await before(verb, String(args[0]));
      return await call(...args);
    };
    return [verb, waiting];
  });
  const { copy, features } = storage;
  return {
    ...Object.fromEntries(calls) as unknown as Storage,
    ...(copy && { copy: copy.bind(storage) }),
    ...(features && { features: features.bind(storage) }),
  };
}

/** A call of whoever uses the view of the store: `reached` it, and makes it once it is to `goOn`. */
export function stopAt(storage: Storage, verb: string, part: string) {
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const view = gated(storage, async (called, key) => {
    if (called !== verb || !key.includes(part)) return;
    reached.resolve();
    await released.promise;
  });
  return { view, reached: reached.promise, goOn: released.resolve };
}
