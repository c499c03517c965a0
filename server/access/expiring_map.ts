/** A map whose entries end by themselves, and of which the oldest go first when there are too many. */
export class ExpiringMap<V> {
  readonly #max: number;
  readonly #entries = new Map<string, { readonly value: V; readonly untilMs: number }>();

  /** A map of at most `max` entries. */
  constructor(max: number) {
    this.#max = max;
  }

  /** The value, as long as it holds. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (entry.untilMs > Date.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** Keeps a value until a point in time, in milliseconds since 1970. */
  set(key: string, value: V, untilMs: number): void {
    if (untilMs <= Date.now()) return;
    this.#entries.delete(key);
    this.#entries.set(key, { value, untilMs });
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.keys().next().value!);
  }

  /** Forgets the values that fit. */
  deleteWhere(fits: (value: V) => boolean): void {
    for (const [key, { value }] of this.#entries) if (fits(value)) this.#entries.delete(key);
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
  }
}
