/** How sizes, times, digests and whole answers read. */

import { harmless, outputColumns, paint, write, writeJson } from "./output.ts";
import type { Absent } from "./shape.ts";
import { type Cell, formatTable, widthOf, wrap } from "./table.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** `512 B`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** The same, of a size that may not be known. */
export function formatSize(bytes: number | Absent): string {
  return bytes === undefined || bytes === null ? "" : formatBytes(bytes);
}

/** `2025-03-31 22:00:05Z`; what is no time is shown as it is. */
export function formatTime(time: string | Absent): string {
  if (time === undefined || time === null) return "";
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? time : new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
}

/** `45 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const steps = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]] as const;
  const first = steps.findIndex(([, size]) => whole >= size);
  if (first === -1) return "0 s";
  return steps.slice(first, first + 2)
    .map(([unit, size], index) =>
      [Math.floor((index === 0 ? whole : whole % steps[first]![1]) / size), unit] as const
    )
    .filter(([number]) => number > 0)
    .map(([number, unit]) => `${number} ${unit}`).join(" ");
}

/** Enough of a digest to know it by. */
export function shortDigest(digest: string): string {
  return digest.replace(/^([a-z0-9+._-]+:[0-9a-zA-Z=_-]{12})[^]*$/, "$1");
}

/** What is known of something: names, and what they are. What is not known is left out. */
export function formatFacts(facts: readonly (readonly [string, string | Absent])[]): string {
  const known = facts.flatMap(([name, value]) => value ? [[name, value] as const] : []);
  const width = Math.max(0, ...known.map(([name]) => widthOf(harmless(name)))) + 2;
  return known.map(([name, value]) => {
    const label = harmless(name);
    const text = harmless(value);
    if (deservesLine(text, width)) return `${paint(label, "faint")}\n  ${text}\n`;
    const lines = wrap(text, Math.max(20, outputColumns() - width));
    const first = paint(label, "faint") + " ".repeat(width - widthOf(label));
    return lines.map((line, index) => `${index === 0 ? first : " ".repeat(width)}${line}\n`).join("");
  }).join("");
}

/** Whether a text is one word, as a digest is, that stays whole only in a line of its own. */
function deservesLine(text: string, indent: number): boolean {
  const width = widthOf(text);
  return /^[\w:+.-]+$/.test(text) && width > outputColumns() - indent && width + 2 <= outputColumns();
}

/** Shows an answer: as JSON, or as a table; `none` where the table would be empty. */
export async function showTable(
  answer: unknown,
  { json, headings, rows, none }: {
    readonly json: true | undefined;
    readonly headings: readonly string[];
    readonly rows: readonly (readonly Cell[])[];
    readonly none: string;
  },
): Promise<number> {
  if (json) writeJson(answer);
  else write(rows.length === 0 ? `${none}\n` : await formatTable(headings, rows));
  return 0;
}

/** Says what was done: as JSON, or in words. */
export function showDone(
  answer: unknown,
  { json, text }: { readonly json: true | undefined; readonly text: string },
): number {
  if (json) writeJson(answer);
  else write(`${harmless(text)}\n`);
  return 0;
}
