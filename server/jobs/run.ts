import type { Storage } from "../../plugins/contract/storage.ts";
import type { Log } from "../observe/log.ts";
import type { Progress, Task } from "../registry/task.ts";
import type { Hold } from "./lease.ts";
import { LineWriter } from "./lines.ts";
import type { Checkpoint, JobRecord, JobState, Records, StoredRecord } from "./records.ts";
import { boundReport } from "./report.ts";

/** Why a job is to stop, and what it is then. */
export class JobStop extends Error {
  readonly state: JobState;

  constructor(state: "cancelled" | "interrupted", message: string) {
    super(message);
    this.name = "JobStop";
    this.state = state;
  }
}

/** What a run of a job needs. */
export interface RunOptions {
  readonly storage: Storage;
  readonly records: Records;
  readonly log: Log;
  /** The record, which says that the job runs. */
  readonly stored: StoredRecord;
  readonly hold: Hold;
  /** Does the work. */
  readonly work: (task: Task) => Promise<object>;
}

/** How often progress is written, and looked whether the job was cancelled. */
const TICK_MS = 1_000;

/** Longest error that a record has. */
const ERROR_LENGTH_MAX = 4_096;

/** One run of a job: it starts at once. */
export class Run {
  /** The job. */
  readonly id: string;
  /** Settled when the record says how it ended, or cannot be written. Never fails. */
  readonly ended: Promise<JobState | undefined>;
  readonly #options: RunOptions;
  readonly #stop = new AbortController();
  #stored: StoredRecord;
  #progress: Omit<Progress, "cursor"> | undefined;
  #checkpoint: Checkpoint;
  #dirty = false;
  #ticking: Promise<void> | undefined;

  constructor(options: RunOptions) {
    this.id = options.stored.record.id;
    this.#options = options;
    this.#stored = options.stored;
    this.#checkpoint = options.stored.record.checkpoint;
    this.#progress = options.stored.record.progress;
    this.ended = this.#run();
  }

  /** Asks the work to stop at the next good place. */
  stop(reason: JobStop): void {
    this.#stop.abort(reason);
  }

  async #run(): Promise<JobState | undefined> {
    const { hold, log } = this.#options;
    const loss = () => this.stop(new JobStop("interrupted", hold.lost.reason.message));
    hold.lost.addEventListener("abort", loss);
    if (hold.lost.aborted) loss();
    try {
      const end = await this.#work();
      await this.#end(end);
      return end.state;
    } catch (error) {
      log.warn("Cannot write down how a job ended; it counts as interrupted", {
        job: this.id,
        error: (error as Error).message,
      });
      return undefined;
    } finally {
      hold.lost.removeEventListener("abort", loss);
      await hold.release().catch(() => {});
    }
  }

  /** What came of the work. */
  async #work(): Promise<RunEnd> {
    const { storage, work } = this.#options;
    const lines = await LineWriter.open(storage, this.id, this.#checkpoint.lines);
    const timer = setInterval(() => this.#ticking ??= this.#tick(lines), TICK_MS);
    try {
      const report = await work(this.#task(lines));
      return { state: "done", lines, report };
    } catch (error) {
      return { lines, ...this.#describeEnd(error as Error) };
    } finally {
      clearInterval(timer);
      await this.#ticking;
    }
  }

  #task(lines: LineWriter): Task {
    const { cursor } = this.#checkpoint;
    return {
      signal: this.#stop.signal,
      cursor,
      report: ({ cursor, ...progress }) => {
        this.#progress = progress;
        if (cursor !== undefined) this.#checkpoint = { cursor, lines: lines.count };
        this.#dirty = true;
      },
      // Whoever does not wait must not find a rejection that nobody took.
      line: (value) => lines.add(value).catch((error: Error) => this.#failToWrite(error)),
    };
  }

  #describeEnd(error: Error): { readonly state: JobState; readonly error: string } {
    const { aborted, reason } = this.#stop.signal;
    if (aborted) return { state: (reason as JobStop).state, error: (reason as JobStop).message };
    return { state: "failed", error: error.message.slice(0, ERROR_LENGTH_MAX) };
  }

  #failToWrite(error: Error): void {
    this.stop(new JobStop("interrupted", `Cannot write what the job found: ${error.message}`));
  }

  async #tick(lines: LineWriter): Promise<void> {
    const { records, log } = this.#options;
    try {
      if (await records.isCancelled(this.id)) this.stop(new JobStop("cancelled", "It was cancelled"));
      if (this.#dirty && !this.#stop.signal.aborted) await this.#writeProgress(lines);
    } catch (error) {
      log.warn("Cannot write how far a job is; will try again", {
        job: this.id,
        error: (error as Error).message,
      });
    } finally {
      this.#ticking = undefined;
    }
  }

  /** The lines before the record that counts them. */
  async #writeProgress(lines: LineWriter): Promise<void> {
    this.#dirty = false;
    const reached = this.#reached(lines);
    await lines.flush();
    await this.#write(reached);
  }

  #reached(lines: LineWriter): Partial<JobRecord> {
    const { record } = this.#stored;
    const moved = this.#checkpoint.cursor !== record.checkpoint.cursor;
    return {
      ...(this.#progress && { progress: this.#progress }),
      checkpoint: this.#checkpoint,
      lines: lines.count,
      stuck: moved ? 0 : record.stuck,
    };
  }

  async #end({ state, lines, report, error }: RunEnd): Promise<void> {
    const { records } = this.#options;
    await lines.flush();
    if (report) await records.putReport(this.id, boundReport(report));
    await this.#write({
      ...this.#reached(lines),
      state,
      endedAtMs: Date.now(),
      ...(error !== undefined && { error }),
    });
    // An interrupted one keeps its mark: by that it is found, and goes on.
    if (state !== "interrupted") await records.unmark(this.id);
  }

  /** Changes the record. Another replica that has changed it has taken the job over. */
  async #write(change: Partial<JobRecord>): Promise<void> {
    const { record, etag } = this.#stored;
    const stored = await this.#options.records.put({ ...record, ...change }, etag);
    if (stored) this.#stored = stored;
    else await this.#rewrite(change);
  }

  /** A write whose answer was lost may have happened all the same. */
  async #rewrite(change: Partial<JobRecord>): Promise<void> {
    const found = await this.#options.records.get(this.id);
    const { record } = this.#stored;
    const isOwn = found?.record.state === "running" && found.record.replica === record.replica;
    const stored = isOwn && await this.#options.records.put({ ...record, ...change }, found.etag);
    if (!stored) {
      const stop = new JobStop("interrupted", "Another replica has taken the job over");
      this.stop(stop);
      throw stop;
    }
    this.#stored = stored;
  }
}

interface RunEnd {
  readonly state: JobState;
  readonly lines: LineWriter;
  readonly report?: object;
  readonly error?: string;
}
