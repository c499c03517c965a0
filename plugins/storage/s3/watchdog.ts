/** Waits for the next sign of progress. Signs may come by the thousand: they set no timer each. */
export class Watchdog {
  readonly #bark: (message: string) => void;
  #what = "";
  #ms = 0;
  #dueAt = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerDueAt = Infinity;

  /** `bark` is told once what did not come in time: "no answer within 100 ms". */
  constructor(bark: (message: string) => void) {
    this.#bark = bark;
  }

  /** From now on `what` would be told after `ms`. */
  expect(what: string, ms: number): void {
    this.#what = what;
    this.#ms = ms;
    this.#dueAt = performance.now() + ms;
    if (this.#dueAt < this.#timerDueAt) this.#arm();
  }

  /** Nothing is waited for any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timerDueAt = Infinity;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timerDueAt = this.#dueAt;
    this.#timer = setTimeout(() => {
      this.#timerDueAt = Infinity;
      if (performance.now() < this.#dueAt) this.#arm();
      else this.#bark(`${this.#what} within ${this.#ms} ms`);
    }, Math.max(Math.ceil(this.#dueAt - performance.now()), 0));
  }
}
