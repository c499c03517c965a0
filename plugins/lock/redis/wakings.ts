import type { Redis } from "ioredis";

/** A place in the line for a name; left when it is disposed of. */
export interface Place extends Disposable {
  /** Whether it is the first within so many milliseconds. */
  first(waitMs: number): Promise<boolean>;
  /** Answers what waits for the next waking from now on, so many milliseconds at most. */
  waking(): (waitMs: number) => Promise<void>;
}

interface Waiter {
  wake: () => void;
}

/** Who waits for locks in this process: a line for each name, the first of which is woken when the lock is released. */
export class Wakings {
  readonly #lines = new Map<string, Waiter[]>();

  /** Hears of released locks on `channel`. Where that is not possible, those who wait look by themselves. */
  constructor(listener: Redis, channel: string) {
    const subscribe = () => void listener.subscribe(channel).catch(() => {});
    listener.on("ready", subscribe);
    listener.on("message", (_channel: string, name: string) => this.#lines.get(name)?.[0]?.wake());
    if (listener.status === "ready") subscribe();
  }

  /** Takes the last place in the line for `name`. */
  queue(name: string): Place {
    const waiter: Waiter = { wake: () => {} };
    const line = this.#lines.get(name) ?? [];
    this.#lines.set(name, line);
    line.push(waiter);
    const waking = () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiter.wake = resolve;
      return async (waitMs: number) => {
        const timer = setTimeout(resolve, waitMs);
        await promise;
        clearTimeout(timer);
      };
    };
    return {
      waking,
      first: async (waitMs) => {
        const untilMs = performance.now() + waitMs;
        while (line[0] !== waiter) {
          const leftMs = untilMs - performance.now();
          if (leftMs <= 0) return false;
          await waking()(leftMs);
        }
        return true;
      },
      [Symbol.dispose]: () => this.#leave(name, waiter),
    };
  }

  #leave(name: string, waiter: Waiter): void {
    const line = this.#lines.get(name)!;
    line.splice(line.indexOf(waiter), 1);
    if (line.length === 0) this.#lines.delete(name);
    else line[0]!.wake();
  }
}
