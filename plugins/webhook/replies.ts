/** Reads what services say; each function throws, with what was expected, where that is something else. */

import { type Properties, readRecord, readText } from "@sreg/contract/wire_shapes.ts";

/** The properties of an object that has no others than `known`: what is misspelt would be lost otherwise. */
export function readKnown(content: unknown, known: readonly string[]): Properties {
  const properties = readRecord(content);
  const unknown = Object.keys(properties).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`there is no property ${JSON.stringify(unknown.slice(0, 80))}`);
  }
  return properties;
}

/** A name that people read: not empty, and without characters that cannot be seen. */
export function readName(value: unknown): string {
  const name = readText(value);
  if (!/^\P{C}{1,1024}$/u.test(name)) throw new TypeError("expected a name of characters that can be seen");
  return name;
}

/** Words for the log, without characters that cannot be seen there. */
export function readWords(value: unknown): string {
  return readText(value).replace(/\p{C}+/gu, " ").slice(0, 500);
}

/** A point in time (RFC 3339), in milliseconds since 1970. */
export function readDate(value: unknown): number {
  const text = readText(value);
  const isDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text);
  const timeMs = isDate ? Date.parse(text) : NaN;
  if (Number.isNaN(timeMs)) throw new TypeError('expected a time such as "2030-01-31T12:00:00Z"');
  return timeMs;
}
