/** A moment of the process that writes and reads: later ones are greater. */
export type Moment = number;

/** An operation's effect on one register. Until it is told otherwise, it may have happened or may yet. */
export interface Write {
  /** It has happened: a client was told so. */
  acknowledge(): void;
  /** It has not happened, and will not. */
  withdraw(): void;
  /** It may have happened for a while, and was taken back. */
  takeBack(): void;
  /** It is over, and may or may not have happened. */
  conclude(): void;
}

interface Entry<Value> {
  readonly value: Value;
  readonly startedAt: number;
  endedAt: number;
  acknowledged: boolean;
  takenBack: boolean;
}

let clock: Moment = 0;

/** Now. What begins or ends later is after it. */
export function moment(): Moment {
  return ++clock;
}

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
    const entry: Entry<Value> = {
      value,
      startedAt: ++clock,
      endedAt: Infinity,
      acknowledged: false,
      takenBack: false,
    };
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
      takeBack: () => {
        entry.endedAt = ++clock;
        entry.takenBack = true;
      },
    };
  }

  /** What it may hold; with `since` what it may have held at any moment from then on. */
  possible(since: Moment = clock): Value[] {
    return [...new Set(this.#standing(since).map(({ value }) => value))];
  }

  /** Whether it may hold the value, or may have held it at any moment since. */
  mayBe(value: Value, since: Moment = clock): boolean {
    return this.possible(since).includes(value);
  }

  /** It was seen to hold `value` at some moment since, be a write under way or not. */
  see(value: Value, since: Moment): void {
    const seen = { value, startedAt: since, endedAt: ++clock, acknowledged: true, takenBack: false };
    this.#entries.push(seen);
  }

  /** Nobody will ask what it held before this moment. */
  forget(before: Moment): void {
    this.#entries = this.#standing(before);
  }

  /** The writes under way are over, and may or may not have happened. */
  interrupt(): void {
    for (const entry of this.#entries) if (entry.endedAt === Infinity) entry.endedAt = ++clock;
  }

  /** It was seen to hold `value`, while no write was under way. */
  settle(value: Value): void {
    this.#entries = [settled(value)];
  }

  #standing(since: Moment): Entry<Value>[] {
    const lastAt = Math.max(
      ...this.#entries.filter(({ acknowledged, endedAt }) => acknowledged && endedAt <= since)
        .map(({ startedAt }) => startedAt),
    );
    return this.#entries.filter(({ endedAt, takenBack }) => endedAt >= (takenBack ? since + 1 : lastAt));
  }
}

function settled<Value>(value: Value): Entry<Value> {
  return { value, startedAt: clock, endedAt: clock, acknowledged: true, takenBack: false };
}
