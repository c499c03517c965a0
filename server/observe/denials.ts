/** Denials that are events of their own, in an hour; what comes after is counted. */
export const DENIALS_MAX = 1_000;

const HOUR_MS = 3_600_000;

/** Bounds what those who are refused can make the audit log keep: else they could have it forget what was done. */
export class Denials {
  #hour = 0;
  #told = 0;
  #untold = 0;

  /** Whether another denial is told as such. Otherwise it is counted. */
  admits(nowMs: number): boolean {
    const hour = Math.floor(nowMs / HOUR_MS);
    if (hour !== this.#hour) [this.#hour, this.#told] = [hour, 0];
    if (this.#told++ < DENIALS_MAX) return true;
    this.#untold++;
    return false;
  }

  /** How many were counted since this was asked last. */
  takeUntold(): number {
    const count = this.#untold;
    this.#untold = 0;
    return count;
  }
}
