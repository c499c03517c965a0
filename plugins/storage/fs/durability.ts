interface Turn {
  /** Ends with the fsync. */
  ended: Promise<void>;
  begun: boolean;
  next?: Promise<void>;
}

/** More are forgotten, which costs one fsync each when they are written to again. */
const KNOWN_MAX = 100_000;

/**
 * Makes what changed in directories durable, with as few fsyncs as overlapping callers allow: who asks while one is
 * running shares the one that follows it.
 */
export class Durability {
  readonly #fsync: (directory: string) => Promise<void>;
  readonly #turns = new Map<string, Turn>();
  /** Directories whose entry in their parent may not be durable yet, each by its making. */
  readonly #fresh = new Map<string, symbol>();
  /** Directories whose entry is durable. Of one that is in neither, an earlier process may have been killed too soon. */
  readonly #known = new Set<string>();

  /** `fsync` makes the entries of one directory durable. */
  constructor(fsync: (directory: string) => Promise<void>) {
    this.#fsync = fsync;
  }

  /** Notes that a directory was made. */
  made(directory: string): void {
    this.#known.delete(directory);
    this.#fresh.set(directory, Symbol());
  }

  /** Notes that a directory was removed. */
  removed(directory: string): void {
    this.#known.delete(directory);
    this.#fresh.delete(directory);
  }

  /** Answers when what `directory` has in it now, and the way to it from the root, survives a power cut. */
  async sync(directory: string, parentOf: (directory: string) => string): Promise<void> {
    const turns = [this.#join(directory)];
    for (let fresh = directory; fresh !== "" && !this.#known.has(fresh); fresh = parentOf(fresh)) {
      if (!this.#fresh.has(fresh)) this.#fresh.set(fresh, Symbol());
      turns.push(this.#joinFor(fresh, parentOf(fresh)));
    }
    await Promise.all(turns);
  }

  async #joinFor(fresh: string, parent: string): Promise<void> {
    const making = this.#fresh.get(fresh);
    await this.#join(parent);
    // In the meantime it may have been removed and made again.
    if (this.#fresh.get(fresh) !== making) return;
    this.#fresh.delete(fresh);
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.add(fresh);
  }

  /** An fsync that begins after this call. */
  #join(directory: string): Promise<void> {
    const turn = this.#turns.get(directory);
    if (!turn) return this.#begin(directory);
    if (!turn.begun) return turn.ended;
    const begin = () => this.#begin(directory);
    return turn.next ??= turn.ended.then(begin, begin);
  }

  #begin(directory: string): Promise<void> {
    const turn: Turn = { begun: false, ended: Promise.resolve() };
    // A moment later, so that all who ask in this turn share it.
    turn.ended = turn.ended.then(() => {
      turn.begun = true;
      return this.#fsync(directory);
    });
    this.#turns.set(directory, turn);
    const end = () => {
      if (!turn.next) this.#turns.delete(directory);
    };
    turn.ended.then(end, end);
    return turn.ended;
  }
}
