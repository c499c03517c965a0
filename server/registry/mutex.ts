/** Runs tasks that share a key one after the other, in this process. */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs `task` when all earlier ones of `key` have ended. */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const turn = (this.#tails.get(key) ?? Promise.resolve()).then(task, task);
    this.#tails.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#tails.get(key) === turn) this.#tails.delete(key);
    }
  }
}

interface Turns {
  /** The last task that runs alone. */
  alone: Promise<unknown>;
  /** Those that came after it and run together, until they end. */
  together: Set<Promise<unknown>>;
  /** Tasks that have not ended. */
  open: number;
}

/** Lets tasks that share a key run together or alone, in the order in which they came, in this process. */
export class SharedMutex {
  readonly #turns = new Map<string, Turns>();

  /** Runs `task` together with others of its kind, when all earlier ones that run alone have ended. */
  together<T>(key: string, task: () => Promise<T>): Promise<T> {
    const turns = this.#turnsOf(key);
    const turn = turns.alone.then(task);
    const { together } = turns;
    const ended: Promise<void> = settled(turn).then(() => void together.delete(ended));
    together.add(ended);
    return this.#count(key, turns, turn);
  }

  /** Runs `task` when all earlier ones have ended, and before any later one. */
  alone<T>(key: string, task: () => Promise<T>): Promise<T> {
    const turns = this.#turnsOf(key);
    const turn = Promise.all([turns.alone, ...turns.together]).then(task);
    turns.alone = settled(turn);
    turns.together = new Set();
    return this.#count(key, turns, turn);
  }

  #turnsOf(key: string): Turns {
    const turns = this.#turns.get(key) ??
      { alone: Promise.resolve(), together: new Set(), open: 0 };
    this.#turns.set(key, turns);
    return turns;
  }

  async #count<T>(key: string, turns: Turns, turn: Promise<T>): Promise<T> {
    turns.open++;
    try {
      return await turn;
    } finally {
      if (--turns.open === 0) this.#turns.delete(key);
    }
  }
}

function settled(turn: Promise<unknown>): Promise<unknown> {
  return turn.then(() => {}, () => {});
}
