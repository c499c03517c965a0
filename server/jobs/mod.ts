/**
 * Jobs: long work that runs in the server, one at a time over all replicas, on demand and on a schedule.
 *
 * @module
 */

export { type JobOrder, Jobs, type JobsOptions, type JobsSettings, type Started } from "./jobs.ts";
export {
  flagOption,
  type JobKind,
  type OptionReader,
  optionsParser,
  type ParsedOptions,
  textOption,
} from "./kind.ts";
export type { JobRecord, JobState, Starter } from "./records.ts";
export { Schedule, type ScheduleSettings } from "./schedule.ts";
