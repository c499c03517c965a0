import type { Answer } from "../crash/connection.ts";
import { LostAnswer } from "../crash/connection.ts";
import { text } from "../crash/uploads.ts";
import type { GarbageReport } from "../../server/registry/garbage.ts";
import type { Witness } from "./witness.ts";

type Collecting = Pick<Witness, "cluster" | "model" | "tally">;

interface Job {
  readonly state: string;
  readonly error?: string;
  readonly report?: GarbageReport;
}

const JOBS = "/admin/v1/jobs";
const POLL_MS = 10;
const COUNTED = ["needed", "condemned", "unlinked", "blobs"] as const;

/** Starts one collection after the other until it is told to stop. */
export async function collectOn(collecting: Collecting, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await collect(collecting);
    } catch (error) {
      if (!(error instanceof LostAnswer)) throw error;
    }
  }
}

/** Collects once, unless another collection runs. Answers what it reports, if it did. */
export async function collect(collecting: Collecting): Promise<GarbageReport | undefined> {
  const { cluster, model, tally } = collecting;
  const body = JSON.stringify({ kind: "gc" });
  const started = await cluster.send("POST", JOBS, {
    body,
    headers: { "content-type": "application/json" },
  });
  if (started.status !== 202) {
    if (started.status !== 409) model.complain(`POST ${JOBS} was answered with ${text(started)}`);
    await pause();
    return undefined;
  }
  const { job: id } = parse(started) as { job: string };
  const { state, report, error } = await waitFor(collecting, id);
  if (state === "failed") model.complain(`A collection failed: ${error}`);
  if (!report) return undefined;
  if (report.unreadable.length > 0) model.complain(`Collection could not read ${report.unreadable}`);
  tally.add("collections");
  for (const what of COUNTED) tally.add(`${what} (gc)`, report[what]);
  return report;
}

async function waitFor({ cluster, model }: Collecting, id: string): Promise<Job> {
  for (;;) {
    await pause();
    const answer = await cluster.send("GET", `${JOBS}/${id}`);
    if (answer.status !== 200) {
      model.complain(`GET ${JOBS}/${id} was answered with ${answer.status} ${text(answer)}`);
      return { state: "unknown" };
    }
    const job = parse(answer) as Job;
    if (job.state !== "running") return job;
  }
}

function parse({ bytes }: Answer): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
