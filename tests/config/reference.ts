/** What docs/configuration.md must say of every key, taken from the schemas that read them. */

import { isTable, type TomlValue } from "../../server/config/document.ts";
import type { Kind } from "../../server/config/kinds.ts";
import type { Field, Fields, NamedKind, TableKind } from "../../server/config/tables.ts";

/** The rows of a table of the reference, by its heading: `[server.tls]`. */
export type Reference = ReadonlyMap<string, readonly string[]>;

type AnyKind = Kind<unknown, string>;

/** The reference of all tables below `kind`, which is at `path`. */
export function describeTables(kind: AnyKind, path: readonly string[]): Reference {
  if (isNamed(kind)) return describeTables(kind.each, [...path, "<name>"]);
  if (isTableList(kind)) return new Map([[`[[${path.join(".")}]]`, describeFields(kind.item.fields)]]);
  if (!isTableKind(kind)) return new Map();
  const below = Object.entries(kind.fields).map(([key, field]) => describeTables(field.kind, [...path, key]));
  const rows = describeFields(kind.fields);
  const own: [string, readonly string[]][] = rows.length > 0 ? [[`[${path.join(".")}]`, rows]] : [];
  return new Map([...own, ...below.flatMap((tables) => [...tables])]);
}

/** A row for each key that is no table of its own. */
export function describeFields(fields: Fields): string[] {
  return Object.entries(fields)
    .filter(([, field]) => !isTableKind(field.kind) && !isNamed(field.kind) && !isTableList(field.kind))
    .map(([key, field]) =>
      `| \`${key}\` | ${field.kind.expected} | ${describeDefault(field)} | ${field.doc} |`
    );
}

function describeDefault({ presence, fallback }: Field): string {
  if (presence === "required") return "required";
  return fallback === undefined ? "none" : `\`${formatToml(fallback)}\``;
}

function formatToml(value: TomlValue): string {
  if (Array.isArray(value)) return `[${value.map(formatToml).join(", ")}]`;
  if (isTable(value)) return "{}";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function isTableKind(kind: AnyKind): kind is TableKind<unknown> {
  return "fields" in kind;
}

function isTableList(kind: AnyKind): kind is AnyKind & { readonly item: TableKind<unknown> } {
  return "item" in kind && isTableKind(kind.item as AnyKind);
}

function isNamed(kind: AnyKind): kind is NamedKind<unknown> {
  return "each" in kind;
}
