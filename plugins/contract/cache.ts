/**
 * The cache contract: small values that may vanish at any time.
 *
 * **The law of its use.** What is cached is a fact that never changes, or is validated by the store before it is used; and it is
 * never the only copy of anything. So no invalidation that is lost, late or out of order can make a deleted thing readable,
 * and a cache that is emptied, replaced or shared with strangers to the store costs time and nothing else. Counters
 * may be lost like values: what they limit has a second limit of its own.
 *
 * **Keys** are 1 to 512 characters of printable ASCII without space.
 *
 * **Absence.** A value may be gone before its time, never there after it. What was deleted, or put over, is not answered
 * to calls that begin after that was.
 *
 * **Failure.** A cache that cannot answer is empty: the core takes every failure for a miss, and tells no client of it. A plugin
 * may throw, and must soon: where its store is away, nobody waits for it.
 *
 * @module
 */

/** How long something is kept. */
export interface CacheTime {
  /** At most so many milliseconds, from 1 to `CACHE_TTL_MS_MAX`. */
  readonly ttlMs: number;
}

/** What is added to a counter. */
export interface CacheCount extends CacheTime {
  /** A whole number; 0 only looks. */
  readonly by: number;
}

/** A value that was found. */
export interface CachedValue {
  /** The caller may keep and change them. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A cache. */
export interface Cache {
  /** The value of `key`, or `undefined`. */
  get(key: string): Promise<CachedValue | undefined>;

  /** Keeps a value of at most `CACHE_BYTES_MAX`, or not: a cache may refuse what it has no room for. */
  put(key: string, bytes: Uint8Array<ArrayBuffer>, time: CacheTime): Promise<void>;

  /** Forgets values, and counters: at most `CACHE_KEYS_MAX`. */
  delete(keys: readonly string[]): Promise<void>;

  /**
   * Adds to a counter in one step and answers its new count, never below 0. It begins at 0, and ends `ttlMs` after the call that began it, however often
   * it is added to. A call that only looks begins none. A key is that of a value or of a counter, never of both.
   */
  count(key: string, count: CacheCount): Promise<number>;
}

/** The contract's method names: the wire's allow-list. */
export const CACHE_METHODS = [
  "get",
  "put",
  "delete",
  "count",
] as const satisfies readonly (keyof Cache)[];

/** Largest value, in bytes. */
export const CACHE_BYTES_MAX = 1024 * 1024;

/** Most keys of a `delete`. */
export const CACHE_KEYS_MAX = 1_000;

/** The longest that anything is kept, in milliseconds. */
export const CACHE_TTL_MS_MAX = 30 * 24 * 3_600_000;
