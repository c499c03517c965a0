import type { JsonObject } from "../../plugins/contract/identity.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { Progress } from "../registry/task.ts";
import {
  cancelKey,
  jobOf,
  linesPrefix,
  recordKey,
  RECORDS_PREFIX,
  reportKey,
  UNFINISHED_PREFIX,
  unfinishedKey,
} from "./keys.ts";
import { deleteValue, getValue, listKeys, putMark, putValue } from "./values.ts";

/**
 * What a job does, or how it ended. An interrupted one goes on by itself where `[jobs] resume` says so; so can, when it is
 * asked to, a cancelled one.
 */
export type JobState = "running" | "done" | "failed" | "cancelled" | "interrupted";

/** Who asked for a job. Both are `null` for the anonymous. */
export interface Starter {
  readonly id: string | null;
  readonly username: string | null;
}

/** What is known of a job. */
export interface JobRecord {
  readonly id: string;
  readonly kind: string;
  /** As they were given. */
  readonly options: JsonObject;
  readonly state: JobState;
  /** Who asked for it; `null`: the schedule. */
  readonly startedBy: Starter | null;
  readonly startedAtMs: number;
  /** When it ended, however it ended. */
  readonly endedAtMs?: number;
  /** The replica that runs it, or ran it last. */
  readonly replica: string;
  readonly progress?: Omit<Progress, "cursor">;
  /** How many lines it has. */
  readonly lines: number;
  /** Where another run would go on: the cursor that the work told last, and how many lines it had then. */
  readonly checkpoint: Checkpoint;
  /** How often it went on by itself since the checkpoint moved. */
  readonly stuck: number;
  /** Why it failed or was interrupted. */
  readonly error?: string;
}

/** Where a run can go on. */
export interface Checkpoint {
  readonly cursor?: string;
  readonly lines: number;
}

/** A record, and the etag to change it by. */
export interface StoredRecord {
  readonly record: JobRecord;
  readonly etag: string;
}

/** The records of jobs in the store. */
export class Records {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The record of a job. One that cannot be read counts as none. */
  async get(job: string): Promise<StoredRecord | undefined> {
    const found = await getValue<JobRecord>(this.#storage, recordKey(job));
    return found?.value && { record: found.value, etag: found.etag };
  }

  /** Writes a new record, or with `etag` over the one that has it. Answers `undefined` where that has changed. */
  async put(record: JobRecord, etag?: string): Promise<StoredRecord | undefined> {
    const condition = etag === undefined ? { ifAbsent: true as const } : { ifMatch: etag };
    const written = await putValue(this.#storage, recordKey(record.id), { value: record, ...condition });
    return written === undefined ? undefined : { record, etag: written };
  }

  /** The newest `limit` records, or those that are older than `last`; and whether more follow. */
  async list(
    { limit, last }: { readonly limit: number; readonly last?: string },
  ): Promise<{ readonly entries: readonly JobRecord[]; readonly more: boolean }> {
    const jobs = (await listKeys(this.#storage, RECORDS_PREFIX)).map(jobOf).toReversed();
    const older = last === undefined ? jobs : jobs.filter((job) => job < last);
    const found = await Promise.all(older.slice(0, limit).map((job) => this.get(job)));
    return {
      entries: found.flatMap((stored) => stored ? [stored.record] : []),
      more: older.length > limit,
    };
  }

  /** The report of a job that is done. */
  async report(job: string): Promise<JsonObject | undefined> {
    return (await getValue<JsonObject>(this.#storage, reportKey(job)))?.value;
  }

  async putReport(job: string, report: JsonObject): Promise<void> {
    await putValue(this.#storage, reportKey(job), { value: report });
  }

  /** The jobs that run, or are to go on. */
  async unfinished(): Promise<string[]> {
    return (await listKeys(this.#storage, UNFINISHED_PREFIX)).map(jobOf);
  }

  async isUnfinished(job: string): Promise<boolean> {
    return await this.#storage.stat(unfinishedKey(job)) !== undefined;
  }

  async markUnfinished(job: string): Promise<void> {
    await putMark(this.#storage, unfinishedKey(job));
  }

  /** Ends a job's marks: it does not go on by itself. */
  async unmark(job: string): Promise<void> {
    await deleteValue(this.#storage, unfinishedKey(job));
    await this.unmarkCancelled(job);
  }

  async isCancelled(job: string): Promise<boolean> {
    return await this.#storage.stat(cancelKey(job)) !== undefined;
  }

  async markCancelled(job: string): Promise<void> {
    await putMark(this.#storage, cancelKey(job));
  }

  async unmarkCancelled(job: string): Promise<void> {
    await deleteValue(this.#storage, cancelKey(job));
  }

  /** Removes the oldest jobs that are over, so that at most `keep` stay. */
  async trim(keep: number): Promise<void> {
    const keys = await listKeys(this.#storage, RECORDS_PREFIX);
    if (keys.length <= keep) return;
    const unfinished = new Set(await this.unfinished());
    const old = keys.map(jobOf).slice(0, keys.length - keep).filter((job) => !unfinished.has(job));
    for (const job of old) await this.#remove(job);
  }

  /** The record goes last: what a crash leaves is found by it again. */
  async #remove(job: string): Promise<void> {
    for (const key of await listKeys(this.#storage, linesPrefix(job))) await deleteValue(this.#storage, key);
    await deleteValue(this.#storage, reportKey(job));
    await deleteValue(this.#storage, cancelKey(job));
    await deleteValue(this.#storage, recordKey(job));
  }
}
