import type { Storage } from "../../../plugins/contract/storage.ts";
import type { Task } from "../task.ts";
import { scrubBlobs } from "./blobs.ts";
import { scrubEntries } from "./entries.ts";
import type { ScrubReport } from "./findings.ts";
import { scrubRepositories } from "./repositories.ts";
import { type ScrubOptions, type ScrubPosition, ScrubRun } from "./scrub_run.ts";

/**
 * The full walk of the store, which derives everything anew and tells where that differs from what is there. Each finding is
 * a line of the task. It runs beside pushes, pulls, deletions and collection, in this process and in others:
 *
 * - Nothing that is younger than the grace time is judged, nor what a note says that somebody is at work on.
 * - What looks wrong is looked at again, in an order in which whoever was at work between two looks is seen by the second.
 * - A repair writes only what follows from what is there: no manifest is brought back, no repository gets a blob. All else
 *   is moved to quarantine, on the condition that it is still what was read, or is put back where it came to be needed.
 * - An error of the store ends the work: it is never taken for absence.
 *
 * Its memory does not grow with the store: keys are walked in pages, blobs and links side by side, and what manifests refer to is
 * kept in a filter of fixed size.
 */
export async function scrub(
  storage: Storage,
  { options, task, others }: {
    readonly options: ScrubOptions;
    readonly task: Task;
    /** The beginnings of keys that others keep in the store. */
    readonly others: readonly string[];
  },
): Promise<ScrubReport> {
  const position = task.cursor === undefined ? undefined : JSON.parse(task.cursor) as ScrubPosition;
  const { shared = false } = await storage.features?.() ?? {};
  const run = new ScrubRun(storage, { options, task, position, shared });
  const { phase = "entries", after } = position ?? {};
  if (phase === "entries") await scrubEntries(run, { after, others });
  await scrubRepositories(run, phase === "entries" ? undefined : phase === "blobs" ? "all" : after);
  await scrubBlobs(run, phase === "blobs" ? after : undefined);
  return run.report;
}
