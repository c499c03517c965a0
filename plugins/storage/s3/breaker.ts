/** How long a store may fail, and how many times, before requests stop to wait for it. */
export interface BreakerLimits {
  readonly failures: number;
  readonly spanMs: number;
  /** One request in this time is let through to find out. */
  readonly probeMs: number;
}

const LIMITS: BreakerLimits = { failures: 5, spanMs: 10_000, probeMs: 1_000 };

/**
 * Opens after a run of failures without a success that spans some time; then nothing but a probe is let through until
 * one succeeds: who asks is told at once that the store is not there, instead of waiting for it with all others.
 */
export class Breaker {
  readonly #limits: BreakerLimits;
  readonly #now: () => number;
  #failures = 0;
  #failingSince = 0;
  #succeededAt = 0;
  #probedAt = 0;

  /** `now`: milliseconds that never go back. */
  constructor(limits: BreakerLimits = LIMITS, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Whether a try may be made now. */
  admit(): boolean {
    if (!this.#isOpen()) return true;
    if (this.#now() - this.#probedAt < this.#limits.probeMs) return false;
    this.#probedAt = this.#now();
    return true;
  }

  /** How a try that began at `beganAt` went. */
  record(outcome: "success" | "failure", beganAt: number): void {
    if (outcome === "success") {
      this.#failures = 0;
      this.#succeededAt = this.#now();
      return;
    }
    // A try may have begun long before the store last answered another.
    if (this.#failures === 0) this.#failingSince = Math.max(beganAt, this.#succeededAt);
    this.#failures++;
  }

  #isOpen(): boolean {
    const { failures, spanMs } = this.#limits;
    return this.#failures >= failures && this.#now() - this.#failingSince >= spanMs;
  }
}
