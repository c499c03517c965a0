/** An operation's effect on one register. Until it is told otherwise, it may have happened or may yet. */
export interface Write {
  /** It has happened: a client was told so. */
  acknowledge(): void;
  /** It has not happened, and will not. */
  withdraw(): void;
  /** It is over, and may or may not have happened. */
  conclude(): void;
}

interface Entry<Value> {
  readonly value: Value;
  readonly startedAt: number;
  endedAt: number;
  acknowledged: boolean;
}

let clock = 0;

/**
 * What one thing may be, after writes that overlap and whose answers may be lost: the values of all writes but those
 * that were over before an acknowledged one began.
 */
export class Register<Value> {
  #entries: Entry<Value>[];

  /** A register that is known to hold `value`. */
  constructor(value: Value) {
    this.#entries = [settled(value)];
  }

  /** Begins a write. */
  begin(value: Value): Write {
    const entry = { value, startedAt: ++clock, endedAt: Infinity, acknowledged: false };
    this.#entries.push(entry);
    return {
      acknowledge: () => {
        entry.endedAt = ++clock;
        entry.acknowledged = true;
      },
      withdraw: () => {
        this.#entries = this.#entries.filter((other) => other !== entry);
      },
      conclude: () => {
        entry.endedAt = ++clock;
      },
    };
  }

  /** What it may hold. */
  possible(): Value[] {
    const acknowledged = this.#entries.filter((entry) => entry.acknowledged);
    const standing = this.#entries.filter(({ endedAt }) =>
      !acknowledged.some(({ startedAt }) => startedAt > endedAt)
    );
    return [...new Set(standing.map(({ value }) => value))];
  }

  /** Whether it may hold the value. */
  mayBe(value: Value): boolean {
    return this.possible().includes(value);
  }

  /** The writes under way are over, and may or may not have happened. */
  interrupt(): void {
    for (const entry of this.#entries) if (entry.endedAt === Infinity) entry.endedAt = ++clock;
  }

  /** It was seen to hold `value`, while no write was under way. */
  settle(value: Value): void {
    this.#entries = [settled(value)];
  }
}

function settled<Value>(value: Value): Entry<Value> {
  return { value, startedAt: clock, endedAt: clock, acknowledged: true };
}
