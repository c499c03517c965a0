/**
 * A cache plugin in memory, bounded by bytes.
 *
 * @module
 */

import type { Cache, CacheCount, CachedValue, CacheTime } from "@sreg/contract/cache.ts";
import type { CreatePlugin } from "@sreg/contract/plugin.ts";

/** The settings of the plugin. */
export interface MemoryCacheOptions {
  /** How much is kept, in bytes. */
  readonly size: number;
}

interface Entry {
  readonly held: Uint8Array<ArrayBuffer> | number;
  readonly endsAtMs: number;
}

/** About what an entry costs besides its key and its value, in bytes. */
const ENTRY_BYTES = 200;

/** Opens an empty cache. */
export const create: CreatePlugin<Cache, MemoryCacheOptions> = ({ size }) => new MemoryCache(size);

class MemoryCache implements Cache {
  readonly #bytesMax: number;
  /** Those that were used last come last. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(key: string): Promise<CachedValue | undefined> {
    const entry = this.#find(key);
    if (!entry || typeof entry.held === "number") return Promise.resolve(undefined);
    this.#remove(key);
    this.#insert(key, entry);
    return Promise.resolve({ bytes: entry.held.slice() });
  }

  put(key: string, bytes: Uint8Array<ArrayBuffer>, { ttlMs }: CacheTime): Promise<void> {
    this.#remove(key);
    this.#insert(key, { held: bytes.slice(), endsAtMs: performance.now() + ttlMs });
    return Promise.resolve();
  }

  delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#remove(key);
    return Promise.resolve();
  }

  count(key: string, { by, ttlMs }: CacheCount): Promise<number> {
    const found = this.#find(key);
    const before = typeof found?.held === "number" ? found.held : 0;
    const held = Math.max(0, before + by);
    if (by === 0 || held === before) return Promise.resolve(before);
    const endsAtMs = found?.endsAtMs ?? performance.now() + ttlMs;
    this.#remove(key);
    this.#insert(key, { held, endsAtMs });
    return Promise.resolve(held);
  }

  #find(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (!entry || entry.endsAtMs > performance.now()) return entry;
    this.#remove(key);
    return undefined;
  }

  #insert(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#bytes += bytesOf(key, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#remove(oldest);
    }
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= bytesOf(key, entry);
  }
}

function bytesOf(key: string, { held }: Entry): number {
  return ENTRY_BYTES + key.length + (typeof held === "number" ? 0 : held.byteLength);
}
