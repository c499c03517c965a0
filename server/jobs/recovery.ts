import type { Log } from "../observe/log.ts";
import type { JobRecord, Records } from "./records.ts";

/** How often a job goes on by itself without getting any further: it may be what ends the server. */
const STUCK_MAX = 3;

/**
 * Settles what jobs have left that nobody runs; the lease is held. One whose record says that it runs was interrupted; one that
 * somebody cancelled meanwhile is cancelled. Answers those that are to go on by themselves.
 */
export async function recoverJobs(
  records: Records,
  { resume, log }: { readonly resume: boolean; readonly log: Log },
): Promise<JobRecord[]> {
  const pending: JobRecord[] = [];
  for (const job of await records.unfinished()) {
    const record = await settle(records, job, log);
    const goesOn = resume && record?.state === "interrupted";
    if (goesOn && record.stuck < STUCK_MAX) {
      pending.push(record);
      continue;
    }
    if (goesOn) log.warn("A job does not go on by itself any more: it got no further", { job });
    await records.unmark(job);
  }
  return pending;
}

async function settle(records: Records, job: string, log: Log): Promise<JobRecord | undefined> {
  const stored = await records.get(job);
  if (!stored) return undefined;
  const { record, etag } = stored;
  if (record.state !== "running" && record.state !== "interrupted") return record;
  const ended = { ...record, endedAtMs: record.endedAtMs ?? Date.now() };
  if (await records.isCancelled(job)) {
    return (await records.put({ ...ended, state: "cancelled" }, etag))?.record;
  }
  if (record.state === "interrupted") return record;
  log.warn("A job was interrupted: the replica that ran it is gone", { job, replica: record.replica });
  const error = "The replica that ran it is gone";
  return (await records.put({ ...ended, state: "interrupted", error }, etag))?.record;
}
