import { askList, type Client, openClient, Refusal } from "../client.ts";
import { requireConsent } from "../consent.ts";
import { showDone } from "../format.ts";
import type { DeleteFlags, GlobalFlags } from "../frame.ts";
import { type Job, jobPath } from "../job.ts";
import { formatEntries, showReport } from "../job_report.ts";
import { watchJob } from "../job_watch.ts";
import { Misuse } from "../misuse.ts";
import { harmless, paint, write, writeError, writeJson } from "../output.ts";
import { anything, object, type Shape, text } from "../shape.ts";

/** The flags of what starts a job. */
export interface OrderFlags extends DeleteFlags {
  readonly detach?: true | undefined;
  readonly repository?: string | undefined;
}

/** The flags of `sregctl scrub`. */
export interface ScrubFlags extends OrderFlags {
  readonly repair?: true | undefined;
  readonly rehash?: true | undefined;
  readonly rate?: string | undefined;
}

const ENTRIES_SHOWN = 1_000;
const JSON_ENTRIES_MAX = 100_000;

const STARTED = object({ job: text });

/** Collects garbage. */
export async function collectGarbage(flags: OrderFlags): Promise<number> {
  return await order("gc", { dry_run: flags.dryRun }, flags);
}

/** Deletes what no rule keeps. */
export async function runRetention(flags: OrderFlags): Promise<number> {
  const { dryRun: dry_run, repository } = flags;
  if (!dry_run) {
    await requireConsent(
      flags,
      `Delete the images that no rule keeps${repository ? ` in ${repository}` : ""}?`,
    );
  }
  return await order("retention", { dry_run, repository }, flags);
}

/** Shows what the rules keep, and why. */
export async function testRetention(flags: OrderFlags): Promise<number> {
  return await order("retention", { dry_run: true, repository: flags.repository }, flags);
}

/** Looks for damage. */
export async function scrub(flags: ScrubFlags): Promise<number> {
  const { dryRun: dry_run, repair, rehash } = flags;
  const rate = flags.rate === undefined ? undefined : parseRate(flags.rate);
  return await order("scrub", { dry_run, repair, rehash, rate }, flags);
}

/** Watches a job to its end. */
export async function follow(id: string, flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  return await finish(client, { id, flags });
}

/** Goes on with a job. */
export async function resume(id: string, flags: OrderFlags): Promise<number> {
  using client = await openClient(flags);
  await client.ask({ method: "POST", path: jobPath(id, "resume"), shape: anything });
  return flags.detach ? showStarted(id, flags) : await finish(client, { id, flags });
}

async function order(
  kind: string,
  options: Readonly<Record<string, unknown>>,
  flags: OrderFlags,
): Promise<number> {
  using client = await openClient(flags);
  const { job } = await client.ask({
    method: "POST",
    path: "/admin/v1/jobs",
    body: { kind, options },
    shape: STARTED,
  }).catch((error: Error) => {
    throw explainBusy(error, kind);
  });
  return flags.detach ? showStarted(job, flags) : await finish(client, { id: job, flags });
}

const BUSY: Shape<{ readonly errors: readonly { readonly detail: { readonly running: string } }[] }> = {
  problem: (value, at) =>
    object({
      errors: { problem: (errors) => Array.isArray(errors) ? RUNNING.problem(errors[0], at) : "none" },
    }).problem(value, at),
};
const RUNNING = object({ detail: object({ running: text }) });

/** Says how to see the job that is in the way. */
function explainBusy(error: Error, kind: string): Error {
  if (!(error instanceof Refusal) || error.status !== 409 || BUSY.problem(error.answer, "") !== undefined) {
    return error;
  }
  const { errors: [first] } = error.answer as { errors: readonly { detail: { running: string } }[] };
  const { running } = first!.detail;
  return new Error(
    `Cannot start ${kind}: another job is running; see it with: sregctl job follow ${running}`,
  );
}

function showStarted(id: string, { json }: GlobalFlags): number {
  return showDone({ job: id }, { json, text: `Started; follow it with: sregctl job follow ${id}` });
}

async function finish(
  client: Client,
  { id, flags }: { readonly id: string; readonly flags: GlobalFlags },
): Promise<number> {
  const job = await watchJob(client, id);
  if (!job) return 1;
  const entries = await askEntries(client, job, flags);
  if (flags.json) {
    writeJson({ ...job, ...(job.lines && { entries }) });
    return codeOf(job);
  }
  if (isOfNothing(job)) throw new Error(`There is no repository ${String(job.options?.["repository"])}`);
  await showReport(job);
  if (entries.length > 0) write(`\n${await formatEntries(job, entries)}`);
  return conclude(job);
}

/** What a job found, one entry after the other: all of it as JSON, else as much as anybody reads. */
async function askEntries(
  client: Client,
  { id, lines }: Job,
  { json }: GlobalFlags,
): Promise<readonly unknown[]> {
  if (!lines) return [];
  const limit = json ? JSON_ENTRIES_MAX : ENTRIES_SHOWN;
  const entries = await askList(client, { name: "lines", item: anything, path: jobPath(id, "lines"), limit });
  return entries.slice(0, limit);
}

function conclude(job: Job): number {
  const { kind, state, error } = job;
  if (state !== "done") {
    writeError(harmless(`The job ${job.id} (${kind}) is ${state}${error ? `: ${error}` : ""}`));
    if (state === "interrupted" || state === "cancelled") {
      writeError(harmless(`Go on with it: sregctl job resume ${job.id}`));
    }
    return 1;
  }
  const code = codeOf(job);
  if (kind === "scrub") write(`\n${sayDamage(job, code)}`);
  else if (job.options?.["dry_run"] === true) write("\nThis was a dry run: nothing was changed\n");
  return code;
}

function sayDamage({ options, report }: Job, code: number): string {
  const end = `${code === 0 ? paint("No damage stays", "good") : paint("Damage stays", "bad")}\n`;
  const found = [report?.["damage"], report?.["leftovers"]].some((number) =>
    number !== undefined && number !== 0
  );
  return found && options?.["repair"] !== true
    ? `${end}To mend what can be derived, and move the rest to quarantine: sregctl scrub --repair\n`
    : end;
}

/** Whether a job was to be about one repository, and found none. */
function isOfNothing({ options, state, report }: Job): boolean {
  return state === "done" && options?.["repository"] !== undefined && report?.["repositories"] === 0;
}

/** 1 where a job failed, in part too, or found damage that stays. */
function codeOf({ kind, state, report }: Job): number {
  if (state !== "done") return 1;
  const { failed, remaining } = report ?? {};
  if (Array.isArray(failed) && failed.length > 0) return 1;
  return kind === "scrub" && remaining !== 0 ? 1 : 0;
}

const RATE_UNITS: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

function parseRate(text: string): number {
  const [, amount, unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)\s*([kmg]?)(?:i?b)?(?:\/s)?$/i.exec(text) ?? [];
  if (amount === undefined || Number(amount) === 0) throw new Misuse("--rate: expected a size such as 50MiB");
  return Math.round(Number(amount) * RATE_UNITS[unit.toLowerCase()]!);
}
