import { unlessConflict } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { RepositoryName } from "../oci/name.ts";
import { removalKey, REMOVALS_PREFIX } from "./keys.ts";
import type { Telling, ToldFacts } from "./told_facts.ts";

/** Far longer than anything is believed because it was seen lately. */
const KEPT_MS = 3_600_000;
const PAGE = 1_000;
/** Longer than anything is believed because it was seen lately. */
const TOLD: Telling = { ttlMs: 20 * 60_000, ageMaxMs: KEPT_MS };

/**
 * The repositories from which a blob, or which themselves, may be taken away. Who does that condemns it, announces that here, looks whether
 * it is needed, and only then removes it. Who stores what needs it has seen it not condemned, stores, and looks here. So where
 * nothing is announced by then, whoever announces it later finds what was stored, and what was seen lately (`RecentlySeen`) need
 * not be looked at again.
 */
export class Removals {
  readonly #storage: Storage;
  readonly #told: ToldFacts;

  constructor(storage: Storage, told: ToldFacts) {
    this.#storage = storage;
    this.#told = told;
  }

  /** Whoever looks here from now on does not believe what was seen in the repository before. */
  async announce(name: RepositoryName): Promise<void> {
    const mark = new TextEncoder().encode(crypto.randomUUID());
    await Promise.all([
      this.#storage.put(removalKey(name), mark, { lasting: false }),
      this.#told.tell(TOLD, "removal", name),
    ]);
  }

  /** Whether anything may be taken from the repository, or was in the last hour. */
  async areAnnounced(name: RepositoryName): Promise<boolean> {
    return await this.#storage.stat(removalKey(name)) !== undefined;
  }

  /** Whether another replica tells of such an announcement. Where none does there may be one. */
  areTold(name: RepositoryName): Promise<boolean> {
    return this.#told.has(TOLD, "removal", name);
  }

  /** Forgets announcements that matter to nobody any more. */
  async sweep(): Promise<void> {
    let after: string | undefined;
    for (;;) {
      const keys = await this.#storage.list(REMOVALS_PREFIX, {
        ...(after !== undefined && { after }),
        limit: PAGE,
      });
      for (const key of keys) await this.#forget(key);
      if (keys.length < PAGE) return;
      after = keys.at(-1)!;
    }
  }

  async #forget(key: string): Promise<void> {
    const value = await this.#storage.get(key);
    if (!value || value.modifiedAtMs > Date.now() - KEPT_MS) return;
    await unlessConflict(this.#storage.delete(key, { ifMatch: value.etag, lasting: false }));
  }
}
