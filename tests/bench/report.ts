/**
 * The outcomes as tables and as JSON.
 *
 * @module
 */

import type { Outcome, Result } from "./contest.ts";
import type { Summary } from "./measure.ts";

type Cell = string;

/** One server's figures as a Markdown table; a row of them per outcome. */
export function formatFigures(outcomes: readonly Outcome[], contender: number): string {
  return formatTable(
    ["row", "connections", "requests/s", "p50 ms", "p90 ms", "p99 ms", "MB/s", "CPU s", "peak RSS MiB"],
    outcomes.map(({ row, results }) => [
      row.workload,
      String(row.connections),
      ...figures(results[contender]!, [
        ({ requestsPerSecond }) => format(requestsPerSecond),
        ({ p50Ms }) => format(p50Ms),
        ({ p90Ms }) => format(p90Ms),
        ({ p99Ms }) => format(p99Ms),
        ({ megabytesPerSecond }) => format(megabytesPerSecond),
        ({ cpuSeconds }) => format(cpuSeconds),
        ({ rssPeakMib }) => format(rssPeakMib),
      ]),
    ]),
  );
}

/** Two servers side by side as a Markdown table. A ratio above 1 says that the first is faster. */
export function formatComparison(outcomes: readonly Outcome[], names: readonly [string, string]): string {
  const [first, second] = names;
  const both = (result: Result) =>
    figures(result, [
      ({ requestsPerSecond }) => format(requestsPerSecond),
      ({ p99Ms }) => format(p99Ms),
      ({ cpuSeconds, requests }) =>
        format(cpuSeconds === undefined ? undefined : cpuSeconds * 1000 / requests),
      ({ rssPeakMib }) => format(rssPeakMib),
    ]);
  return formatTable(
    [
      "row",
      "connections",
      "ratio",
      ...[first, second].flatMap((name) => [`${name} /s`, "p99 ms", "CPU ms each", "RSS MiB"]),
    ],
    outcomes.map(({ row, ratio, results }) => [
      row.workload,
      String(row.connections),
      ratio === undefined ? "" : ratio.toFixed(2),
      ...results.flatMap(both),
    ]),
  );
}

/** Everything, for programs. */
export function formatJson(outcomes: readonly Outcome[], names: readonly string[]): string {
  const machine = {
    cpus: navigator.hardwareConcurrency,
    system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
    deno: Deno.version.deno,
  };
  const rows = outcomes.map(({ scene, row, results, ratio }) => ({
    scene,
    workload: row.workload,
    connections: row.connections,
    ...(ratio !== undefined && { ratio }),
    results: Object.fromEntries(results.map((result, index) => [names[index], result])),
  }));
  return JSON.stringify({ machine, servers: names, rows }, null, 2) + "\n";
}

function figures(result: Result, cells: readonly ((summary: Summary) => Cell)[]): Cell[] {
  if ("requests" in result) return cells.map((cell) => cell(result));
  const word = "error" in result ? "FAILED" : "not supported";
  return cells.map((_, index) => index === 0 ? word : "");
}

function format(number: number | undefined): Cell {
  if (number === undefined) return "";
  if (number >= 100) return Math.round(number).toLocaleString("en");
  return number === 0 ? "0" : number.toPrecision(number >= 10 ? 3 : 2);
}

function formatTable(head: readonly Cell[], body: readonly (readonly Cell[])[]): string {
  const widths = head.map((cell, column) => Math.max(cell.length, ...body.map((row) => row[column]!.length)));
  const line = (row: readonly Cell[]) =>
    `| ${row.map((cell, column) => pad(cell, { column, width: widths[column]! })).join(" | ")} |`;
  const rule = widths.map((width, column) => "-".repeat(width - (column ? 1 : 0)) + (column ? ":" : ""));
  return [line(head), `| ${rule.join(" | ")} |`, ...body.map(line)].join("\n");
}

function pad(cell: Cell, { column, width }: { readonly column: number; readonly width: number }): Cell {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}
