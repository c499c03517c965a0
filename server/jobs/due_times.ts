import type { Storage } from "../../plugins/contract/storage.ts";
import { tickKey } from "./keys.ts";
import { getValue, putValue } from "./values.ts";

/**
 * The times of the schedule that have come, by kind. A pattern means the same times on all replicas, so the last one that
 * was served, which the store knows, tells each what is still to be done. A time that comes while the one before waits takes its place.
 */
export class DueTimes {
  readonly #storage: Storage;
  readonly #times = new Map<string, number>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The time of a kind has come. */
  add(kind: string, timeMs: number): void {
    this.#times.set(kind, timeMs);
  }

  /** A kind whose time has come and was served by nobody. */
  async next(): Promise<string | undefined> {
    for (const [kind, timeMs] of this.#times) {
      if (!await this.#isServed(kind, timeMs)) return kind;
      this.#times.delete(kind);
    }
    return undefined;
  }

  /** Serves the time of a kind; the lease is held. `false`: somebody has. */
  async serve(kind: string): Promise<boolean> {
    const timeMs = this.#times.get(kind);
    if (timeMs === undefined) return false;
    this.#times.delete(kind);
    if (await this.#isServed(kind, timeMs)) return false;
    await putValue(this.#storage, tickKey(kind), { value: timeMs });
    return true;
  }

  async #isServed(kind: string, timeMs: number): Promise<boolean> {
    const served = (await getValue<number>(this.#storage, tickKey(kind)))?.value;
    return served !== undefined && served >= timeMs;
  }
}
