import type { Storage } from "../../plugins/contract/storage.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import type { Tag } from "../oci/reference.ts";
import { catalogKey } from "./keys.ts";
import { elapsedMs, type Moment, moment } from "./recently_seen.ts";
import { isStamp, STAMP_HOLDS_MS } from "./tag_stamps.ts";

/** Within what time a page is to be asked for a second time, to be worth remembering. */
const ASKED_LATELY_MS = 60_000;
/** For how long a page is believed, whatever the stamp says: who has died may have changed the list without one. */
const KEPT_MS = 60_000;
/** Stores tell times in whole seconds, and whose clock is ahead of the store's by 2 s does not learn of it. */
const CLOCKS_MS = 5_000;
/** How old a stamp is to be before a list. */
const SETTLED_MS = STAMP_HOLDS_MS + CLOCKS_MS;
/** The longest tag (distribution-spec, "Pulling manifests"): whoever pages from a longer text is not to fill the memory with it. */
const LAST_MAX = 128;
const BYTES_MAX = 16 * 1024 * 1024;
/** What a page is counted for besides its text. */
const ENTRY_BYTES = 512;
const WAITS_MAX = 10_000;

/** A stamp, as it was seen. */
interface SeenStamp {
  readonly etag: string;
  readonly modifiedAtMs: number;
}

/** A page that was read after its stamp had settled. */
interface ReadPage {
  readonly stamp: SeenStamp;
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
 * **Why a page is right.** It is read after the stamp was seen to be `SETTLED_MS` old, and answered while the store has that same
 * stamp. No stamp was put in between, so a change that is acknowledged now, and whose stamp came last before it, has that one or an earlier one: it landed
 * within `STAMP_HOLDS_MS` after that, thus before the page was read. A change that took longer was stamped again before it was
 * acknowledged. What nobody has acknowledged may be missing, for `KEPT_MS` at most; so whoever removes anything because of what
 * is in a list asks the store.
 *
 * A stamp is told from others by its etag, and by its time: a put that was lost on the way, and is carried out much later, brings an old
 * one back.
 */
export class TagPages {
  readonly #storage: Storage;
  readonly #bytesMax: number;
  /** By repository and page; the one that was asked for longest ago is the first. */
  readonly #asked = new Map<string, Asked>();
  /** Before what time no stamp of the repository can have settled. */
  readonly #waits = new Map<RepositoryName, { readonly since: Moment; readonly ms: number }>();
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
    if (stamp && asked.page && isGood(asked.page, stamp)) {
      this.#keep(key, { askedAt, page: asked.page });
      return listedOf(asked.page);
    }
    const readAt = moment();
    const listed = await read();
    this.#keep(key, { askedAt, ...(stamp && { page: pageOf(listed, { stamp, readAt }) }) });
    return listed;
  }

  #mustWait(name: RepositoryName): boolean {
    const wait = this.#waits.get(name);
    if (wait && elapsedMs(wait.since) < wait.ms) return true;
    this.#waits.delete(name);
    return false;
  }

  /** The repository's stamp, where a list that begins now has all changes that it stands for. */
  async #settledStamp(name: RepositoryName): Promise<SeenStamp | undefined> {
    const since = moment();
    const facts = await this.#storage.stat(catalogKey(name));
    // A store that knows no time says 0.
    const isTold = facts?.etag !== undefined && facts.modifiedAtMs > 0 && isStamp(facts);
    const ageMs = isTold ? Date.now() - facts.modifiedAtMs : 0;
    if (isTold && ageMs >= SETTLED_MS) return { etag: facts.etag!, modifiedAtMs: facts.modifiedAtMs };
    this.#wait(name, { since, ms: SETTLED_MS - Math.max(ageMs, 0) });
    return undefined;
  }

  #wait(name: RepositoryName, wait: { readonly since: Moment; readonly ms: number }): void {
    this.#waits.delete(name);
    this.#waits.set(name, wait);
    if (this.#waits.size > WAITS_MAX) this.#waits.delete(this.#waits.keys().next().value!);
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

function isGood({ stamp, readAt }: ReadPage, now: SeenStamp): boolean {
  const isSame = stamp.etag === now.etag && Math.abs(stamp.modifiedAtMs - now.modifiedAtMs) < CLOCKS_MS;
  return isSame && elapsedMs(readAt) < KEPT_MS;
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
