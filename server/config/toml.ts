import { parse, TomlDate, TomlError } from "smol-toml";
import type { ConfigProblem, SourceMark } from "./error.ts";
import type { TextSpan } from "./scan.ts";
import { maskLine } from "./secrets.ts";

/** A value of a TOML document. Integers are bigints, so that `1` and `1.0` can be told apart. */
export type TomlValue = string | number | bigint | boolean | TomlDate | TomlValue[] | TomlTable;

/** A table of a TOML document. */
export interface TomlTable {
  [key: string]: TomlValue;
}

/** A TOML text, and where it comes from. */
export interface DocumentSource {
  /** The file as the operator named it. */
  readonly origin: string;
  /** The folder that paths in the text are relative to: absolute. */
  readonly folder: string;
  readonly text: string;
}

/** What a TOML text says, or why it is none. */
export function parseToml(
  { origin, text }: DocumentSource,
): { value: TomlTable } | { problem: ConfigProblem } {
  try {
    return { value: parse(text, { integersAsBigInt: true }) as TomlTable };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n", 1)[0]!.replace("Invalid TOML document: ", "");
    const line = text.split("\n")[error.line - 1] ?? "";
    const column = [...line.slice(0, error.column - 1)].length + 1;
    const mark = { line: error.line, column, length: 1, text: maskLine(line.trimEnd()) };
    return { problem: { origin, mark, key: "", message: `not TOML: ${reason}` } };
  }
}

/** Whether `value` is a table. */
export function isTable(value: TomlValue | undefined): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof TomlDate);
}

/** A key path as TOML writes it: quoted where a bare key cannot be. */
export function formatKeyPath(path: readonly string[]): string {
  return path.map((key) => /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key)).join(".");
}

/** The line of a span's first character, and what of it is meant. */
export function markSpan(text: string, { start, end }: TextSpan): SourceMark {
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const newline = text.indexOf("\n", start);
  const lineEnd = newline < 0 ? text.length : newline;
  return {
    line: text.slice(0, start).split("\n").length,
    column: [...text.slice(lineStart, start)].length + 1,
    length: Math.max(1, [...text.slice(start, Math.min(end, lineEnd)).trimEnd()].length),
    text: maskLine(text.slice(lineStart, lineEnd).trimEnd()),
  };
}
