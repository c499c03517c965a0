import { type ConfigOverrides, readConfig, resolveConfigFiles } from "./config/mod.ts";
import { createLog } from "./observe/log.ts";
import type { Finding, ScrubReport } from "./registry/scrub/findings.ts";
import type { Progress, Task } from "./registry/task.ts";
import { parseRate, runScrub } from "./scrub_job.ts";
import { startStores } from "./stores.ts";

/** The flags of `sreg scrub`. */
export interface ScrubFlags extends Pick<ConfigOverrides, "dataDir"> {
  readonly dryRun?: true | undefined;
  readonly repair?: true | undefined;
  readonly rehash?: true | undefined;
  readonly rate?: string | undefined;
  readonly json?: true | undefined;
}

/** How often a terminal is told how far it is. */
const PROGRESS_MS = 250;

/**
 * Scrubs the store of a configuration without a server; one may run meanwhile. Writes each finding as it comes, then what there
 * was in all. Answers the exit code: 1 where damage stays, 2 where it was asked for wrongly.
 */
export async function scrubCommand(paths: readonly string[] | undefined, flags: ScrubFlags): Promise<number> {
  const { dryRun: dry_run = false, repair = false, rehash = false, json = false } = flags;
  const rate = flags.rate === undefined ? undefined : parseRate(flags.rate);
  if (flags.rate !== undefined && rate === undefined) {
    writeTo(Deno.stderr, "sreg: --rate: expected bytes a second such as 50MB/s\n");
    return 2;
  }
  if (Deno.build.os !== "windows") Deno.umask(0o077);
  const { dataDir } = flags;
  const source = {
    files: await resolveConfigFiles(Deno.cwd(), paths),
    overrides: dataDir === undefined ? {} : { dataDir },
  };
  const { config } = await readConfig(source);
  const stores = await startStores(config, createLog("warn"));
  try {
    const order = { dry_run, repair, rehash, ...(rate !== undefined && { rate }) };
    const task = terminalTask((finding) =>
      write(json ? `${JSON.stringify(finding)}\n` : formatFinding(finding))
    );
    const report = await runScrub(stores.storage, { order, config, task });
    clearProgress();
    write(json ? `${JSON.stringify(report)}\n` : formatReport(report));
    return report.remaining > 0 ? 1 : 0;
  } finally {
    await stores.close();
  }
}

/** A task that ends at Ctrl-C, writes its lines at once and shows how far it is where a person looks. */
function terminalTask(line: (finding: Finding) => void): Task {
  const stop = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const signal of signals) {
    Deno.addSignalListener(signal, () => {
      if (stop.signal.aborted) Deno.exit(130);
      stop.abort(new Error("Stopped: what was mended stays mended"));
    });
  }
  return {
    signal: stop.signal,
    cursor: undefined,
    report: showProgress(),
    line: (value) => {
      clearProgress();
      line(value as Finding);
      return Promise.resolve();
    },
  };
}

function showProgress(): (progress: Progress) => void {
  let shownAtMs = 0;
  return ({ phase, done, total, unit, bytes }) => {
    if (!Deno.stderr.isTerminal() || performance.now() - shownAtMs < PROGRESS_MS) return;
    shownAtMs = performance.now();
    const read = bytes ? `, ${(bytes / 1e6).toFixed(0)} MB read` : "";
    writeTo(Deno.stderr, `\r\x1b[K${phase}: ${done}${total === undefined ? "" : `/${total}`} ${unit}${read}`);
  };
}

function clearProgress(): void {
  if (Deno.stderr.isTerminal()) writeTo(Deno.stderr, "\r\x1b[K");
}

function formatFinding({ severity, kind, key, detail, repaired, quarantined }: Finding): string {
  const end = quarantined ? `moved to ${quarantined}` : repaired;
  return printable(
    `${severity.padEnd(8)}  ${kind.padEnd(KIND_WIDTH)}  ${key}: ${detail}${end ? ` (${end})` : ""}`,
  );
}

const KIND_WIDTH = "missing-catalog-entry".length;

/** What there was in all, as a table of two columns. */
function formatReport({ findings, checked, ...counts }: ScrubReport): string {
  const { repaired, quarantined, remaining } = counts;
  const looked = Object.entries(checked).map(([name, count]) => [name.replaceAll("_", " "), count] as const);
  const rows = [
    ...looked,
    ...Object.entries(findings).toSorted(),
    ["repaired", repaired] as const,
    [
      "quarantined",
      quarantined,
    ] as const,
  ];
  const table = rows.map(([name, count]) => `${name.padEnd(KIND_WIDTH)}  ${String(count).padStart(12)}\n`)
    .join("");
  return `${table}${remaining > 0 ? "Damage stays\n" : "No damage stays\n"}`;
}

/** A line that moves no cursor and turns no writing, whatever manifests say. */
function printable(line: string): string {
  const escaped = line.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
  return `${escaped}\n`;
}

function write(text: string): void {
  writeTo(Deno.stdout, text);
}

function writeTo(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
}
