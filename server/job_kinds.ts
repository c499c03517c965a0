import type { Storage } from "../plugins/contract/storage.ts";
import type { Config } from "./config/mod.ts";
import type { JobKind } from "./jobs/mod.ts";
import type { Registry } from "./registry/registry.ts";

/** What the kinds of jobs work with. */
export interface JobKindParts {
  readonly registry: Registry;
  readonly storage: Storage;
  /** The configuration in force now. */
  readonly config: () => Config;
}

/** The kinds of jobs that there are. */
export function jobKinds(_parts: JobKindParts): readonly JobKind[] {
  return [];
}
