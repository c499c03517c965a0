/** A store in memory whose moves are two steps, as an object store's are, and whose clock ticks with each call. */

import { PluginError } from "../../plugins/contract/error.ts";
import type { DeleteCondition, ObjectFacts, Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";

/** A clock that stands still between the calls to its store. */
export interface Clock {
  /** The time, in milliseconds. */
  now(): number;
  /** Lets time pass. */
  pass(ms: number): void;
  /** Has the process's own clocks go as this one does, until it is disposed. */
  rule(): Disposable;
}

/** How long a move may go on, by the store's clock. */
export const MOVE_MS = 20_000;
const TICK_MS = 1_000;

/** An empty store, of which each call takes `tickMs`; `withinMs` of its `delete` is a time of the clock. */
export async function openTicking(
  { tickMs = TICK_MS }: { readonly tickMs?: number } = {},
): Promise<{ readonly storage: Storage; readonly clock: Clock }> {
  const memory = await create({});
  const changed = new Map<string, number>();
  let nowMs = 0;
  const aged = <Facts extends ObjectFacts>(key: string, facts: Facts | undefined) =>
    facts && { ...facts, modifiedAtMs: Date.now() - (nowMs - (changed.get(key) ?? 0)) };
  const touch = (key: string) => changed.set(key, nowMs);
  const storage: Storage = {
    list: (prefix, page) => memory.list(prefix, page),
    stat: async (key) => aged(key, await memory.stat(key)),
    get: async (key) => aged(key, await memory.get(key)),
    open: async (key, span) => aged(key, await memory.open(key, span)),
    put: (key, bytes, condition) => (touch(key), memory.put(key, bytes, condition)),
    append: (key, offset, body, options) => (touch(key), memory.append(key, offset, body, options)),
    move: (from, to, condition) => (touch(to), memory.move(from, to, condition)),
    delete: (key, condition = {}) => removeInTime(key, condition),
  };
  return {
    storage: ticking(storage, () => nowMs += tickMs),
    clock: { now: () => nowMs, pass: (ms) => nowMs += ms, rule: () => ruledBy(() => nowMs) },
  };

  function removeInTime(key: string, { withinMs, ...condition }: DeleteCondition): Promise<boolean> {
    if (withinMs === undefined || nowMs <= withinMs) return memory.delete(key, condition);
    return Promise.reject(new PluginError("unavailable", `Cannot delete ${key}: it is too late`));
  }
}

function ruledBy(now: () => number): Disposable {
  const [running, wall] = [performance.now, Date.now];
  const sinceMs = Date.now() - now();
  performance.now = now;
  Date.now = () => sinceMs + now();
  return {
    [Symbol.dispose]: () => {
      performance.now = running;
      Date.now = wall;
    },
  };
}

function ticking(storage: Storage, tick: () => void): Storage {
  const calls = Object.entries(storage).map(([verb, call]) => {
    const ticked = (...args: unknown[]) => {
      tick();
      return (call as (...args: unknown[]) => unknown)(...args);
    };
    return [verb, ticked];
  });
  return Object.fromEntries(calls) as unknown as Storage;
}

/** What a registry sees of such a store, by calls that may be held back one by one. */
export function twoStepMoves(calls: Storage, clock: Clock): Storage {
  const copy = async (from: string, to: string) => {
    const value = await calls.get(from);
    if (value) await calls.put(to, value.bytes);
    return value !== undefined;
  };
  return {
    ...calls,
    copy,
    features: () => Promise.resolve({ shared: true, conditions: true, moveMs: MOVE_MS, notes: false }),
    async move(from, to, condition) {
      // Uploads are nobody else's.
      if (condition?.ifSize !== undefined) return await calls.move(from, to, condition);
      if (!await copy(from, to)) return false;
      const copied = await calls.stat(to);
      const leftMs = (copied?.modifiedAtMs ?? 0) + MOVE_MS - Date.now();
      await calls.delete(from, { withinMs: clock.now() + leftMs });
      return true;
    },
  };
}
