import { isTable, type Place, type TomlTable, type TomlValue } from "./document.ts";
import { formatFound, type Kind } from "./kinds.ts";
import { nearest } from "../../plugins/contract/nearest.ts";

/** Whether a key must be written, may be left out, or has a value when it is left out. */
export type Presence = "required" | "optional" | "defaulted";

/** A key of a table. */
export interface Field<T = unknown, Unit extends string = string, P extends Presence = Presence> {
  readonly kind: Kind<T, Unit>;
  readonly presence: P;
  /** What the value is when it is left out, as the file would say it. */
  readonly fallback?: TomlValue;
  /** What the key means: one sentence. */
  readonly doc: string;
}

/** The keys of a table, by name. */
export type Fields = Readonly<Record<string, Field>>;

/** A key that must be written. */
export function required<T, Unit extends string>(
  kind: Kind<T, Unit>,
  doc: string,
): Field<T, Unit, "required"> {
  return { kind, presence: "required", doc };
}

/** A key that may be left out. */
export function optional<T, Unit extends string>(
  kind: Kind<T, Unit>,
  doc: string,
): Field<T, Unit, "optional"> {
  return { kind, presence: "optional", doc };
}

/** A key that means `to` when it is left out. */
export function defaulted<T, Unit extends string>(
  kind: Kind<T, Unit>,
  { to, doc }: { readonly to: TomlValue; readonly doc: string },
): Field<T, Unit, "defaulted"> {
  return { kind, presence: "defaulted", fallback: to, doc };
}

/** A kind of tables with known keys. */
export interface TableKind<T> extends Kind<T> {
  readonly fields: Fields;
  /** The keys that are good, though others may not be. */
  readPartly(value: TomlValue, at: Place): Partial<T>;
}

/** A table with these keys and no others. Its value names them in camel case, with their unit at the end. */
export function table<const F extends Fields>(fields: F): TableKind<TableValue<F>> {
  return tableKind(fields, (key) => camelCase(key) + fields[key]!.kind.unit);
}

/** A table with these keys and no others, whose value has them as they are written. */
export function verbatimTable(fields: Fields): TableKind<Readonly<Record<string, unknown>>> {
  return tableKind(fields, (key) => key);
}

function tableKind<T>(fields: Fields, rename: (key: string) => string): TableKind<T> {
  const readAll = (value: TomlValue, at: Place) => {
    if (!isTable(value)) {
      return { values: {}, complete: at.fail(`expected a table, found ${formatFound(value)}`) };
    }
    refuseUnknownKeys(fields, value, at);
    const items = Object.entries(fields).map(([key, field]) => ({
      key,
      ...readField(field, Object.hasOwn(value, key) ? value[key] : undefined, at.child(key)),
    }));
    const present = items.filter(({ item }) => item !== undefined);
    const values = Object.freeze(Object.fromEntries(present.map(({ key, item }) => [rename(key), item])));
    return { values, complete: items.every(({ good }) => good) };
  };
  return {
    expected: "a table",
    unit: "",
    fields,
    readPartly: (value, at) => readAll(value, at).values as Partial<T>,
    read(value, at) {
      const { values, complete } = readAll(value, at);
      return complete ? values as T : undefined;
    },
  };
}

function refuseUnknownKeys(fields: Fields, value: TomlTable, at: Place): void {
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(fields, key)) at.child(key).fail(unknownKey(key, Object.keys(fields)), "key");
  }
}

/** The item is `undefined` where it is absent, which is good unless it is required, or where it is bad. */
function readField(
  field: Field,
  written: TomlValue | undefined,
  at: Place,
): { item?: unknown; good: boolean } {
  const value = written ?? field.fallback;
  if (value !== undefined) {
    const item = field.kind.read(value, at);
    return { item, good: item !== undefined };
  }
  if (field.presence === "required") at.fail(`missing, expected ${field.kind.expected}`);
  return { good: field.presence !== "required" };
}

/** A kind of tables whose keys the operator chooses. */
export interface NamedKind<T> extends Kind<ReadonlyMap<string, T>> {
  readonly each: Kind<T>;
}

/** A table whose keys are names that the operator chooses, each with a value of kind `each`. */
export function named<T>(each: Kind<T>): NamedKind<T> {
  const read = (value: TomlValue, at: Place) => {
    if (!isTable(value)) return at.fail(`expected a table, found ${formatFound(value)}`);
    const items = Object.entries(value).map(([name, item]) =>
      [name, each.read(item, at.child(name))] as const
    );
    return items.every(([, item]) => item !== undefined) ? new Map(items as [string, T][]) : undefined;
  };
  return { expected: "a table", unit: "", each, read };
}

/** A kind of lists. */
export interface ListKind<T> extends Kind<readonly T[]> {
  readonly item: Kind<T>;
}

/** A list of values of kind `each`. */
export function list<T>(each: Kind<T>): ListKind<T> {
  const read = (value: TomlValue, at: Place) => {
    if (!Array.isArray(value)) return at.fail(`expected a list, found ${formatFound(value)}`);
    const items = value.map((item, index) => each.read(item, at.child(String(index))));
    return items.every((item) => item !== undefined) ? Object.freeze(items) : undefined;
  };
  return { expected: `a list, each ${each.expected}`, unit: "", item: each, read };
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return meant
    ? `unknown key, did you mean ${meant}?`
    : `unknown key, known here: ${known.toSorted().join(", ")}`;
}

function camelCase(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

type CamelCase<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Key;

type ValueName<F extends Fields, Key extends keyof F> = F[Key] extends Field<unknown, infer Unit>
  ? `${CamelCase<Key & string>}${Unit}`
  : never;

type ValueOf<F> = F extends Field<infer T> ? T : never;

type OptionalKey<F extends Fields> = {
  [Key in keyof F]: F[Key] extends Field<unknown, string, "optional"> ? Key : never;
}[keyof F];

/** What a table with these keys becomes. */
export type TableValue<F extends Fields> =
  & { readonly [Key in Exclude<keyof F, OptionalKey<F>> as ValueName<F, Key>]: ValueOf<F[Key]> }
  & { readonly [Key in OptionalKey<F> as ValueName<F, Key>]?: ValueOf<F[Key]> };
