import { AsyncLocalStorage } from "node:async_hooks";
import type { JsonObject } from "../../plugins/contract/identity.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { Log } from "../observe/log.ts";
import type { Task } from "../registry/task.ts";
import { DueTimes } from "./due_times.ts";
import { isJobId, newJobId } from "./keys.ts";
import type { JobKind } from "./kind.ts";
import { type Hold, Lease } from "./lease.ts";
import { type LinesPage, readLines } from "./lines.ts";
import { Lookout } from "./lookout.ts";
import { type JobRecord, Records, type Starter, type StoredRecord } from "./records.ts";
import { recoverJobs } from "./recovery.ts";
import { JobStop, Run } from "./run.ts";

/** What of jobs the configuration decides. */
export interface JobsSettings {
  /** Whether an interrupted job goes on by itself. */
  readonly resume: boolean;
  /** How many jobs are remembered. */
  readonly keep: number;
  /** How long a replica that is silent keeps others from running jobs, in milliseconds. */
  readonly leaseLifetimeMs: number;
}

/** What jobs are made of. */
export interface JobsOptions {
  readonly storage: Storage;
  readonly kinds: readonly JobKind[];
  /** What this process is called. No other process has the same name, be it the next on this machine. */
  readonly replica: string;
  readonly settings: () => JobsSettings;
  readonly log: Log;
}

/** A job to be started. */
export interface JobOrder {
  readonly kind: string;
  readonly options: JsonObject;
  /** `null`: the schedule. */
  readonly startedBy: Starter | null;
}

/** What became of an order. */
export type Started =
  | { readonly job: JobRecord }
  /** Another job runs, or has just begun; `running` is its id where that is known. */
  | { readonly busy: true; readonly running?: string }
  | { readonly problem: string }
  | { readonly unknown: true };

type Work = (task: Task) => Promise<object>;

/**
 * The jobs of a registry, as one replica sees them. At most one runs at a time over all replicas that share the store. Every
 * replica looks now and then for a job that its replica left unfinished, and goes on with it.
 */
export class Jobs {
  readonly #options: JobsOptions;
  readonly #records: Records;
  readonly #lease: Lease;
  readonly #due: DueTimes;
  readonly #lookout: Lookout;
  /** A job belongs to no request, be it that one started it. */
  readonly #outsideRequests = AsyncLocalStorage.snapshot();
  #run: Run | undefined;
  #closed = false;

