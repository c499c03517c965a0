/**
 * A lock plugin in memory: for one server. Where its sandbox crashes it forgets who held what, which the next one cannot know.
 *
 * @module
 */

import type { CreatePlugin } from "@sreg/contract/plugin.ts";
import type { HeldLock, Lock, LockRequest } from "@sreg/contract/lock.ts";

interface Hold {
  readonly token: string;
  endsAtMs: number;
  /** Ends it. */
  timer?: ReturnType<typeof setTimeout>;
}

interface Waiter {
  readonly ttlMs: number;
  give(lock: HeldLock | undefined): void;
}

/** Opens a lock store without locks. */
export const create: CreatePlugin<Lock, Readonly<Record<string, unknown>>> = () => new MemoryLock();

class MemoryLock implements Lock {
  readonly #holds = new Map<string, Hold>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  #fence = 0;

  acquire(name: string, { ttlMs, waitMs }: LockRequest): Promise<HeldLock | undefined> {
    if (!this.#holds.has(name)) return Promise.resolve(this.#hold(name, ttlMs));
    if (waitMs === 0) return Promise.resolve(undefined);
    return this.#wait(name, { ttlMs, waitMs });
  }

  renew(name: string, token: string, ttlMs: number): Promise<boolean> {
    const hold = this.#holdOf(name, token);
    if (hold) this.#endLater(name, hold, ttlMs);
    return Promise.resolve(hold !== undefined);
  }

  release(name: string, token: string): Promise<boolean> {
    const hold = this.#holdOf(name, token);
    if (hold) this.#end(name, hold);
    return Promise.resolve(hold !== undefined);
  }

  /** A hold whose timer is late has ended all the same. */
  #holdOf(name: string, token: string): Hold | undefined {
    const hold = this.#holds.get(name);
    return hold?.token === token && performance.now() < hold.endsAtMs ? hold : undefined;
  }

  #hold(name: string, ttlMs: number): HeldLock {
    const token = crypto.randomUUID();
    const hold: Hold = { token, endsAtMs: 0 };
    this.#holds.set(name, hold);
    this.#endLater(name, hold, ttlMs);
    return { token, fence: this.#nextFence(), ttlMs };
  }

  #endLater(name: string, hold: Hold, ttlMs: number): void {
    clearTimeout(hold.timer);
    hold.endsAtMs = performance.now() + ttlMs;
    hold.timer = setTimeout(() => this.#end(name, hold), ttlMs);
  }

  #end(name: string, hold: Hold): void {
    clearTimeout(hold.timer);
    this.#holds.delete(name);
    const [next] = this.#waiters.get(name) ?? [];
    if (next) next.give(this.#hold(name, next.ttlMs));
  }

  #wait(name: string, { ttlMs, waitMs }: LockRequest): Promise<HeldLock | undefined> {
    const { promise, resolve } = Promise.withResolvers<HeldLock | undefined>();
    const waiters = this.#waiters.get(name) ?? new Set();
    this.#waiters.set(name, waiters);
    const waiter: Waiter = {
      ttlMs,
      give: (lock) => {
        clearTimeout(timer);
        waiters.delete(waiter);
        if (waiters.size === 0) this.#waiters.delete(name);
        resolve(lock);
      },
    };
    const timer = setTimeout(() => waiter.give(undefined), waitMs);
    waiters.add(waiter);
    return promise;
  }

  /** Beyond what an earlier life of this plugin can have given: nobody gets a lock a microsecond for long. */
  #nextFence(): number {
    return this.#fence = Math.max(this.#fence + 1, Date.now() * 1_000);
  }
}
