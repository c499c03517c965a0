/**
 * Every clause of the storage contract as a test, for anyone's plugin.
 *
 * ```ts
 * import { storageSuite } from "@sreg/contract/storage_suite.ts";
 * import { create } from "./my_storage.ts";
 *
 * storageSuite({ name: "my storage", create: () => create({}) });
 * ```
 *
 * @module
 */

import type { Storage } from "./storage.ts";
import { CONDITIONS } from "./storage_clauses/conditions_suite.ts";
import { LISTS } from "./storage_clauses/lists_suite.ts";
import { MOVES } from "./storage_clauses/moves_suite.ts";
import { STREAMS } from "./storage_clauses/streams_suite.ts";
import { type StorageClause, type TrialOptions } from "./storage_clauses/trial_suite.ts";
import { VALUES } from "./storage_clauses/values_suite.ts";

export type { StorageClause, TrialOptions };

/** What is put to the test. */
export interface StorageSuite {
  /** Begins the name of each test. */
  readonly name: string;
  /** Opens a store without objects. Each test calls it once, and disposes of what it answered if it can be. */
  readonly create: () => SuiteStorage | Promise<SuiteStorage>;
  /** Size of the object that must pass in constant memory, in bytes; default 256 MiB. */
  readonly largeBytes?: number;
}

/** A store that may be disposable. */
export type SuiteStorage = Storage & Partial<AsyncDisposable>;

/** The clauses of the contract. */
export const STORAGE_CLAUSES: readonly StorageClause[] = [
  ...VALUES,
  ...CONDITIONS,
  ...STREAMS,
  ...MOVES,
  ...LISTS,
];

const LARGE_BYTES = 256 * 1024 * 1024;

/** Registers a test for every clause of the contract. */
export function storageSuite({ name, create, largeBytes = LARGE_BYTES }: StorageSuite): void {
  for (const clause of STORAGE_CLAUSES) {
    Deno.test(`${name}: ${clause.name}`, async () => {
      const storage = await create();
      try {
        await clause.run(storage, { largeBytes });
      } finally {
        await storage[Symbol.asyncDispose]?.();
      }
    });
  }
}
