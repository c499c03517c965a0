/** Random choices that a seed repeats. */
export class Random {
  #state: number;

  /** `seed` is a whole number of 32 bits. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  /** Whether something happens that has this chance: 0 never, 1 always. */
  chance(chance: number): boolean {
    return this.#next() < chance;
  }

  /** One of the things, `undefined` of none. */
  pick<Thing>(things: readonly Thing[]): Thing | undefined {
    return things[this.below(things.length)];
  }

  /** So many bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(length / 4));
    for (let index = 0; index < words.length; index++) words[index] = this.#next() * 2 ** 32;
    return new Uint8Array(words.buffer, 0, length);
  }

  /** Another source of choices, whose use leaves this one as it is. */
  fork(): Random {
    return new Random(this.#next() * 2 ** 32);
  }

  /** Mulberry32: a number from 0 up to 1. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
