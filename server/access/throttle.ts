/** Limits of guessing. */
export interface ThrottleOptions {
  /** Failures of one user name from one address in a window; what comes after them is not looked at. */
  readonly failuresMax: number;
  /** Failures of all names from one address in a window. */
  readonly addressFailuresMax: number;
  /** Length of the window, in milliseconds. */
  readonly windowMs: number;
  /** What the first failure costs, in milliseconds; each further one costs twice as much as the one before. */
  readonly delayMs: number;
  readonly delayMaxMs: number;
}

interface Failures {
  count: number;
  readonly untilMs: number;
}

/** The limits that there are where nobody says otherwise. */
export const USUAL_LIMITS: ThrottleOptions = {
  failuresMax: 10,
  addressFailuresMax: 100,
  windowMs: 60_000,
  delayMs: 100,
  delayMaxMs: 2_000,
};

/** How many names and addresses are remembered; the oldest are forgotten first. */
const ENTRIES_MAX = 10_000;

/**
 * Slows down who guesses passwords, and then stops them: by name and address together, so that nobody can lock another
 * out, and by address.
 */
export class Throttle {
  readonly #options: ThrottleOptions;
  readonly #failures = new Map<string, Failures>();

  constructor(options: Partial<ThrottleOptions> = {}) {
    this.#options = { ...USUAL_LIMITS, ...options };
  }

  /** How long this name and address must wait before another attempt is looked at, in milliseconds; 0: not at all. */
  waitMs(username: string, address: string): number {
    const { failuresMax, addressFailuresMax } = this.#options;
    return Math.max(
      this.#waitMs(pairKey(username, address), failuresMax),
      this.#waitMs(address, addressFailuresMax),
    );
  }

  /**
   * Notes an attempt, which counts as a failure until it has succeeded, so that many at once are no way around. Answers how
   * long its answer is to be held back if it fails, in milliseconds.
   */
  attempt(username: string, address: string): number {
    const { delayMs, delayMaxMs } = this.#options;
    this.#count(address);
    const failures = this.#count(pairKey(username, address));
    return Math.min(delayMaxMs, delayMs * 2 ** (failures - 1));
  }

  /** An attempt has succeeded: what this name had failed with from there is forgotten. */
  succeed(username: string, address: string): void {
    this.#failures.delete(pairKey(username, address));
    this.takeBack(address);
  }

  /** An attempt was none after all: nobody could look at it. */
  takeBack(...keys: readonly [address: string] | readonly [username: string, address: string]): void {
    const all = keys.length === 1 ? keys : [keys[1], pairKey(...keys)];
    for (const key of all) {
      const failures = this.#failures.get(key);
      if (failures) failures.count = Math.max(0, failures.count - 1);
    }
  }

  #waitMs(key: string, max: number): number {
    const failures = this.#failures.get(key);
    return failures && failures.count >= max ? Math.max(0, failures.untilMs - Date.now()) : 0;
  }

  #count(key: string): number {
    const known = this.#failures.get(key);
    const failures = known && known.untilMs > Date.now()
      ? known
      : { count: 0, untilMs: Date.now() + this.#options.windowMs };
    failures.count++;
    this.#failures.delete(key);
    this.#failures.set(key, failures);
    if (this.#failures.size > ENTRIES_MAX) this.#failures.delete(this.#failures.keys().next().value!);
    return failures.count;
  }
}

function pairKey(username: string, address: string): string {
  return JSON.stringify([username, address]);
}
