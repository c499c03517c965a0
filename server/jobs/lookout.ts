/** What is looked at, and how often. */
export interface LookoutOptions {
  readonly look: () => Promise<void>;
  /** How long to wait after a look, in milliseconds. */
  readonly intervalMs: () => number;
  readonly onError: (error: Error) => void;
}

/** Looks at something when it is asked to, and now and then; never twice at a time. */
export class Lookout {
  readonly #options: LookoutOptions;
  #asked = false;
  #looking: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: LookoutOptions) {
    this.#options = options;
  }

  /** Looks now; where it looks already, once more after that. */
  ask(): void {
    if (this.#closed) return;
    this.#asked = true;
    this.#looking ??= this.#lookWhileAsked().finally(() => this.#rest());
  }

  /** Looks no more. Answers when the last look has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  async #lookWhileAsked(): Promise<void> {
    const { look, onError } = this.#options;
    while (this.#asked && !this.#closed) {
      this.#asked = false;
      await look().catch(onError);
    }
  }

  #rest(): void {
    this.#looking = undefined;
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => this.ask(), this.#options.intervalMs());
  }
}
