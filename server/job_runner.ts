import { hostname } from "node:os";
import type { Config } from "./config/mod.ts";
import { type JobKind, Jobs, Schedule } from "./jobs/mod.ts";
import type { JobKindParts } from "./job_kinds.ts";
import type { Log } from "./observe/log.ts";

/** The jobs of a server, and their schedule. */
export interface StartedJobs {
  readonly jobs: Jobs;
  /** Goes by the configuration that is in force, from the first call on; to be called again when it has changed. */
  follow(): void;
  /** Interrupts what runs. */
  close(): Promise<void>;
}

/** Makes the jobs of a server. Nothing runs by itself before they follow the configuration. */
export function createJobs(
  kinds: readonly JobKind[],
  { storage, config, log }: Pick<JobKindParts, "storage" | "config"> & { readonly log: Log },
): StartedJobs {
  const jobs = new Jobs({
    storage,
    kinds,
    replica: `${hostname()}-${crypto.randomUUID().slice(0, 8)}`,
    settings: () => config().jobs,
    log,
  });
  const schedule = new Schedule((kind, timeMs) => jobs.due(kind, timeMs));
  return {
    jobs,
    follow() {
      schedule.replace(scheduleOf(config(), kinds));
      jobs.open();
    },
    async close() {
      schedule.close();
      await jobs.close();
    },
  };
}

function scheduleOf({ schedule: { timezone, ...patterns } }: Config, kinds: readonly JobKind[]) {
  const known = Object.entries(patterns).filter(([kind, pattern]) =>
    pattern !== "off" && kinds.some((candidate) => candidate.kind === kind)
  );
  return { patterns: Object.fromEntries(known), timezone };
}
