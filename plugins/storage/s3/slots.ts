/** How much is under way at once: whoever comes first goes first. */

/** Places for tries. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** `count` places. */
  constructor(count: number) {
    this.#free = count;
  }

  /** Does something in a place of its own, when one is free. */
  async hold<Result>(act: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await act();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
