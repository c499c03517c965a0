/** Slows work down to so many bytes a second, on average. */
export class Throttle {
  readonly #bytesPerSecond: number;
  #freeAtMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Counts bytes that were read, and waits until the next may be. Fails with the signal's reason once it is aborted. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const nowMs = performance.now();
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + bytes / this.#bytesPerSecond * 1000;
    const waitMs = this.#freeAtMs - nowMs;
    if (waitMs >= SHORTEST_WAIT_MS) await wait(waitMs, signal);
  }
}

/** Shorter waits are put together: timers are no more exact than this. */
const SHORTEST_WAIT_MS = 5;

function wait(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", abort, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  });
}
