import type { Storage } from "../../plugins/contract/storage.ts";
import { type Digest, digestEncoded } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import { historyKey, historyPrefix, historyTag, historyTime } from "./keys.ts";
import { mapParallel } from "./parallel.ts";

/** What somebody did to a tag. */
export interface TagChange {
  /** The manifest that the tag pointed to from then on, or, where it was deleted, until then. */
  readonly digest: Digest;
  readonly isDeleted: boolean;
  /** Who did it; absent: nobody knows. */
  readonly by?: string;
}

/** A change, and when it happened, in milliseconds since the epoch. */
export interface PastTagChange extends TagChange {
  readonly atMs: number;
}

/** How a tag is now: what of its history happened is told by that. */
export interface PresentTag {
  readonly digest: Digest;
  readonly setAtMs: number;
  /** When it was created, in microseconds since the epoch, and by whom, if nothing has happened to it since. */
  readonly firstUs?: number;
  readonly by?: string;
}

/** Of a tag so many changes are remembered: the newest. */
export const HISTORY_MAX = 100;

const TRIM_PAGE = 1_000;
/** One change of so many looks for what is too old: what is kept beyond that is not told. */
const TRIM_EVERY = 16;

interface Line {
  readonly digest: Digest;
  readonly deleted?: true;
  readonly by?: string;
}

/**
 * What tags have pointed to. Each change is an object of its own, written before it happens and never again, and so is
 * no more than an intention until the tag says the same. A tag that was not there says by itself how it came to be; that is written
 * down when it changes. The times are those of the servers' clocks.
 */
export class TagHistory {
  readonly #storage: Storage;
  #lastUs = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /**
   * Notes that the tag is about to be changed, and now and then forgets what is too old. `firstUs`: when the tag was created, perhaps
   * by a clock that is ahead of this one.
   */
  async add(
    name: RepositoryName,
    tag: Tag,
    { firstUs = 0, ...change }: TagChange & { readonly firstUs?: number | undefined },
  ): Promise<void> {
    const timeUs = Math.max(this.now(), firstUs + 1);
    await Promise.all([
      this.#put(name, tag, { ...change, timeUs, id: crypto.randomUUID().slice(0, 8) }),
      Math.random() < 1 / TRIM_EVERY ? this.#trim(name, tag) : undefined,
    ]);
  }

  /** Notes how the tag came to be, at a time that `now` has told; whoever notes it again writes the same. */
  addFirst(
    name: RepositoryName,
    tag: Tag,
    change: Omit<TagChange, "isDeleted"> & { readonly timeUs: number },
  ): Promise<void> {
    const id = digestEncoded(change.digest).slice(0, 8);
    return this.#put(name, tag, { ...change, isDeleted: false, id });
  }

  /** What happened to the tag, newest first, if it is `present` now, or, as `undefined`, is not there. */
  async list(name: RepositoryName, tag: Tag, present: PresentTag | undefined): Promise<PastTagChange[]> {
    const keys = await this.#storage.list(historyPrefix(name, tag), { limit: HISTORY_MAX });
    const { firstUs = Infinity } = present ?? {};
    const found = await mapParallel(
      keys.filter((key) => historyTime(key) < firstUs),
      (key) => this.#read(key),
    );
    const changes = found.filter((change) => change !== undefined);
    if (present?.firstUs !== undefined) {
      return [firstChange(present, firstUs), ...changes].slice(0, HISTORY_MAX);
    }
    const last = changes.findIndex(({ digest, isDeleted }) =>
      present ? !isDeleted && digest === present.digest : isDeleted
    );
    if (last !== -1) return changes.slice(last);
    if (!present) return changes;
    const { digest, setAtMs } = present;
    return [{ digest, isDeleted: false, atMs: setAtMs }, ...changes.filter(({ atMs }) => atMs < setAtMs)];
  }

  /** Forgets what happened to those of the repository's tags that are gone. */
  async forget(name: RepositoryName, isGone: (tag: Tag) => Promise<boolean>): Promise<void> {
    const prefix = historyPrefix(name);
    let keys = await this.#storage.list(prefix, { limit: TRIM_PAGE });
    while (keys.length > 0) {
      for (const [tag, changes] of Map.groupBy(keys, historyTag)) {
        if (!await isGone(tag)) continue;
        await mapParallel(changes, (key) => this.#storage.delete(key, { lasting: false }));
      }
      keys = await this.#storage.list(prefix, { after: keys.at(-1)!, limit: TRIM_PAGE });
    }
  }

  async #put(
    name: RepositoryName,
    tag: Tag,
    { digest, isDeleted, by, ...at }: TagChange & { readonly timeUs: number; readonly id: string },
  ): Promise<void> {
    const line: Line = { digest, ...(isDeleted && { deleted: true }), ...(by !== undefined && { by }) };
    const bytes = new TextEncoder().encode(JSON.stringify(line));
    await this.#storage.put(historyKey(name, tag, at), bytes, { lasting: false });
  }

  async #trim(name: RepositoryName, tag: Tag): Promise<void> {
    const keys = await this.#storage.list(historyPrefix(name, tag), { limit: TRIM_PAGE });
    await mapParallel(keys.slice(HISTORY_MAX), (key) => this.#storage.delete(key, { lasting: false }));
  }

  async #read(key: string): Promise<PastTagChange | undefined> {
    const value = await this.#storage.get(key);
    if (!value) return undefined;
    const { digest, deleted, by } = JSON.parse(new TextDecoder().decode(value.bytes)) as Line;
    const atMs = Math.floor(historyTime(key) / 1_000);
    return { digest, isDeleted: deleted === true, ...(by !== undefined && { by }), atMs };
  }

  /** Microseconds since the epoch, none of them twice: changes of one process are in their order. */
  now(): number {
    this.#lastUs = Math.max(Date.now() * 1_000, this.#lastUs + 1);
    return this.#lastUs;
  }
}

/** The change by which a tag came to be that says so itself. */
function firstChange({ digest, by }: PresentTag, firstUs: number): PastTagChange {
  return { digest, isDeleted: false, ...(by !== undefined && { by }), atMs: Math.floor(firstUs / 1_000) };
}
