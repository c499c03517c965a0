/**
 * Every key that jobs keep in the registry's store, drawn here and built nowhere else.
 *
 * ```text
 * jobs/lease              who may run a job now; JSON, changed by condition only
 * jobs/records/<job>      what became of a job; JSON, changed by condition by whoever holds the lease
 * jobs/reports/<job>      its report; JSON
 * jobs/lines/<job>/<n>    the nth bunch of its lines; JSON lines
 * jobs/unfinished/<job>   the job runs, or is to go on; empty
 * jobs/cancels/<job>      the job is to stop; empty
 * jobs/ticks/<kind>       the last time of the schedule that was served; JSON
 * ```
 *
 * The id of a job begins with the time of its start, so the order of keys is the order of starts. A job has a mark in
 * `unfinished` before its record says that it runs, and until the record says how it ended: so what a crash left is found by
 * these marks, which are few, whatever became of the lease.
 *
 * @module
 */

/** All of them begin so. */
export const JOBS_PREFIX = "jobs/";

export const LEASE_KEY = "jobs/lease";
export const RECORDS_PREFIX = "jobs/records/";
export const UNFINISHED_PREFIX = "jobs/unfinished/";

/** `job` may be any text that a client pages from. */
export function recordKey(job: string): string {
  return RECORDS_PREFIX + job;
}

export function reportKey(job: string): string {
  return `jobs/reports/${job}`;
}

export function linesPrefix(job: string): string {
  return `jobs/lines/${job}/`;
}

export function linesKey(job: string, bunch: number): string {
  return `${linesPrefix(job)}${String(bunch).padStart(8, "0")}`;
}

export function unfinishedKey(job: string): string {
  return UNFINISHED_PREFIX + job;
}

export function cancelKey(job: string): string {
  return `jobs/cancels/${job}`;
}

export function tickKey(kind: string): string {
  return `jobs/ticks/${kind}`;
}

/** The job of a record or a mark. */
export function jobOf(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

const JOB_ID = /^[0-9]{8}t[0-9]{9}z-[0-9a-f]{8}$/;

/** The id of a job that starts now: `20260807t101530123z-0f3a9c1e`. */
export function newJobId(): string {
  const time = new Date().toISOString().toLowerCase().replaceAll(/[-:.]/g, "");
  return `${time}-${crypto.getRandomValues(new Uint8Array(4)).toHex()}`;
}

/** Whether a text can be the id of a job. */
export function isJobId(text: string): boolean {
  return JOB_ID.test(text);
}
