import { restSize } from "./growth.ts";
import type { ReadGrowth } from "./growing.ts";

/** What an object that is no more than its bytes was like. */
export interface PlainFacts {
  readonly etag: string;
  /** Its length in bytes. */
  readonly size: number;
}

const ENTRIES_MAX = 1_000;
const BYTES_MAX = 32 * 1024 * 1024;

/** How far objects had grown that this process appended to last, so that it need not read what it has just written. */
export class GrowthCache {
  readonly #entries = new Map<string, ReadGrowth>();
  readonly #noticed = new Map<string, PlainFacts>();
  #bytes = 0;

  /** What was noticed of a plain object last; it counts only while the object has its etag. */
  noticed(key: string): PlainFacts | undefined {
    return this.#noticed.get(key);
  }

  notice(key: string, facts: PlainFacts): void {
    this.#noticed.delete(key);
    this.#noticed.set(key, facts);
    if (this.#noticed.size > ENTRIES_MAX) this.#noticed.delete(this.#noticed.keys().next().value!);
  }

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
    this.#noticed.delete(key);
    const read = this.#entries.get(key);
    if (!read) return;
    this.#entries.delete(key);
    this.#bytes -= restSize(read.growth);
  }
}
