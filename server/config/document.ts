import { parse, TomlDate, TomlError } from "smol-toml";
import { ConfigError, type ConfigProblem, type SourceMark } from "./error.ts";
import { type KeyMark, scanToml, type TextSpan } from "./scan.ts";

/** A value of a TOML document. Integers are bigints, so that `1` and `1.0` can be told apart. */
export type TomlValue = string | number | bigint | boolean | TomlDate | TomlValue[] | TomlTable;

/** A table of a TOML document. */
export interface TomlTable {
  [key: string]: TomlValue;
}

/** A TOML text as it was written, with what is found wrong in it. */
export interface Document {
  /** The file as the operator named it. */
  readonly origin: string;
  /** The folder that paths in the document are relative to: absolute. */
  readonly folder: string;
  /** What the text says. */
  readonly value: TomlTable;
  /** The place of the whole document. */
  readonly place: Place;
  /** What was found wrong so far, in the order of the text. */
  problems(): ConfigProblem[];
}

/** A document's text, and where it comes from. */
export interface DocumentSource {
  readonly origin: string;
  readonly folder: string;
  readonly text: string;
}

/** A value that does not come from the file but from a flag. */
export interface FlagValue {
  /** Where it belongs in the document. */
  readonly path: readonly string[];
  readonly value: TomlValue;
  /** The flag's name: `--addr`. */
  readonly flag: string;
}

/** Reads a TOML text, with `flags` laid over it. Throws a `ConfigError` for what is not TOML. */
export function parseDocument(source: DocumentSource, flags: readonly FlagValue[] = []): Document {
  const { origin, folder, text } = source;
  const value = parseToml(source);
  for (const flag of flags) setValue(value, flag);
  const found: { start: number; problem: ConfigProblem }[] = [];
  const marks = scanToml(text);
  const report = (path: readonly string[], message: string, target: ProblemTarget) => {
    const key = formatKeyPath(path);
    const flag = flags.find((candidate) => formatKeyPath(candidate.path) === key);
    if (flag) return void found.push({ start: -1, problem: { origin: flag.flag, key, message } });
    const span = findSpan(marks, path, target);
    const mark = span && formatSpan(text, span);
    found.push({ start: span?.start ?? -1, problem: { origin, key, message, ...(mark && { mark }) } });
  };
  return {
    origin,
    folder,
    value,
    place: new Place([], folder, report),
    problems: () => found.toSorted((a, b) => a.start - b.start).map(({ problem }) => problem),
  };
}

/** What of a key a problem is about. */
export type ProblemTarget = "key" | "value";

type Report = (path: readonly string[], message: string, target: ProblemTarget) => void;

/** Where a value of a document is, or would be. */
export class Place {
  /** The keys that lead here; indices for the elements of lists. */
  readonly path: readonly string[];
  /** The folder that paths in the document are relative to. */
  readonly folder: string;
  readonly #report: Report;

  constructor(path: readonly string[], folder: string, report: Report) {
    this.path = path;
    this.folder = folder;
    this.#report = report;
  }

  /** The place of `key` below this one. */
  child(key: string): Place {
    return new Place([...this.path, key], this.folder, this.#report);
  }

  /** Notes that something is wrong here. What does not exist is shown at the nearest table around it. */
  fail(message: string, target: ProblemTarget = "value"): undefined {
    this.#report(this.path, message, target);
  }
}

/** A key path as TOML writes it: quoted where a bare key cannot be. */
export function formatKeyPath(path: readonly string[]): string {
  return path.map((key) => /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key)).join(".");
}

/** Whether `value` is a table. */
export function isTable(value: TomlValue | undefined): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof TomlDate);
}

function parseToml({ origin, text }: DocumentSource): TomlTable {
  try {
    return parse(text, { integersAsBigInt: true }) as TomlTable;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n", 1)[0]!.replace("Invalid TOML document: ", "");
    const line = text.split("\n")[error.line - 1] ?? "";
    const column = [...line.slice(0, error.column - 1)].length + 1;
    const mark = { line: error.line, column, length: 1, text: line.trimEnd() };
    throw new ConfigError([{ origin, mark, key: "", message: `not TOML: ${reason}` }]);
  }
}

/** Sets a value, and the tables on the way to it. A wrong value on the way stays, to be reported. */
function setValue(root: TomlTable, { path, value }: FlagValue): void {
  let table = root;
  for (const key of path.slice(0, -1)) {
    const next = table[key] ??= {};
    if (!isTable(next)) return;
    table = next;
  }
  table[path.at(-1)!] = value;
}

/** The span of the key or value at `path`; of the deepest key on the way where there is none; nothing for the root. */
function findSpan(root: KeyMark, path: readonly string[], target: ProblemTarget): TextSpan | undefined {
  let mark: KeyMark | undefined = root;
  let deepest: KeyMark | undefined;
  for (const key of path) {
    mark = mark.children.get(key);
    if (mark === undefined) return deepest?.key;
    deepest = mark;
  }
  return deepest?.[target];
}

function formatSpan(text: string, { start, end }: TextSpan): SourceMark {
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const newline = text.indexOf("\n", start);
  const lineEnd = newline < 0 ? text.length : newline;
  return {
    line: text.slice(0, start).split("\n").length,
    column: [...text.slice(lineStart, start)].length + 1,
    length: Math.max(1, [...text.slice(start, Math.min(end, lineEnd)).trimEnd()].length),
    text: text.slice(lineStart, lineEnd).trimEnd(),
  };
}
