/** The line of a file that a problem points at. */
export interface SourceMark {
  /** Counted from 1. */
  readonly line: number;
  /** Of the first character that is meant, counted from 1 in code points. */
  readonly column: number;
  /** How many characters are meant: at least 1, at most to the end of the line. */
  readonly length: number;
  /** The whole line. */
  readonly text: string;
}

/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** The file as the operator named it, or the flag (`--addr`). */
  readonly origin: string;
  /** Where in the file; absent for flags, and for files that cannot be read. */
  readonly mark?: SourceMark;
  /** The key's full path (`server.port`); empty for the file as a whole. */
  readonly key: string;
  /** What was expected and what was found. */
  readonly message: string;
}

/** A configuration that cannot be used. Its message shows every problem with its line. */
export class ConfigError extends Error {
  /** All that is wrong, in the order of the file. */
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super([`Cannot use the configuration: ${count}`, ...problems.map(formatProblem)].join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** `file:line:column: key: message`, and below it the line with a caret under what is meant. */
export function formatProblem(problem: ConfigProblem): string {
  const { origin, mark, key, message } = problem;
  const words = [mark ? `${origin}:${mark.line}:${mark.column}` : origin, ...(key ? [key] : []), message];
  return words.join(": ") + (mark ? formatMark(mark) : "");
}

/** The line and its caret. Tabs stay tabs before the caret, so that it stands where it should. */
function formatMark({ line, column, length, text }: SourceMark): string {
  const before = [...text].slice(0, column - 1).join("").replace(/[^\t]/g, " ");
  const margin = " ".repeat(String(line).length);
  return `\n  ${line} | ${text}\n  ${margin} | ${before}${"^".repeat(length)}`;
}
