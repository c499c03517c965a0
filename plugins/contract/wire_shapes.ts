/** What reads plain values that a plugin answered; each throws, with what was expected, where one has another shape. */

/** The properties of an answer. */
export type Properties = Readonly<Record<string, unknown>>;

/** Longest text in an answer, in characters. */
const TEXT_LENGTH_MAX = 8192;

/** An object that is no list. */
export function readRecord(value: unknown): Properties {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed("an object", value);
  }
  return value as Properties;
}

/** A text. */
export function readText(value: unknown): string {
  if (typeof value !== "string" || value.length > TEXT_LENGTH_MAX) throw malformed("a text", value);
  return value;
}

/** `true` or `false`. */
export function readBoolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw malformed("a boolean", value);
  return value;
}

/** A length, a number of milliseconds: whole, and not negative. */
export function readCount(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed("a length", value);
  return value as number;
}

/** A point in time, in milliseconds since 1970. */
export function readTime(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw malformed("a time", value);
  return value;
}

/** One of a few words. */
export function readWord<const Word extends string>(value: unknown, words: readonly Word[]): Word {
  const word = words.find((word) => word === value);
  if (word === undefined) throw malformed(`one of ${words.join(", ")}`, value);
  return word;
}

/** A list of at most `max` items. */
export function readList<T>(value: unknown, read: (item: unknown) => T, max: number): T[] {
  if (!Array.isArray(value) || value.length > max) throw malformed(`a list of at most ${max} items`, value);
  return value.map(read);
}

/** `null`, or what `read` makes of it. */
export function readNullable<T>(value: unknown, read: (value: unknown) => T): T | null {
  return value === null ? null : read(value);
}

/** A property that may be absent, as an object to spread. */
export function readOptional<const Name extends string, T>(
  properties: Properties,
  name: Name,
  read: (value: unknown) => T,
): { [N in Name]?: T } {
  const value = properties[name];
  return (value === undefined ? {} : { [name]: read(value) }) as { [N in Name]?: T };
}

/** The error for a value of another shape than expected. */
export function malformed(expected: string, found: unknown): TypeError {
  const shown = typeof found === "object" && found !== null ? "another object" : String(found).slice(0, 80);
  return new TypeError(`expected ${expected}, found ${shown}`);
}
