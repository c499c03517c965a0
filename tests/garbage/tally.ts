/** What happened, and how often, so that it can be seen that something did. */
export class Tally {
  readonly #counts = new Map<string, number>();

  /** It happened, once or more often. */
  add(what: string, times = 1): void {
    this.#counts.set(what, this.of(what) + times);
  }

  /** How often it happened. */
  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** All of it, as a line. */
  format(): string {
    return [...this.#counts].map(([what, times]) => `${what} ${times}`).join(", ");
  }
}