  constructor(options: JobsOptions) {
    const { storage, replica, settings, log } = options;
    this.#options = options;
    this.#records = new Records(storage);
    this.#lease = new Lease(storage, { replica, lifetimeMs: () => settings().leaseLifetimeMs });
    this.#due = new DueTimes(storage);
    this.#lookout = new Lookout({
      look: () => this.#look(),
      intervalMs: () => settings().leaseLifetimeMs / 3,
      onError: (error) => log.warn("Cannot look for jobs; will try again", { error: error.message }),
    });
  }

  /** Looks from now on for what is to be done, at once to begin with. */
  open(): void {
    this.#lookout.ask();
  }

  /** Starts a job, where none runs. */
  async start(order: JobOrder): Promise<Started> {
    const prepared = this.#prepare(order.kind, order.options);
    if ("problem" in prepared) return prepared;
    const id = newJobId();
    return await this.#whenFree(id, (hold) => this.#begin(hold, { id, order, work: prepared.work }));
  }

  /** Goes on with an interrupted or cancelled job. */
  async resume(id: string): Promise<Started> {
    const stored = await this.#get(id);
    if (!stored) return { unknown: true };
    const { state } = stored.record;
    if (state === "running") return { busy: true, running: id };
    if (!canGoOn(stored.record)) return { problem: `the job is ${state}` };
    return await this.#whenFree(id, async (hold) => {
      await this.#records.unmarkCancelled(id);
      return await this.#goOn(hold, { id, stuck: 0 });
    });
  }

  /** Asks a job that runs, or is to go on, to stop. `false`: it does neither; `undefined`: there is none. */
  async cancel(id: string): Promise<boolean | undefined> {
    if (!await this.#get(id)) return undefined;
    if (!await this.#records.isUnfinished(id)) return false;
    await this.#records.markCancelled(id);
    if (this.#run?.id === id) this.#run.stop(new JobStop("cancelled", "It was cancelled"));
    else this.#lookout.ask();
    return true;
  }

  /** A job, and its report where it is done. */
  async get(id: string): Promise<{ readonly record: JobRecord; readonly report?: JsonObject } | undefined> {
    const stored = await this.#get(id);
    if (!stored) return undefined;
    const { record } = stored;
    const report = record.state === "done" ? await this.#records.report(id) : undefined;
    return { record, ...(report && { report }) };
  }

  /** The newest `limit` jobs, or those before `last`, newest first; and whether more follow. */
  list(
    page: { readonly limit: number; readonly last?: string },
  ): Promise<{ readonly entries: readonly JobRecord[]; readonly more: boolean }> {
    return this.#records.list(page);
  }

  /** Lines of a job, `undefined` where there is no such job. */
  async lines(
    id: string,
    page: { readonly limit: number; readonly last?: number },
  ): Promise<LinesPage | undefined> {
    const stored = await this.#get(id);
    return stored && await readLines(this.#options.storage, id, { count: stored.record.lines, ...page });
  }

  /** The job that runs, on whatever replica. */
  async running(): Promise<string | undefined> {
    if (this.#run) return this.#run.id;
    const state = await this.#lease.look();
    return state.is === "held" ? state.job : undefined;
  }

  /** The time of the schedule has come for a kind: it is started once for this time over all replicas, as soon as no other job runs. */
  due(kind: string, timeMs: number): void {
    this.#due.add(kind, timeMs);
    this.#lookout.ask();
  }

  /** Interrupts the job that runs here, and waits for it to end, but not for ever. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#lookout.close();
    this.#run?.stop(new JobStop("interrupted", "The server stopped"));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise((resolve) => timer = setTimeout(resolve, CLOSE_PATIENCE_MS));
    await Promise.race([this.#run?.ended, patience]);
    clearTimeout(timer);
  }

  async #get(id: string): Promise<StoredRecord | undefined> {
    return isJobId(id) ? await this.#records.get(id) : undefined;
  }

  #prepare(kind: string, options: JsonObject): { readonly work: Work } | { readonly problem: string } {
    const { kinds } = this.#options;
    const found = kinds.find((candidate) => candidate.kind === kind);
    if (!found) {
      return { problem: `there is no such kind, only ${kinds.map(({ kind }) => kind).join(", ") || "none"}` };
    }
    const parsed = found.parseOptions(options);
    return "problem" in parsed ? parsed : { work: (task) => found.run(parsed.options, task) };
  }

  /** Does something under the lease. It is held for a moment, too, by whoever ends a job or looks for one: those are waited for. */
  async #whenFree(id: string, act: (hold: Hold) => Promise<Started>): Promise<Started> {
    for (let tries = 1;; tries++) {
      const started = await this.#underLease(id, act);
      if (!("busy" in started) || tries === TRIES_MAX || this.#closed) return started;
      const { running } = started;
      if (running !== undefined && (await this.#get(running))?.record.state === "running") return started;
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    }
  }

  /**
   * Does something while nobody else runs a job; `pending` is what is to go on by itself. The lease stays held where a job was
   * started.
   */
  async #underLease(
    id: string,
    act: (hold: Hold, pending: readonly JobRecord[]) => Promise<Started>,
  ): Promise<Started> {
    const hold = this.#closed || this.#run ? undefined : await this.#lease.acquire(id);
    if (!hold) {
      const running = await this.running();
      return { busy: true, ...(running !== undefined && { running }) };
    }
    let started: Started | undefined;
    try {
      const { settings, log } = this.#options;
      const pending = await recoverJobs(this.#records, { resume: settings().resume, log });
      return started = await act(hold, pending);
    } finally {
      if (!started || !("job" in started)) await hold.release();
    }
  }

  async #begin(
    hold: Hold,
    { id, order, work }: { readonly id: string; readonly order: JobOrder; readonly work: Work },
  ): Promise<Started> {
    const record: JobRecord = {
      id,
      ...order,
      state: "running",
      startedAtMs: Date.now(),
      replica: this.#options.replica,
      lines: 0,
      checkpoint: { lines: 0 },
      stuck: 0,
    };
    return await this.#launch(hold, { record, work });
  }

  /** Starts the next run of a job. The lease is held. */
  async #goOn(hold: Hold, { id, stuck }: { readonly id: string; readonly stuck: number }): Promise<Started> {
    const stored = await this.#records.get(id);
    if (!stored) return { unknown: true };
    const { endedAtMs: _, error: __, ...record } = stored.record;
    if (!canGoOn(record)) return { problem: `the job is ${record.state}` };
    const work = this.#prepare(record.kind, record.options);
    if ("problem" in work) return work;
    const { replica } = this.#options;
    return await this.#launch(hold, {
      record: { ...record, state: "running", replica, stuck, lines: record.checkpoint.lines },
      etag: stored.etag,
      work: work.work,
    });
  }

  async #launch(
    hold: Hold,
    { record, etag, work }: { readonly record: JobRecord; readonly etag?: string; readonly work: Work },
  ): Promise<Started> {
    const { storage, log } = this.#options;
    await this.#records.markUnfinished(record.id);
    const stored = await this.#records.put(record, etag);
    if (!stored) return { busy: true };
    log.info(etag === undefined ? "Started a job" : "Went on with a job", {
      job: record.id,
      kind: record.kind,
    });
    this.#outsideRequests(() => {
      const run = new Run({ storage, records: this.#records, log, stored, hold, work });
      this.#run = run;
      void run.ended.then((state) => this.#onEnd(run, state));
    });
    return { job: record };
  }

  async #onEnd(run: Run, state: string | undefined): Promise<void> {
    const { log, settings } = this.#options;
    if (this.#run === run) this.#run = undefined;
    if (state === undefined) return;
    log.info("A job ended", { job: run.id, state });
    if (this.#closed) return;
    await this.#records.trim(settings().keep).catch((error: Error) =>
      log.warn("Cannot forget old jobs; will try again", { error: error.message })
    );
    if (state !== "interrupted") this.#lookout.ask();
  }

  /** Looks for something to do. */
  async #look(): Promise<void> {
    if (this.#run || (await this.#lease.look()).is === "held") return;
    const [first] = await this.#records.unfinished();
    if (first !== undefined) await this.#goOnWithUnfinished(first);
    if (!this.#run) await this.#startDue();
  }

  async #goOnWithUnfinished(first: string): Promise<void> {
    await this.#underLease(first, async (hold, [next]) => {
      if (!next) return { unknown: true };
      const started = await this.#goOn(hold, { id: next.id, stuck: next.stuck + 1 });
      // Its kind or its options are no longer known: nobody can go on with it.
      if ("problem" in started) await this.#records.unmark(next.id);
      return started;
    });
  }

  async #startDue(): Promise<void> {
    const kind = await this.#due.next();
    if (kind === undefined) return;
    const order: JobOrder = { kind, options: {}, startedBy: null };
    const id = newJobId();
    await this.#underLease(id, async (hold) => {
      if (!await this.#due.serve(kind)) return { unknown: true };
      const prepared = this.#prepare(kind, order.options);
      return "problem" in prepared ? prepared : await this.#begin(hold, { id, order, work: prepared.work });
    });
  }
}

function canGoOn({ state }: Pick<JobRecord, "state">): boolean {
  return state === "interrupted" || state === "cancelled";
}

/** How often, and after how long, the lease is tried again that nobody holds for a job. */
const TRIES_MAX = 10;
const TRY_AGAIN_MS = 50;

/** How long a job may take to its next good place when the server stops. */
const CLOSE_PATIENCE_MS = 10_000;
