import { ConfigError, type ConfigProblem } from "./error.ts";
import { type MergeConflict, mergeFiles, type ParsedFile, type WrittenKey } from "./merge.ts";
import { scanToml, type TextSpan } from "./scan.ts";
import { locateInString, type StringPart } from "./string_offsets.ts";
import {
  type DocumentSource,
  formatKeyPath,
  isTable,
  markSpan,
  parseToml,
  type TomlTable,
  type TomlValue,
} from "./toml.ts";

export { type DocumentSource, formatKeyPath, isTable, type TomlTable, type TomlValue } from "./toml.ts";

/** What TOML texts say, with what is found wrong in it. */
export interface Document {
  /** What the texts say together. */
  readonly value: TomlTable;
  /** The place of the whole document. */
  readonly place: Place;
  /** What was found wrong so far, in the order of the texts. */
  problems(): ConfigProblem[];
  /** A problem with a part of the string at `path`; with all of the value, where the part is not written as such. */
  problemAt(path: readonly string[], part: StringPart, message: string): ConfigProblem;
}

/** A value that does not come from the file but from a flag. */
export interface FlagValue {
  /** Where it belongs in the document. */
  readonly path: readonly string[];
  readonly value: TomlValue;
  /** The flag's name: `--addr`. */
  readonly flag: string;
}

/** Reads a TOML text. Throws a `ConfigError` for what is not TOML. */
export function parseDocument(source: DocumentSource): Document {
  return parseDocuments([source]);
}

/**
 * Reads TOML texts as one, with `flags` laid over it; keys that they set differently are among its problems. Throws a
 * `ConfigError` for what is not TOML.
 */
export function parseDocuments(
  sources: readonly [DocumentSource, ...DocumentSource[]],
  flags: readonly FlagValue[] = [],
): Document {
  const results = sources.map((source) => ({ source, ...parseToml(source) }));
  const problems = results.flatMap((result) => "problem" in result ? [result.problem] : []);
  if (problems.length > 0) throw new ConfigError(problems);
  const files = results.flatMap((result) =>
    "value" in result ? [{ ...result.source, value: result.value, marks: scanToml(result.source.text) }] : []
  );
  return new MergedDocument(files as [ParsedFile, ...ParsedFile[]], flags);
}

/** What of a key a problem is about. */
export type ProblemTarget = "key" | "value";

/** Where a value of a document is, or would be. */
export class Place {
  /** The keys that lead here; indices for the elements of lists. */
  readonly path: readonly string[];
  readonly #document: MergedDocument;

  constructor(path: readonly string[], document: MergedDocument) {
    this.path = path;
    this.#document = document;
  }

  /** The folder that paths here are relative to: the one of the file that writes the value, or the table around it. */
  get folder(): string {
    return this.#document.folderAt(this.path);
  }

  /** The place of `key` below this one. */
  child(key: string): Place {
    return new Place([...this.path, key], this.#document);
  }

  /** Notes that something is wrong here. What does not exist is shown at the nearest table around it. */
  fail(message: string, target: ProblemTarget = "value"): undefined {
    this.#document.report(this.path, message, target);
  }
}

/** A problem, and what it is sorted by; what has no place in a file comes first. */
interface FoundProblem {
  readonly file: number;
  readonly start: number;
  readonly problem: ConfigProblem;
}

class MergedDocument implements Document {
  readonly value: TomlTable;
  readonly place: Place;
  readonly #files: readonly ParsedFile[];
  readonly #written: WrittenKey;
  readonly #flags: readonly FlagValue[];
  readonly #found: FoundProblem[] = [];

  constructor(files: readonly [ParsedFile, ...ParsedFile[]], flags: readonly FlagValue[]) {
    const { value, written, conflicts } = mergeFiles(files);
    this.#files = files;
    this.#written = written;
    this.#flags = flags;
    this.value = value;
    for (const flag of flags) setValue(value, flag);
    this.place = new Place([], this);
    for (const conflict of conflicts) this.#reportConflict(conflict);
  }

  problems(): ConfigProblem[] {
    const sorted = this.#found.toSorted((a, b) => a.file - b.file || a.start - b.start);
    return sorted.map(({ problem }) => problem);
  }

  problemAt(path: readonly string[], part: StringPart, message: string): ConfigProblem {
    return this.#locate(path, message, ({ file, value }) => {
      const raw = file.text.slice(value.start, value.end);
      if (!/^["']/.test(raw)) return value;
      const { start, end } = locateInString(raw, part);
      return { start: value.start + start, end: value.start + end };
    }).problem;
  }

  folderAt(path: readonly string[]): string {
    return findKey(this.#written, path).deepest.file.folder;
  }

  report(path: readonly string[], message: string, target: ProblemTarget): void {
    this.#found.push(this.#locate(path, message, (written) => written[target]));
  }

  #reportConflict({ path, first, second }: MergeConflict): void {
    const key = formatKeyPath(path);
    for (const [here, there] of [[first, second], [second, first]] as const) {
      const message = `set differently at ${formatPosition(there)}`;
      this.#found.push(this.#point(here, here.value, { key, message }));
    }
  }

  /** A problem at `path`, or at what is nearest around it; flags have no place. */
  #locate(path: readonly string[], message: string, span: (written: WrittenKey) => TextSpan): FoundProblem {
    const key = formatKeyPath(path);
    const flag = this.#flags.find((candidate) => formatKeyPath(candidate.path) === key);
    if (flag) return { file: -1, start: -1, problem: { origin: flag.flag, key, message } };
    const { deepest, isWhole } = findKey(this.#written, path);
    if (deepest === this.#written) {
      return { file: 0, start: -1, problem: { origin: deepest.file.origin, key, message } };
    }
    return this.#point(deepest, isWhole ? span(deepest) : deepest.key, { key, message });
  }

  #point({ file }: WrittenKey, span: TextSpan, what: Pick<ConfigProblem, "key" | "message">): FoundProblem {
    const problem = { origin: file.origin, ...what, mark: markSpan(file.text, span) };
    return { file: this.#files.indexOf(file), start: span.start, problem };
  }
}

function formatPosition({ file, value }: WrittenKey): string {
  const { line, column } = markSpan(file.text, value);
  return `${file.origin}:${line}:${column}`;
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

/** The key at `path`, or the deepest one on the way where it is not written. */
function findKey(root: WrittenKey, path: readonly string[]): { deepest: WrittenKey; isWhole: boolean } {
  let deepest = root;
  for (const name of path) {
    const child = deepest.children.get(name);
    if (child === undefined) return { deepest, isWhole: false };
    deepest = child;
  }
  return { deepest, isWhole: true };
}
