/** Parts that are collected at once. */
const PARTS_MAX = 12;
/** Whoever has waited so long collects all the same: those before may be slow for ever. */
const WAIT_MS_MAX = 2_000;

/** Bounds, softly, how many parts are collected in memory at once: more are only begun where those before take their time. */
export class PartBudget {
  #collected = 0;
  readonly #waiting: (() => void)[] = [];

  /** Waits for its turn. What it answers is called once, when the part is out of memory. */
  async take(): Promise<() => void> {
    if (this.#collected >= PARTS_MAX) await this.#turn();
    this.#collected++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#collected--;
      if (this.#collected < PARTS_MAX) this.#waiting.shift()?.();
    };
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        const index = this.#waiting.indexOf(go);
        if (index >= 0) this.#waiting.splice(index, 1);
        resolve();
      };
      const timer = setTimeout(go, WAIT_MS_MAX);
      this.#waiting.push(go);
    });
  }
}
