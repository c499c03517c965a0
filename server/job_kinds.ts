import type { Storage } from "../plugins/contract/storage.ts";
import type { Config } from "./config/mod.ts";
import { flagOption, type JobKind, type OptionReader, optionsParser } from "./jobs/mod.ts";
import { isRepositoryName, type RepositoryName } from "./oci/name.ts";
import type { Registry } from "./registry/registry.ts";
import { runRetention } from "./registry/retention.ts";
import { scrubJob } from "./scrub_job.ts";
import type { TermsOf } from "./retention_terms.ts";

/** What the kinds of jobs work with. */
export interface JobKindParts {
  readonly registry: Registry;
  readonly storage: Storage;
  /** The configuration in force now. */
  readonly config: () => Config;
  /** What retention goes by now. */
  readonly retentionTerms: () => TermsOf;
}

/** The kinds of jobs that there are. */
export function jobKinds(parts: JobKindParts): readonly JobKind[] {
  return [garbageJob(parts), retentionJob(parts), scrubJob(parts)];
}

function garbageJob({ registry, config }: JobKindParts): JobKind<{ readonly dry_run?: boolean }> {
  return {
    kind: "gc",
    parseOptions: optionsParser({ dry_run: flagOption }),
    run: ({ dry_run: dryRun = false }, task) =>
      registry.garbage.collect({ graceMs: config().garbage.graceMs, dryRun }, task),
  };
}

interface RetentionOptions {
  readonly dry_run?: boolean;
  readonly repository?: RepositoryName;
}

function retentionJob({ registry, retentionTerms }: JobKindParts): JobKind<RetentionOptions> {
  return {
    kind: "retention",
    parseOptions: optionsParser({ dry_run: flagOption, repository: nameOption }),
    run({ dry_run: dryRun = false, repository }, task) {
      // A configuration that is taken over meanwhile holds from the next repository on.
      const termsOf: TermsOf = (name) => retentionTerms()(name);
      return runRetention(registry, { termsOf, dryRun, repository }, task);
    },
  };
}

const nameOption: OptionReader<RepositoryName> = (value) =>
  typeof value === "string" && isRepositoryName(value) ? value : undefined;
