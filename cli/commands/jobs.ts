import { askList, openClient } from "../client.ts";
import { formatTime, showDone, showTable } from "../format.ts";
import type { GlobalFlags } from "../frame.ts";
import { askJob, JOB, jobPath } from "../job.ts";
import { formatJob, formatKind, showReport } from "../job_report.ts";
import { write, writeJson } from "../output.ts";
import { anything } from "../shape.ts";
import type { Cell } from "../table.ts";

/** Lists jobs, newest first. */
export async function listJobs(flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const jobs = await askList(client, { name: "jobs", item: JOB, path: "/admin/v1/jobs" });
  return await showTable({ jobs }, {
    json: flags.json,
    headings: ["job", "kind", "state", "started", "by"],
    rows: jobs.map(({ id, kind, options, state, started_at, started_by }) => [
      id,
      formatKind({ kind, options }),
      stateCell(state),
      formatTime(started_at),
      started_by?.username ?? started_by?.id ?? "the schedule",
    ]),
    none: "No job has run",
  });
}

/** Shows a job with its report. */
export async function showJob(id: string, flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const job = await askJob(client, id);
  if (flags.json) {
    writeJson(job);
    return 0;
  }
  write(formatJob(job));
  if (job.report) write("\n");
  await showReport(job);
  return 0;
}

/** Asks a job to stop. */
export async function cancelJob(id: string, flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  await client.ask({ method: "POST", path: jobPath(id, "cancel"), shape: anything });
  return showDone({ job: id }, { json: flags.json, text: `The job ${id} is asked to stop` });
}

function stateCell(state: string): Cell {
  if (state === "done") return { text: state, tone: "good" };
  return state === "failed" ? { text: state, tone: "bad" } : state;
}
