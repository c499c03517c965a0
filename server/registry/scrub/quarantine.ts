import { unlessConflict } from "../../../plugins/contract/error.ts";
import { isKey, type Storage, type StoredValue } from "../../../plugins/contract/storage.ts";
import { quarantineKey } from "../keys.ts";
import type { Mended } from "./findings.ts";

/** What came of moving something away: where it is, or that somebody was faster. */
export type Moved = Extract<Mended, { readonly quarantined: string }> | "overtaken";

/** Where a scrub puts what it takes out of its place: nothing is deleted, and its place can be told by its key. */
export class Quarantine {
  readonly #storage: Storage;
  readonly #run: string;

  constructor(storage: Storage, run: string) {
    this.#storage = storage;
    this.#run = run;
  }

  /** Moves what nobody can be about to need. `undefined` where the key that it would have is too long. */
  async move(key: string): Promise<Moved | undefined> {
    const quarantined = quarantineKey(this.#run, key);
    if (!isKey(quarantined)) return undefined;
    return await this.#storage.move(key, quarantined) ? { quarantined } : "overtaken";
  }

  /** Moves a small value where it is still what was read. */
  async moveValue(key: string, value: Pick<StoredValue, "bytes" | "etag">): Promise<Moved> {
    const quarantined = quarantineKey(this.#run, key);
    await this.#storage.put(quarantined, value.bytes);
    if (await unlessConflict(this.#storage.delete(key, { ifMatch: value.etag }))) return { quarantined };
    await this.#storage.delete(quarantined);
    return "overtaken";
  }

  /** Puts back what `move` has moved, because it is needed after all. */
  async putBack(key: string): Promise<void> {
    await this.#storage.move(quarantineKey(this.#run, key), key);
  }
}
