/** Tables without lines, as wide as the output allows. */

import { harmless, outputColumns, paint, type Tone } from "./output.ts";

/** A cell: a text that others may have chosen, several that begin on lines of their own, or one with a tone. */
export type Cell = string | readonly string[] | { readonly text: string; readonly tone: Tone };

const GAP = "  ";
const COLUMN_MIN = 8;
/** What is longer is no word, but a text without spaces. */
const WORD_MAX = 32;
/** What is not broken if that can be: at first paths and times, then words and times, paths, words. */
const WHOLE = [
  /\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ|[\w*:@/-]+[.,|&]?/g,
  /\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ|[\w*:@-]+[.,/|&]?/g,
  /[\w*:@/-]+[.,|&]?/g,
  /[\w*:@-]+[.,/|&]?/g,
];
const NOTHING = { "padding-left": 0, "padding-right": 0, head: [], border: [] };
const LINES = [
  ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
  ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid"],
];

/** A table with its headings. What does not fit is wrapped in its cell: at spaces, after dots and slashes, else anywhere. */
export async function formatTable(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const cells = rows.map((row) => row.map((cell) => textsOf(cell).map(harmless)));
  const titles = headings.map((heading) => [harmless(heading)]);
  const widths = fitWidths([titles, ...cells], outputColumns());
  const used = widths.map(() => 0);
  const wrapped = (texts: readonly string[], column: number, tone: Tone | undefined) =>
    texts.flatMap((text) => wrap(text, widths[column]!)).map((line) => {
      used[column] = Math.max(used[column]!, widthOf(line));
      return paint(line, tone);
    });
  const lines = [
    ...linesOf(titles.map((texts, column) => wrapped(texts, column, "faint"))),
    ...cells.flatMap((row, index) =>
      linesOf(row.map((texts, column) => wrapped(texts, column, toneOf(rows[index]![column]!))))
    ),
  ];
  const chars = Object.fromEntries([...LINES.map((line) => [line, ""]), ["middle", GAP]]);
  const ruler = used.map((width) => "-".repeat(width));
  let text = "";
  // What it takes grows with the square of the rows; the first one gives all parts the same widths.
  for (let at = 0; at < lines.length; at += PART_ROWS) {
    const table = new Table({ chars, style: NOTHING });
    table.push(ruler, ...lines.slice(at, at + PART_ROWS));
    for (const line of table.toString().split("\n").slice(1)) text += `${line.trimEnd()}\n`;
  }
  return text;
}

const PART_ROWS = 100;

/** The lines of a row whose cells have several. */
function linesOf(cells: readonly (readonly string[])[]): string[][] {
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, index) => cells.map((lines) => lines[index] ?? ""));
}

/** Breaks a text into lines of at most `width` columns. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  for (;;) {
    const whole = prefixOf(rest, width);
    if (whole.length === rest.length) return [...lines, rest];
    // What is farther away than a line is long does not count, however long the text is.
    const next = rest.slice(whole.length, whole.length + width + 1);
    const line = breakAt(whole, { next, width });
    lines.push(line.trimEnd());
    rest = rest.slice(line.length).trimStart();
  }
}

/** The widths of the columns: as much as each needs; the widest give way until all fit. What somebody may want to copy stays whole where that can be. */
function fitWidths(rows: readonly (readonly (readonly string[])[])[], columns: number): number[] {
  const widest = (measure: (text: string) => number) =>
    rows[0]!.map((_, column) => rows.reduce((most, row) => Math.max(most, ...row[column]!.map(measure)), 0));
  const widths = widest(widthOf);
  const room = columns - GAP.length * (widths.length - 1);
  for (const whole of WHOLE) {
    const narrowed = narrow(widths, { room, least: widest((text) => longestOf(text, whole)) });
    if (narrowed) return narrowed;
  }
  return narrow(widths, { room, least: widths.map(() => 0) }) ??
    widths.map((width) => Math.min(width, COLUMN_MIN));
}

/** Takes from the widest columns, but leaves each its least; `undefined` where that is too much. */
function narrow(
  widths: readonly number[],
  { room, least }: { readonly room: number; readonly least: readonly number[] },
): number[] | undefined {
  const narrowed = [...widths];
  for (let excess = widths.reduce((sum, width) => sum + width) - room; excess > 0; excess--) {
    const spare = narrowed.map((width, column) => width > Math.max(COLUMN_MIN, least[column]!) ? width : 0);
    const column = spare.indexOf(Math.max(...spare));
    if (spare[column] === 0) return undefined;
    narrowed[column]!--;
  }
  return narrowed;
}

/** The width of the longest part of a text that is better not broken. */
function longestOf(text: string, parts: RegExp): number {
  const found = text.match(parts) ?? [];
  return Math.max(0, ...found.map((part) => part.length).filter((width) => width <= WORD_MAX));
}

/**
 * The part of `line` up to the last good place to break; all of it where that would leave little, unless it keeps a word whole, or
 * where `next` goes on well.
 */
function breakAt(line: string, { next, width }: { readonly next: string; readonly width: number }): string {
  if (next.startsWith(" ")) return line;
  const space = line.lastIndexOf(" ") + 1;
  const mark = Math.max(...[...".,/|&"].map((character) => line.lastIndexOf(character) + 1));
  const good = [space, mark].find((end) => end > line.length / 3) ?? Math.max(space, mark);
  const word = line.slice(good) + next.replace(/[ .,/|&][^]*$/, "");
  return good > line.length / 3 || (good > 0 && widthOf(word) <= width) ? line.slice(0, good) : line;
}

/** As many characters as fit, but at least one. */
function prefixOf(text: string, width: number): string {
  let [length, taken] = [0, 0];
  for (const character of text) {
    taken += widthOf(character);
    if (length > 0 && taken > width) break;
    length += character.length;
  }
  return text.slice(0, length);
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** How many columns a text takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += /\p{Mn}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** Longest text of a cell, and most of them. */
const TEXT_MAX = 4_096;
const TEXTS_MAX = 1_000;

function textsOf(cell: Cell): readonly string[] {
  const texts = typeof cell === "string" ? [cell] : isList(cell) ? cell.slice(0, TEXTS_MAX) : [cell.text];
  return texts.map((text) => text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}…`);
}

function toneOf(cell: Cell): Tone | undefined {
  return typeof cell === "string" || isList(cell) ? undefined : cell.tone;
}

/** `Array.isArray` does not know read-only lists. */
function isList(cell: Exclude<Cell, string>): cell is readonly string[] {
  return Array.isArray(cell);
}

/** A text that is cut, visibly, where it is wider than `width`. */
export function clip(text: string, width: number): string {
  return widthOf(text) <= width ? text : `${prefixOf(text, Math.max(1, width - 1))}…`;
}
