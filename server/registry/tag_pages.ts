import type { ObjectFacts, Storage } from "../../plugins/contract/storage.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import type { Tag } from "../oci/reference.ts";
import { catalogKey } from "./keys.ts";
import { elapsedMs, type Moment, moment } from "./recently_seen.ts";
import { isStamp, STAMP_HOLDS_MS } from "./tag_stamps.ts";
import { setYoungest } from "./youngest.ts";

/** Within what time a page is to be asked for a second time, to be worth remembering. */
const ASKED_LATELY_MS = 60_000;
/** For how long a page is believed, whatever the stamp says: who has died may have changed the list without one. */
const KEPT_MS = 60_000;
/** How far two answers may differ about the time of one put: our clock is held to the store's between them. */
const SAME_TIME_MS = 5_000;
/** How long a stamp is to be there before a list: clocks run at somewhat different rates. */
const SETTLED_MS = 2 * STAMP_HOLDS_MS;
/** The longest tag (distribution-spec, "Pulling manifests"): whoever pages from a longer text is not to fill the memory with it. */
const LAST_MAX = 128;
const BYTES_MAX = 16 * 1024 * 1024;
/** What a page is counted for besides its text. */
const ENTRY_BYTES = 512;
const STAMPS_MAX = 10_000;

/** A stamp, as the store tells of it. */
interface Stamp {
  readonly etag: string;
  readonly modifiedAtMs: number;
}

/** Which stamp a repository had, or that it had none, by a clock that only runs on. */
interface SeenStamp {
  readonly stamp: Stamp | undefined;
  readonly seenAtMs: number;
}

/** A page that was read after its stamp had settled. */
interface ReadPage {
  readonly stamp: Stamp;
  readonly readAt: Moment;
  /** One text, so that it holds neither the keys nor the answer that its tags were cut from. */
  readonly tags: string;
  readonly more: boolean;
}

interface Asked {
  readonly askedAt: Moment;
  readonly page?: ReadPage;
}

/**
 * Pages of tags in memory, over a store that is another machine: a page that is asked for again and again costs a look at the
 * repository's stamp (`TagStamps`) instead of a list, for which a store may look at each of its tags.
 *
 * **Why a page is right.** It is read once the same stamp has been seen twice, `SETTLED_MS` apart, and answered while the store has that
 * one. From the first of these looks on no other was put. So a change that is acknowledged now, and stamped before it was made, was
 * stamped before that first look, and landed within `STAMP_HOLDS_MS` after it: before the page was read. A change that took longer was stamped
 * again before it was acknowledged. No clock but this process's own has a say. What nobody has acknowledged may be missing, for
 * `KEPT_MS` at most; so whoever removes anything because of what is in a list asks the store.
 *
 * A stamp is told from others by its etag, and by its time: a put that was lost on the way, and is carried out much later, brings an old
 * one back.
 */
export class TagPages {
  readonly #storage: Storage;
  readonly #bytesMax: number;
  /** By repository and page; the one that was asked for longest ago is the first. */
  readonly #asked = new Map<string, Asked>();
  /** Since when which stamp is there; of the repository that was looked at longest ago first. */
  readonly #seen = new Map<RepositoryName, SeenStamp>();
  #bytes = 0;

  /** `bytesMax`: how much is remembered, as Latin-1. */
  constructor(storage: Storage, { bytesMax = BYTES_MAX }: { readonly bytesMax?: number } = {}) {
    this.#storage = storage;
    this.#bytesMax = bytesMax;
  }

  /** A page of the repository's tags; `read` asks the store for it. */
  async list(
    name: RepositoryName,
    page: Page,
    read: () => Promise<Listed<Tag>>,
  ): Promise<Listed<Tag>> {
    const { limit, last = "" } = page;
    if (last.length > LAST_MAX) return await read();
    const key = `${name} ${limit} ${last}`;
    const asked = this.#asked.get(key);
    const askedAt = moment();
    if (!asked || elapsedMs(asked.askedAt) >= ASKED_LATELY_MS || this.#mustWait(name)) {
      this.#keep(key, { askedAt });
      return await read();
    }
    const stamp = await this.#settledStamp(name);
    if (stamp && asked.page && isSame(asked.page.stamp, stamp) && elapsedMs(asked.page.readAt) < KEPT_MS) {
      this.#keep(key, { askedAt, page: asked.page });
      return listedOf(asked.page);
    }
    const readAt = moment();
    const listed = await read();
    this.#keep(key, { askedAt, ...(stamp && { page: pageOf(listed, { stamp, readAt }) }) });
    return listed;
  }

  /** Whether no stamp of the repository can have settled, so that there is no use in a look. */
  #mustWait(name: RepositoryName): boolean {
    const seen = this.#seen.get(name);
    return seen !== undefined && performance.now() - seen.seenAtMs < SETTLED_MS;
  }

  /** The repository's stamp, where a list that begins now has all changes that it stands for. */
  async #settledStamp(name: RepositoryName): Promise<Stamp | undefined> {
    const askedAtMs = performance.now();
    const stamp = stampOf(await this.#storage.stat(catalogKey(name)));
    const seen = this.#seen.get(name);
    if (stamp && seen?.stamp && isSame(seen.stamp, stamp)) {
      return askedAtMs - seen.seenAtMs >= SETTLED_MS ? stamp : undefined;
    }
    setYoungest(this.#seen, name, { stamp, seenAtMs: performance.now() }, STAMPS_MAX);
    return undefined;
  }

  #keep(key: string, asked: Asked): void {
    this.#forget(key);
    this.#asked.set(key, asked);
    this.#bytes += costOf(key, asked);
    for (const oldest of this.#asked.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const asked = this.#asked.get(key);
    if (!asked) return;
    this.#asked.delete(key);
    this.#bytes -= costOf(key, asked);
  }
}

function costOf(key: string, { page }: Asked): number {
  return ENTRY_BYTES + key.length + (page?.tags.length ?? 0);
}

function stampOf(facts: ObjectFacts | undefined): Stamp | undefined {
  if (facts?.etag === undefined || !isStamp(facts)) return undefined;
  return { etag: facts.etag, modifiedAtMs: facts.modifiedAtMs };
}

function isSame(one: Stamp, other: Stamp): boolean {
  return one.etag === other.etag && Math.abs(one.modifiedAtMs - other.modifiedAtMs) < SAME_TIME_MS;
}

function pageOf(
  { entries, more }: Listed<Tag>,
  seen: Pick<ReadPage, "stamp" | "readAt">,
): ReadPage {
  return { ...seen, tags: entries.join("/"), more };
}

function listedOf({ tags, more }: ReadPage): Listed<Tag> {
  return { entries: tags === "" ? [] : tags.split("/") as Tag[], more };
}
