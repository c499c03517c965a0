import { unlessConflict } from "../../plugins/contract/error.ts";
import type { ObjectFacts, Storage } from "../../plugins/contract/storage.ts";
import type { RepositoryName } from "../oci/name.ts";
import { catalogKey } from "./keys.ts";
import { elapsedMs, type Moment, moment } from "./recently_seen.ts";
import { setYoungest } from "./youngest.ts";

/** How long after a stamp was begun to be put the changes that it stands for have been made. */
export const STAMP_HOLDS_MS = 5_000;
/** A stamp that is older than this is not relied on by who only begins. */
const FRESH_MS = 2_000;
const STAMPS_MAX = 10_000;

const NOTHING = new Uint8Array(0);
const HELD = "held ";
const STAMP_BYTES = HELD.length + crypto.randomUUID().length;

interface Stamp {
  readonly begunAt: Moment;
  readonly made: Promise<void>;
}

/**
 * The stamps of repositories: where the store is shared, an entry of the catalog that nobody has condemned is a text which no other
 * put of it has, and it is put anew around each change of the repository's list of tags. Whoever sees the same stamp twice
 * knows that the list is the same, as far as `TagPages` says; no replica has to be told of anything.
 *
 * **What a writer keeps to.** Each change of the list lands within `STAMP_HOLDS_MS` after the beginning of a put that was answered before,
 * or another stamp is put between the change and its acknowledgement. Several changes share a stamp, so a repository
 * that is pushed to all the time has one every other second from each replica. Where the change was not acknowledged, since the writer died or the
 * store failed, it may be without a stamp.
 *
 * **Who removes tags** creates no entry and pardons none: it replaces the stamp that it has read. Where there is none, or a condemned one,
 * or somebody was faster, an entry that was a stamp has gone since the removal began. That is as good: pages that were read under that one
 * count no more, and those under later ones begin after it.
 *
 * Where the store is not shared there are no stamps, and nothing here costs anything.
 */
export class TagStamps {
  readonly #storage: Storage;
  readonly #shared: boolean;
  /** The last one that this process has begun; of the repository whose one is the oldest first. */
  readonly #last = new Map<RepositoryName, Stamp>();

  /** `shared`: as in `StorageFeatures`. */
  constructor(storage: Storage, { shared }: { readonly shared: boolean }) {
    this.#storage = storage;
    this.#shared = shared;
  }

  /** What an entry of the catalog holds that is not condemned. */
  newEntry(): Uint8Array<ArrayBuffer> {
    return this.#shared ? new TextEncoder().encode(HELD + crypto.randomUUID()) : NOTHING;
  }

  /** Puts the entry, whatever was there: the repository exists then. */
  put(name: RepositoryName): Promise<void> {
    return this.#make(name, () => this.#put(name));
  }

  /** Before tags of a repository that is to exist are set. */
  beginSetting(name: RepositoryName): Promise<void> {
    return this.#require(name, FRESH_MS, () => this.#put(name));
  }

  /** After that, before anybody is told. */
  endSetting(name: RepositoryName): Promise<void> {
    return this.#require(name, STAMP_HOLDS_MS, () => this.#put(name));
  }

  /** Before a tag is removed. */
  beginRemoving(name: RepositoryName): Promise<void> {
    return this.#require(name, FRESH_MS, () => this.#replace(name));
  }

  /** After that, before anybody is told. */
  endRemoving(name: RepositoryName): Promise<void> {
    return this.#require(name, STAMP_HOLDS_MS, () => this.#replace(name));
  }

  /** One that was begun within so many milliseconds, and has been answered. */
  async #require(name: RepositoryName, withinMs: number, make: () => Promise<void>): Promise<void> {
    if (!this.#shared) return;
    const last = this.#last.get(name);
    await (last && elapsedMs(last.begunAt) < withinMs ? last.made : this.#make(name, make));
  }

  async #make(name: RepositoryName, make: () => Promise<void>): Promise<void> {
    const stamp = { begunAt: moment(), made: make() };
    setYoungest(this.#last, name, stamp, STAMPS_MAX);
    try {
      await stamp.made;
    } catch (error) {
      if (this.#last.get(name) === stamp) this.#last.delete(name);
      throw error;
    }
  }

  async #put(name: RepositoryName): Promise<void> {
    await this.#storage.put(catalogKey(name), this.newEntry());
  }

  async #replace(name: RepositoryName): Promise<void> {
    const key = catalogKey(name);
    const found = await this.#storage.get(key);
    if (!found || isCondemned(found)) return;
    await unlessConflict(this.#storage.put(key, this.newEntry(), { ifMatch: found.etag }));
  }
}

/** Whether an entry of the catalog, as it is seen from outside, is a stamp: neither condemned nor from where there are none. */
export function isStamp({ size }: ObjectFacts): boolean {
  return size === STAMP_BYTES;
}

function isCondemned(entry: ObjectFacts): boolean {
  return entry.size !== 0 && !isStamp(entry);
}
