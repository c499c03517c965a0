import type { Storage } from "../plugins/contract/storage.ts";
import { ACCESS_PREFIX } from "./access/keys.ts";
import type { Config } from "./config/mod.ts";
import { parseSize } from "./config/units.ts";
import { JOBS_PREFIX } from "./jobs/keys.ts";
import { flagOption, type JobKind, type OptionReader, optionsParser } from "./jobs/mod.ts";
import { AUDIT_PREFIX } from "./observe/keys.ts";
import type { ScrubReport } from "./registry/scrub/findings.ts";
import { scrub } from "./registry/scrub/scrub.ts";
import type { Task } from "./registry/task.ts";

/** What is asked of a scrub. */
export interface ScrubOrder {
  /** Changes nothing, whatever else is asked. */
  readonly dry_run?: boolean;
  readonly repair?: boolean;
  readonly rehash?: boolean;
  /** Bytes a second. */
  readonly rate?: number;
}

/** The bytes a second that a text such as `50MB/s` or `50MiB` names, or `undefined`. */
export function parseRate(text: string): number | undefined {
  return parseSize(text.replace(/\/s$/, "")) || undefined;
}

/** Scrubs the store as the configuration says it is kept. */
export function runScrub(
  storage: Storage,
  { order, config, task }: { readonly order: ScrubOrder; readonly config: Config; readonly task: Task },
): Promise<ScrubReport> {
  const { dry_run = false, repair = false, rehash = false, rate } = order;
  const options = {
    graceMs: config.garbage.graceMs,
    uploadIdleMs: config.uploads.idleTimeoutMs,
    repair: repair && !dry_run,
    rehash,
    ...(rate !== undefined && { bytesPerSecond: rate }),
  };
  return scrub(storage, { options, task, others: [ACCESS_PREFIX, AUDIT_PREFIX, JOBS_PREFIX] });
}

/** Reads bytes a second: a number, or a text with a unit. */
const rateOption: OptionReader<number> = (value) => {
  if (typeof value === "string") return parseRate(value);
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
};

/** The kind of jobs that scrub. */
export function scrubJob(
  { storage, config }: { readonly storage: Storage; readonly config: () => Config },
): JobKind<ScrubOrder> {
  return {
    kind: "scrub",
    parseOptions: optionsParser({
      dry_run: flagOption,
      repair: flagOption,
      rehash: flagOption,
      rate: rateOption,
    }),
    run: (order, task) => runScrub(storage, { order, config: config(), task }),
  };
}
