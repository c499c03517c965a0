import { restSize } from "./growth.ts";
import type { ReadGrowth } from "./growing.ts";

const ENTRIES_MAX = 1_000;
const BYTES_MAX = 32 * 1024 * 1024;

/** How far objects had grown that this process appended to last, so that it need not read what it has just written. */
export class GrowthCache {
  readonly #entries = new Map<string, ReadGrowth>();
  #bytes = 0;

  /** What is known of an object; it counts only while the object has its etag. */
  get(key: string): ReadGrowth | undefined {
    return this.#entries.get(key);
  }

  set(key: string, read: ReadGrowth): void {
    this.delete(key);
    this.#entries.set(key, read);
    this.#bytes += restSize(read.growth);
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= BYTES_MAX && this.#entries.size <= ENTRIES_MAX) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const read = this.#entries.get(key);
    if (!read) return;
    this.#entries.delete(key);
    this.#bytes -= restSize(read.growth);
  }
}
