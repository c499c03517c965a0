/** What sregctl writes, and how what others wrote is shown in it. */

/** How a piece of text stands out: on a terminal only. */
export type Tone = "good" | "bad" | "faint";

const CODES = { good: 32, bad: 31, faint: 2 } as const;

/** Widest line of an output that is no terminal. */
const PIPE_COLUMNS = 80;
const COLUMNS_MIN = 40;

const encoder = new TextEncoder();

/** Writes to standard output. A reader that is gone ends the program, as it ends others. */
export function write(text: string): void {
  writeWhole(Deno.stdout, text);
}

/** Writes `sregctl: …` to standard error. */
export function writeError(message: string): void {
  writeWhole(Deno.stderr, `sregctl: ${message}\n`);
}

/** Writes a line to standard error that is no error: how far something is. */
export function writeNote(line: string): void {
  writeWhole(Deno.stderr, `${line}\n`);
}

/** Writes a value as JSON, which no text in it can leave. */
export function writeJson(value: unknown): void {
  write(`${escapeJson(JSON.stringify(value, null, 2))}\n`);
}

/** Writes a value as JSON in one line. */
export function writeJsonLine(value: unknown): void {
  write(`${escapeJson(JSON.stringify(value))}\n`);
}

function escapeJson(json: string): string {
  return json.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escapeUnits);
}

/** A text that others chose, for one line: what would move the cursor, turn the writing or hide is shown by its number. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, escapePoint);
}

/** The same for a text of several lines that may have tabs. */
export function harmlessLines(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, escapePoint);
}

/** A number of things, in words: `1 case`, `3 cases`. */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}

let isPlain = false;

/** No colours from now on: `--no-color`. */
export function stayPlain(): void {
  isPlain = true;
}

/** Gives a text a colour, where colours are wanted. */
export function paint(text: string, tone: Tone | undefined): string {
  if (tone === undefined || !wantsColours()) return text;
  return `\u001b[${CODES[tone]}m${text}\u001b[0m`;
}

/** How many columns a line may have. */
export function outputColumns(): number {
  if (!Deno.stdout.isTerminal()) return PIPE_COLUMNS;
  const { columns } = Deno.consoleSize();
  return columns > 0 ? Math.max(COLUMNS_MIN, columns) : PIPE_COLUMNS;
}

function wantsColours(): boolean {
  return !isPlain && Deno.stdout.isTerminal() && !Deno.env.get("NO_COLOR") && Deno.env.get("TERM") !== "dumb";
}

function escapePoint(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

function escapeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
  ).join("");
}

function writeWhole(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let rest = encoder.encode(text);
  try {
    while (rest.byteLength > 0) rest = rest.subarray(stream.writeSync(rest));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(141);
    throw error;
  }
}
