import { PluginError } from "@sreg/contract/error.ts";

/** How many may wait, and for how long. */
export interface WaitingLineLimits {
  readonly waitingMax: number;
  readonly waitMs: number;
}

/** Lets one act at a time, in the order in which they came. Between two the thread is free for other work. */
export class WaitingLine {
  readonly #limits: WaitingLineLimits;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** A line with nobody in it. */
  constructor(limits: WaitingLineLimits) {
    this.#limits = limits;
  }

  /** Acts when it is its turn. `unavailable` where too many wait already, or it has waited for too long. */
  run<Answer>(act: () => Answer | Promise<Answer>): Promise<Answer> {
    if (this.#waiting >= this.#limits.waitingMax) {
      return Promise.reject(full(`${this.#waiting} others wait`));
    }
    this.#waiting++;
    const sinceMs = performance.now();
    const turn = this.#last.then(async () => {
      await nextTask();
      this.#waiting--;
      const waitedMs = performance.now() - sinceMs;
      if (waitedMs > this.#limits.waitMs) throw full(`it waited for ${Math.round(waitedMs)} ms`);
      return await act();
    });
    this.#last = turn.catch(() => {});
    return turn;
  }
}

function full(state: string): PluginError {
  return new PluginError("unavailable", `Cannot check a password: ${state}`);
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
