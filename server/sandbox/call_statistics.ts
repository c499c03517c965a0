/** How long calls took, in milliseconds; `null` where there were none. */
export interface LatencyFacts {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** Calls that have ended. */
export interface CallFacts {
  readonly calls: number;
  /** How many of them failed; a condition that does not hold is an answer. */
  readonly failures: number;
  /** Within 10 %, but for the longest, which is exact. */
  readonly latencyMs: LatencyFacts;
}

/** Calls of one method. */
export interface MethodFacts extends CallFacts {
  readonly name: string;
}

/** Counts calls and how long they took, by method, in memory that does not grow. */
export class CallStatistics {
  readonly #methods = new Map<string, Tally>();

  /** Takes a call that has ended. */
  record(method: string, ms: number, failed: boolean): void {
    let tally = this.#methods.get(method);
    if (!tally) this.#methods.set(method, tally = new Tally());
    tally.add(ms, failed);
  }

  /** All calls. */
  total(): CallFacts {
    const all = new Tally();
    for (const tally of this.#methods.values()) all.take(tally);
    return all.facts();
  }

  /** The calls of each method that was called, by name. */
  methods(): MethodFacts[] {
    const names = [...this.#methods.keys()].sort();
    return names.map((name) => ({ name, ...this.#methods.get(name)!.facts() }));
  }
}

/** Buckets for each doubling, from a microsecond on. */
const PER_OCTAVE = 4;
const BUCKETS = 32 * PER_OCTAVE;
const LEAST_MS = 0.001;

class Tally {
  readonly #counts = new Uint32Array(BUCKETS);
  #calls = 0;
  #failures = 0;
  #maxMs = 0;

  add(ms: number, failed: boolean): void {
    this.#calls++;
    if (failed) this.#failures++;
    if (ms > this.#maxMs) this.#maxMs = ms;
    const bucket = Math.floor(Math.log2(ms / LEAST_MS) * PER_OCTAVE);
    this.#counts[Math.min(BUCKETS - 1, Math.max(0, bucket))]!++;
  }

  take(other: Tally): void {
    this.#calls += other.#calls;
    this.#failures += other.#failures;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
    for (const [bucket, count] of other.#counts.entries()) this.#counts[bucket]! += count;
  }

  facts(): CallFacts {
    const max = this.#calls === 0 ? null : round(this.#maxMs);
    const latencyMs = { p50: this.#quantile(0.5), p99: this.#quantile(0.99), max };
    return { calls: this.#calls, failures: this.#failures, latencyMs };
  }

  /** The middle of the bucket that the quantile falls into, but no more than the longest call. */
  #quantile(share: number): number | null {
    if (this.#calls === 0) return null;
    let left = Math.ceil(this.#calls * share);
    const bucket = this.#counts.findIndex((count) => (left -= count) <= 0);
    return round(Math.min(this.#maxMs, LEAST_MS * 2 ** ((bucket + 0.5) / PER_OCTAVE)));
  }
}

function round(ms: number): number {
  return Number(ms.toPrecision(3));
}
