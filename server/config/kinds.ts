import { isIP } from "node:net";
import { resolve } from "node:path";
import type { JsonValue } from "../../plugins/contract/identity.ts";
import type { Place, TomlValue } from "./document.ts";
import { parseDuration, parseSize } from "./units.ts";

/** One kind of value: what it looks like in TOML, and what it becomes. `Unit` ends the name of a key that has it. */
export interface Kind<T, Unit extends string = ""> {
  /** What is expected, to follow that word in a message: `an integer from 0 to 65535`. */
  readonly expected: string;
  /** `Ms`, `Bytes` or nothing. */
  readonly unit: Unit;
  /** The value; `undefined` after having told `at` what is wrong. */
  read(value: TomlValue, at: Place): T | undefined;
}

/** What a value of a kind becomes. */
export type KindValue<K> = K extends Kind<infer T, string> ? T : never;

/** Limits of a number, both inclusive. */
export interface Limits {
  readonly min?: number;
  readonly max?: number;
}

/** Limits of a duration or size, both inclusive, written as in the file. */
export interface UnitLimits {
  readonly min?: string;
  readonly max?: string;
}

/** Largest number of characters of a wrong value that a message repeats. */
const FOUND_LENGTH_MAX = 60;

/** A kind of single values. `parse` answers `undefined` for those that are not of it. */
export function scalar<T, Unit extends string = "">(
  expected: string,
  parse: (value: TomlValue, at: Place) => T | undefined,
  unit: Unit = "" as Unit,
): Kind<T, Unit> {
  const read = (value: TomlValue, at: Place) =>
    parse(value, at) ?? at.fail(`expected ${expected}, found ${formatFound(value)}`);
  return { expected, unit, read };
}

/** A text that is not empty; one that `pattern` matches, where there is one, which `expected` describes. */
export function text(form?: { pattern: RegExp; expected: string }): Kind<string> {
  return scalar(
    form?.expected ?? "a string",
    (value) => typeof value === "string" && (form?.pattern ?? /[^]/).test(value) ? value : undefined,
  );
}

/** A whole number. */
export function integer(limits: Limits = {}): Kind<number> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = limits;
  return scalar(
    `an integer${formatLimits(limits.min, limits.max)}`,
    (value) => typeof value === "bigint" && value >= min && value <= max ? Number(value) : undefined,
  );
}

/** `true` or `false`. */
export const boolean: Kind<boolean> = scalar(
  "true or false",
  (value) => typeof value === "boolean" ? value : undefined,
);

/** One of a few words. */
export function choice<const Word extends string>(words: readonly Word[]): Kind<Word> {
  return scalar(
    `one of ${words.map((word) => JSON.stringify(word)).join(", ")}`,
    (value) => words.find((word) => word === value),
  );
}

/** A duration, in milliseconds. */
export function duration(limits: UnitLimits = {}): Kind<number, "Ms"> {
  const parse = withLimits(parseDuration, limits);
  return scalar(
    `a duration${formatLimits(limits.min, limits.max) || ' such as "90s" or "1h30m"'}`,
    parse,
    "Ms",
  );
}

/** A size, in bytes: with its unit, or as their number. */
export function size(limits: UnitLimits = {}): Kind<number, "Bytes"> {
  const parseText = withLimits(parseSize, limits);
  const parse = (value: TomlValue) =>
    parseText(typeof value === "bigint" && value >= 0 ? `${value}B` : value);
  return scalar(`a size${formatLimits(limits.min, limits.max) || ' such as "64MiB"'}`, parse, "Bytes");
}

/** The path of a file or folder, made absolute: a relative one starts from the folder of the file that names it. */
export const path: Kind<string> = scalar(
  "a path",
  (value, at) => typeof value === "string" && /^[^\0]+$/.test(value) ? resolve(at.folder, value) : undefined,
);

/** An address to listen on, without its port. */
export const host: Kind<string> = scalar(
  "an IP address or a host name",
  (value) => typeof value === "string" && isHost(value) ? value : undefined,
);

/** Any value, whatever it is, with its place; for what another schema reads later. */
export const later: Kind<Later> = { expected: "a value", unit: "", read: (value, at) => ({ value, at }) };

/** Any value, as JSON has it: whole numbers become numbers, dates their text. */
export const json: Kind<JsonValue> = { expected: "a value", unit: "", read: (value) => toJson(value) };

function toJson(value: TomlValue): JsonValue {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return Object.freeze(value.map(toJson));
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== "object") return value;
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)])));
}

/** A value that is still to be read. */
export interface Later {
  readonly value: TomlValue;
  readonly at: Place;
}

/** A wrong value, for the end of a message: short, and by its kind where it has parts. */
export function formatFound(value: TomlValue): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return value instanceof Date ? "a date" : "a table";
  const shown = typeof value === "string" ? JSON.stringify(value) : formatNumber(value);
  return shown.length > FOUND_LENGTH_MAX ? `${shown.slice(0, FOUND_LENGTH_MAX)}…` : shown;
}

/** A float shows that it is one. */
function formatNumber(value: number | bigint | boolean): string {
  return Number.isInteger(value) ? (value as number).toFixed(1) : String(value);
}

function withLimits(parse: (text: string) => number | undefined, limits: UnitLimits) {
  const min = limits.min === undefined ? 0 : parse(limits.min)!;
  const max = limits.max === undefined ? Infinity : parse(limits.max)!;
  return (value: TomlValue) => {
    const parsed = typeof value === "string" ? parse(value) : undefined;
    return parsed !== undefined && parsed >= min && parsed <= max ? parsed : undefined;
  };
}

function formatLimits(min?: number | string, max?: number | string): string {
  const [from, to] = [min, max].map((limit) => typeof limit === "string" ? JSON.stringify(limit) : limit);
  if (from === undefined && to === undefined) return "";
  if (from === undefined) return ` of at most ${to}`;
  return to === undefined ? ` of at least ${from}` : ` from ${from} to ${to}`;
}

/** A name of only digits and dots is a mistyped IPv4 address. */
function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  return text.length <= 253 && !/^[0-9.]+$/.test(text) &&
    /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/
      .test(text);
}
