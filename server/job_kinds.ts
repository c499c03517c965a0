import type { Storage } from "../plugins/contract/storage.ts";
import type { Config } from "./config/mod.ts";
import { flagOption, type JobKind, optionsParser } from "./jobs/mod.ts";
import type { Registry } from "./registry/registry.ts";

/** What the kinds of jobs work with. */
export interface JobKindParts {
  readonly registry: Registry;
  readonly storage: Storage;
  /** The configuration in force now. */
  readonly config: () => Config;
}

/** The kinds of jobs that there are. */
export function jobKinds(parts: JobKindParts): readonly JobKind[] {
  return [garbageJob(parts)];
}

function garbageJob({ registry, config }: JobKindParts): JobKind<{ readonly dry_run?: boolean }> {
  return {
    kind: "gc",
    parseOptions: optionsParser({ dry_run: flagOption }),
    run: ({ dry_run: dryRun = false }, task) =>
      registry.garbage.collect({ graceMs: config().garbage.graceMs, dryRun }, task),
  };
}
