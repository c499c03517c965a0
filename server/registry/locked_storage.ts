/**
 * Conditions for a store that has none: each change of a small object is made under the lock of its key, so that nobody comes between
 * the look and the change. A lock protects only while it is held, and a holder that was paused does not know that it holds it no
 * more; so each change is told to happen within what is left of the hold, or never (`withinMs`). And a change whose outcome nobody knows
 * keeps its lock, until it can happen no more.
 *
 * @module
 */

import { PluginError } from "../../plugins/contract/error.ts";
import type { HeldLock, Lock } from "../../plugins/contract/lock.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { isBytesKey } from "./keys.ts";

/** How long a lock is held at most, in milliseconds; where the store of locks gives less, less. */
const TTL_MS = 30_000;

/** How long to wait for a lock, in milliseconds: longer than one whose holder died is usually held. */
const WAIT_MS = 15_000;

/** The store, and conditions that hold by `lock`. Reading and appending take none. */
export function lockedStorage(storage: Storage, lock: Lock): Storage {
  const { features, copy } = storage;
  const guarded = <T>(keys: readonly string[], change: Change<T>) => changeLocked(lock, keys, change);
  return {
    ...bound(storage),
    ...(features && { features: async () => ({ ...await features.call(storage), conditions: true }) }),
    put: (key, bytes, { ifAbsent, ifMatch, ...options } = {}) =>
      guarded([key], {
        ...(ifAbsent && { test: () => requireAbsent(storage, key) }),
        ...(ifMatch !== undefined && { test: () => requireMatch(storage, key, ifMatch) }),
        make: (limit) => storage.put(key, bytes, { ...options, ...limit }),
      }),
    delete: (key, { ifMatch, ...options } = {}) =>
      guarded([key], {
        ...(ifMatch !== undefined && { test: () => requireMatchOrNothing(storage, key, ifMatch) }),
        make: (limit) => storage.delete(key, { ...options, ...limit }),
      }),
    move: (from, to, options = {}) =>
      guarded([from, to], { make: (limit) => storage.move(from, to, { ...options, ...limit }) }),
    ...(copy && {
      copy: (from: string, to: string) => guarded([to], { make: () => copy.call(storage, from, to) }),
    }),
  };
}

interface Change<T> {
  /** Throws where it is not to be made. */
  readonly test?: () => Promise<void>;
  readonly make: (limit: { readonly withinMs?: number }) => Promise<T>;
}

/** The methods of a store that may be an object of a class. */
function bound(storage: Storage): Storage {
  const { stat, get, open, put, append, move, list, listPage, locate, url } = storage;
  const whole = { stat, get, open, put, append, move, delete: storage.delete, list, listPage, locate, url };
  const methods = Object.entries(whole).filter(([, method]) => method !== undefined);
  return Object.fromEntries(
    methods.map(([name, method]) => [name, method!.bind(storage)]),
  ) as unknown as Storage;
}

async function changeLocked<T>(lock: Lock, keys: readonly string[], { test, make }: Change<T>): Promise<T> {
  // In one order for all, so that no two wait for each other. Bytes nobody makes a condition upon, and moving them takes long.
  const needed = [...new Set(keys)].filter((key) => !isBytesKey(key)).toSorted();
  if (needed.length === 0) {
    if (test) throw new TypeError(`Cannot make a condition upon ${keys[0]}: it is a key of bytes`);
    return await make({});
  }
  const holds: Hold[] = [];
  let withinMs: number;
  try {
    for (const key of needed) holds.push(await Hold.take(lock, key));
    await test?.();
    withinMs = Math.min(...await Promise.all(holds.map((hold) => hold.reserve())));
  } catch (error) {
    await releaseAll(holds);
    throw error;
  }
  return await makeWithin(holds, () => make({ withinMs }));
}

/** Where a change fails, and it is not certain that it was not made, it may yet be: its locks are left to end by themselves. */
async function makeWithin<T>(holds: readonly Hold[], make: () => Promise<T>): Promise<T> {
  try {
    const made = await make();
    await releaseAll(holds);
    return made;
  } catch (error) {
    if (error instanceof PluginError && error.code === "conflict") await releaseAll(holds);
    throw error;
  }
}

async function releaseAll(holds: readonly Hold[]): Promise<void> {
  await Promise.all(holds.map((hold) => hold.release()));
}

async function requireAbsent(storage: Storage, key: string): Promise<void> {
  if (await storage.stat(key)) throw new PluginError("conflict", `Cannot put ${key}: it exists`);
}

async function requireMatch(storage: Storage, key: string, ifMatch: string): Promise<void> {
  const found = await storage.get(key);
  if (found?.etag !== ifMatch) throw anotherEtag(key, ifMatch);
}

async function requireMatchOrNothing(storage: Storage, key: string, ifMatch: string): Promise<void> {
  const found = await storage.get(key);
  if (found && found.etag !== ifMatch) throw anotherEtag(key, ifMatch);
}

function anotherEtag(key: string, ifMatch: string): PluginError {
  return new PluginError("conflict", `Cannot change ${key}: its etag is not ${ifMatch}`);
}

/** A lock that is held, and what is known of its time. */
class Hold {
  readonly #lock: Lock;
  readonly #name: string;
  readonly #held: HeldLock;
  /** It is held until then at least, by the clock of this process. */
  #untilMs: number;

  private constructor(lock: Lock, name: string, { held, untilMs }: { held: HeldLock; untilMs: number }) {
    this.#lock = lock;
    this.#name = name;
    this.#held = held;
    this.#untilMs = untilMs;
  }

  static async take(lock: Lock, name: string): Promise<Hold> {
    const askedMs = performance.now();
    const held = await lock.acquire(name, { ttlMs: TTL_MS, waitMs: WAIT_MS });
    if (!held) throw new PluginError("unavailable", `Cannot change ${name}: somebody else has its lock`);
    // When within the call it was given is not known.
    return new Hold(lock, name, { held, untilMs: askedMs + held.ttlMs });
  }

  /** How long a change may take from now, in milliseconds: most of the time that a hold lasts. */
  async reserve(): Promise<number> {
    const { ttlMs } = this.#held;
    if (this.#leftMs() < ttlMs / 2) await this.#renew();
    return Math.floor(this.#leftMs());
  }

  /** What is left, but for a margin: the clock of locks and that of the store run at somewhat different rates. */
  #leftMs(): number {
    return this.#untilMs - performance.now() - this.#held.ttlMs / 10;
  }

  async #renew(): Promise<void> {
    const { token, ttlMs } = this.#held;
    const askedMs = performance.now();
    const isHeld = await this.#lock.renew(this.#name, token, ttlMs);
    this.#untilMs = askedMs + ttlMs;
    if (isHeld && this.#leftMs() > 0) return;
    throw new PluginError("unavailable", `Cannot change ${this.#name}: its lock has ended meanwhile`);
  }

  async release(): Promise<void> {
    try {
      await this.#lock.release(this.#name, this.#held.token);
    } catch (error) {
      // What was done is done, and the lock ends by itself.
      if (!(error instanceof PluginError)) throw error;
    }
  }
}
