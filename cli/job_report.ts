/** Shows what a job reports: numbers as a list, lists as tables, whatever its kind. */

import { formatBytes, formatDuration, formatFacts, formatTime, shortDigest } from "./format.ts";
import type { Job } from "./job.ts";
import { harmless, write } from "./output.ts";
import { flag, list, object, optional, type Shape, type Shaped, text } from "./shape.ts";
import { type Cell, formatTable } from "./table.ts";

const ROWS_MAX = 1_000;
const COLUMNS_MAX = 16;
/** Members that lists of things have in common come first, in this order. */
const FIRST = ["repository", "tag", "kind", "key", "digest"];

/** Of what keeps an image this goes without saying. */
const RULE_IS_TRUE = "the rule is true";

/** What a report calls otherwise than who reads it does. */
const WORDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gc: {
    due: "may be garbage",
    needed: "needed after all",
    condemned: "unneeded since now",
    unlinked: "links removed",
    blobs: "blobs removed",
    bytes: "space freed",
  },
};

/** What kind of job it is, and whether it changes anything. */
export function formatKind({ kind, options }: Pick<Job, "kind" | "options">): string {
  return options?.["dry_run"] === true ? `${kind}, dry run` : kind;
}

/** The head of a job. */
export function formatJob(job: Job): string {
  const { started_by, ended_at } = job;
  const progress = job.state === "done" ? undefined : job.progress;
  const options = Object.entries(job.options ?? {}).map(([name, value]) =>
    `${name}=${formatScalar(name, value)}`
  );
  return formatFacts([
    ["job", job.id],
    ["kind", job.kind],
    ["options", options.join(" ")],
    ["state", job.state],
    ["error", job.error],
    [
      "started",
      `${formatTime(job.started_at)} by ${started_by?.username ?? started_by?.id ?? "the schedule"}`,
    ],
    ["ended", formatTime(ended_at)],
    ["took", ended_at && formatDuration((Date.parse(ended_at) - Date.parse(job.started_at)) / 1_000)],
    ["replica", job.replica],
    [
      "progress",
      progress &&
      `${progress.phase} ${progress.done}${progress.total ? `/${progress.total}` : ""} ${progress.unit}`,
    ],
  ]);
}

/** A report. That it is of a dry run is said at its end. */
async function formatReport(kind: string, report: Readonly<Record<string, unknown>>): Promise<string> {
  const entries = Object.entries(report).filter(([name]) => name !== "dry_run");
  const known = WORDS[kind] ?? {};
  const facts = entries.flatMap(([name, value]) => factsOf(name, value))
    .map(([name, value]) => [Object.hasOwn(known, name) ? known[name]! : name, value] as const);
  const parts = [formatFacts(facts)];
  for (const [name, value] of entries) {
    if (isRecords(value) && value.length > 0) parts.push(await formatRecords(value, words(name)));
  }
  return parts.filter((part) => part !== "").join("\n");
}

/** What a job found, as much of it as is there. */
export async function formatEntries(job: Job, entries: readonly unknown[]): Promise<string> {
  const rest = (job.lines ?? 0) - entries.length;
  const end = rest > 0 ? `and ${rest} more: --json shows them\n` : "";
  if (!isRecords(entries)) {
    return `${entries.map((entry) => `${harmless(JSON.stringify(entry))}\n`).join("")}${end}`;
  }
  const table = fits(entries, VERDICT)
    ? await formatVerdicts(entries)
    : fits(entries, FINDING)
    ? await formatFindings(entries)
    : await formatRecords(entries);
  return table + end;
}

const VERDICT = object({
  repository: text,
  tag: optional(text),
  digest: text,
  kept: flag,
  rule: optional(text),
  reason: optional(text),
});

type Verdict = Shaped<typeof VERDICT>;

const FINDING = object({
  severity: text,
  kind: text,
  key: text,
  detail: text,
  repaired: optional(text),
  quarantined: optional(text),
});

function fits<T>(entries: readonly unknown[], shape: Shape<T>): entries is readonly T[] {
  return list(shape).problem(entries, "") === undefined;
}

/** What is not as it should be, and what came of it. */
async function formatFindings(findings: readonly Shaped<typeof FINDING>[]): Promise<string> {
  const rows = findings.map(({ severity, kind, key, detail, repaired, quarantined }): readonly Cell[] => [
    severity === "damage" ? { text: kind, tone: "bad" } : kind,
    key,
    [detail, ...(quarantined ? [`moved to ${quarantined}`] : []), ...(repaired ? [repaired] : [])],
  ]);
  return await formatTable(["finding", "key", "what"], rows);
}

/** What becomes of images, and why. */
async function formatVerdicts(verdicts: readonly Verdict[]): Promise<string> {
  const rows = verdicts.map(({ repository, tag, digest, kept, rule, reason }): readonly Cell[] => [
    tag ? `${repository}:${tag}` : `${repository}@${shortDigest(digest)}`,
    kept ? { text: "keep", tone: "good" } : { text: "delete", tone: "bad" },
    [rule, rule && reason === RULE_IS_TRUE ? undefined : reason]
      .filter((line) => line !== undefined && line !== null),
  ]);
  return await formatTable(["image", "fate", "why"], rows);
}

/** A table of things that have about the same members. */
export async function formatRecords(
  records: readonly Readonly<Record<string, unknown>>[],
  heading?: string,
): Promise<string> {
  const shown = records.slice(0, ROWS_MAX);
  const names = columnsOf(shown);
  const rows = shown.map((record) => names.map((name): Cell => formatCell(name, record[name])));
  const title = heading === undefined ? "" : `${harmless(heading)}\n`;
  const rest = records.length - shown.length;
  return `${title}${await formatTable(names.map(words), rows)}${
    rest > 0 ? `and ${rest} more (--json shows all)\n` : ""
  }`;
}

/** Writes a report to standard output, as far as it is there. */
export async function showReport(job: Job): Promise<void> {
  if (job.report) write(await formatReport(job.kind, job.report));
}

/** Whether a value is a list of objects. */
export function isRecords(value: unknown): value is readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) &&
    value.every((item) => typeof item === "object" && item !== null && !Array.isArray(item));
}

function factsOf(name: string, value: unknown): (readonly [string, string])[] {
  if (isRecords(value)) return [];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.entries(value).map((
      [inner, item],
    ) => [`${words(name)}: ${words(inner)}`, formatScalar(inner, item)]);
  }
  return [[words(name), formatScalar(name, value)]];
}

function columnsOf(records: readonly Readonly<Record<string, unknown>>[]): string[] {
  const names = [...new Set(records.flatMap(Object.keys))];
  const rest = names.filter((name) => !FIRST.includes(name));
  return [...FIRST.filter((name) => names.includes(name)), ...rest].slice(0, COLUMNS_MAX);
}

function formatCell(name: string, value: unknown): Cell {
  const text = formatScalar(name, value);
  return name === "digest" ? shortDigest(text) : text;
}

function formatScalar(name: string, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "number" && /(?:^|_)(?:bytes|size)$/.test(name)) return formatBytes(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return /_at$/.test(name) ? formatTime(value) : value;
  if (Array.isArray(value)) return value.map((item) => formatScalar("", item)).join(", ");
  return typeof value === "number" ? String(value) : JSON.stringify(value) ?? "";
}

function words(name: string): string {
  return name.replaceAll("_", " ");
}
