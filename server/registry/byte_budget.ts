/** Memory that many share: who wants more than is left waits, or does without. */
export class ByteBudget {
  #left: number;
  readonly #waiting: { readonly bytes: number; readonly grant: () => void }[] = [];

  /** `bytes`: how many there are. */
  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Takes so many, if they are left and nobody waits. */
  tryTake(bytes: number): boolean {
    if (bytes > this.#left || this.#waiting.length > 0) return false;
    this.#left -= bytes;
    return true;
  }

  /** Takes so many, at most all that there are, once they are left. */
  async take(bytes: number): Promise<void> {
    if (this.tryTake(bytes)) return;
    await new Promise<void>((grant) => this.#waiting.push({ bytes, grant }));
  }

  /** Has them taken while something is done. */
  async during<T>(bytes: number, act: () => Promise<T>): Promise<T> {
    await this.take(bytes);
    try {
      return await act();
    } finally {
      this.give(bytes);
    }
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    this.#left += bytes;
    while (this.#waiting.length > 0 && this.#waiting[0]!.bytes <= this.#left) {
      const { bytes: granted, grant } = this.#waiting.shift()!;
      this.#left -= granted;
      grant();
    }
  }
}
