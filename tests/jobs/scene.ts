/** Replicas that run jobs over one store, and a kind of jobs that goes on as far as a test lets it. */

import { PluginError } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { create as createFs } from "../../plugins/storage/fs/fs.ts";
import { create as createMemory } from "../../plugins/storage/memory/memory.ts";
import {
  type JobKind,
  type JobRecord,
  Jobs,
  type JobsSettings,
  optionsParser,
} from "../../server/jobs/mod.ts";
import { createLog } from "../../server/observe/log.ts";
import type { Task } from "../../server/registry/task.ts";

/** How long leases last in these tests. */
export const LIFETIME_MS = 4_000;

const DEADLINE_MS = 20_000;

/** What `read` answers as soon as `isGood` says so. */
export async function until<T>(read: () => Promise<T> | T, isGood: (value: T) => boolean): Promise<T> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  for (;;) {
    const value = await read();
    if (isGood(value)) return value;
    if (performance.now() > deadlineMs) throw new Error(`Waited in vain; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Counts to `steps`, with a line a step; each waits for `permit`. */
export class StepKind {
  readonly kind: JobKind;
  /** The steps that were done, in their order, by all runs. */
  readonly done: number[] = [];
  /** How many runs were at work at once, at most. */
  atOnceMax = 0;
  #atOnce = 0;
  #permitted = 0;
  #wake = Promise.withResolvers<void>();

  constructor(name = "gc") {
    const parser = optionsParser({
      steps: (value) => typeof value === "number" ? value : undefined,
      fail: (value) => typeof value === "string" ? value : undefined,
    });
    const kind: JobKind<{ steps?: number; fail?: string }> = {
      kind: name,
      parseOptions: parser,
      run: ({ steps = 1, fail }, task) => this.#count(steps, fail, task),
    };
    this.kind = kind as JobKind;
  }

  /** Lets so many further steps be done, in whatever run. */
  permit(steps: number): void {
    this.#permitted += steps;
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async #count(steps: number, fail: string | undefined, task: Task): Promise<object> {
    this.atOnceMax = Math.max(this.atOnceMax, ++this.#atOnce);
    try {
      const first = Number(task.cursor ?? 0);
      for (let step = first; step < steps; step++) {
        await this.#step(task.signal);
        this.done.push(step);
        void task.line({ step });
        task.report({
          phase: "count",
          done: step + 1,
          total: steps,
          unit: "steps",
          cursor: String(step + 1),
        });
      }
      if (fail !== undefined) throw new Error(fail);
      return { counted: steps };
    } finally {
      this.#atOnce--;
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => {});
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    try {
      signal.throwIfAborted();
      while (this.#permitted === 0) await Promise.race([this.#wake.promise, aborted.promise]);
      signal.throwIfAborted();
      this.#permitted--;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/** A store that can be cut off: every call fails then. */
export function breakable(storage: Storage): { readonly storage: Storage; readonly cut: () => void } {
  let isBroken = false;
  const proxy = new Proxy(storage, {
    get: (target, name) => {
      const method = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) =>
        isBroken
          ? Promise.reject(new PluginError("unavailable", "Cannot reach the store"))
          : Reflect.apply(method, target, args);
    },
  });
  return { storage: proxy, cut: () => void (isBroken = true) };
}

/** How a replica of a test differs from others. */
export interface ReplicaOptions extends Partial<JobsSettings> {
  readonly kinds: readonly JobKind[];
}

/** A replica over a store. */
export function startReplica(
  storage: Storage,
  replica: string,
  { kinds, ...settings }: ReplicaOptions,
): Jobs {
  const jobs = new Jobs({
    storage,
    kinds,
    replica,
    settings: () => ({ resume: true, keep: 500, leaseLifetimeMs: LIFETIME_MS, ...settings }),
    log: createLog("error"),
  });
  jobs.open();
  return jobs;
}

/** Runs a test over each kind of store; `connect` answers the store as another replica sees it. */
export function testOverStores(
  name: string,
  test: (connect: () => Promise<Storage>) => Promise<void>,
): void {
  Deno.test(`${name} (memory)`, async () => {
    const storage = await createMemory({});
    await test(() => Promise.resolve(storage));
  });
  Deno.test(`${name} (fs)`, async () => {
    const dir = await Deno.makeTempDir({ prefix: "sreg-test-" });
    try {
      await test(async () => await createFs({ root_dir: dir }));
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}

/** Starts a job that must start. */
export async function startJob(jobs: Jobs, options = {}, kind = "gc"): Promise<JobRecord> {
  const started = await jobs.start({ kind, options, startedBy: { id: "alice", username: "alice" } });
  if ("job" in started) return started.job;
  throw new Error(`The job did not start: ${JSON.stringify(started)}`);
}

/** The record of a job, once it is in a state. */
export async function untilState(jobs: Jobs, id: string, state: JobRecord["state"]): Promise<JobRecord> {
  const found = await until(() => jobs.get(id), (found) => found?.record.state === state);
  return found!.record;
}
