/** The store's clock, by which it judges signatures and dates objects, as its answers tell it. */

/** A difference below is more likely the second that a Date header is exact to, and the way. */
const DIFFERENCE_MS_MIN = 2_000;
/** An answer that took longer says too little of when it was dated. */
const WAY_MS_MAX = 1_000;

/** How far the store's clock is from ours. */
export class StoreClock {
  #offsetMs = 0;

  /** Milliseconds to add to `Date.now()`; 0 while the clocks are within 2 s. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** The store's time: milliseconds since the epoch. */
  now(): number {
    return Date.now() + this.#offsetMs;
  }

  /** Takes note of the Date of an answer to what was sent `wayMs` ago; `refused`: for its time. Answers whether our time has changed. */
  observe(
    date: string | null,
    { wayMs, refused }: { readonly wayMs: number; readonly refused: boolean },
  ): boolean {
    const dated = Date.parse(date ?? "");
    if (Number.isNaN(dated) || (wayMs > WAY_MS_MAX && !refused)) return false;
    const offsetMs = Math.round(dated + 500 - (Date.now() - wayMs / 2));
    if (Math.abs(offsetMs - this.#offsetMs) < DIFFERENCE_MS_MIN) return false;
    this.#offsetMs = Math.abs(offsetMs) < DIFFERENCE_MS_MIN ? 0 : offsetMs;
    return true;
  }
}
