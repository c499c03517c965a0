import { unlessConflict } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { isRepositoryName, type RepositoryName } from "../oci/name.ts";
import { cutPage, type Listed, type Page } from "../oci/page.ts";
import type { Tag } from "../oci/reference.ts";
import { CATALOG_PREFIX, catalogKey, nameAfter } from "./keys.ts";
import { listPage } from "./list_page.ts";
import { mapParallel } from "./parallel.ts";
import { moment, RecentlySeen } from "./recently_seen.ts";
import type { Removals } from "./removals.ts";
import type { TagStamps } from "./tag_stamps.ts";
import type { Tags } from "./tags.ts";

/** Whether a repository may stand in a list for whoever asks. */
export type Sees = (name: RepositoryName) => Promise<boolean>;

const SCAN_PAGE = 1_000;

/**
 * The repositories there are: each from its first manifest on. An entry is empty, or where the store is shared a stamp (`TagStamps`), unless it is
 * condemned.
 */
export class Catalog {
  readonly #storage: Storage;
  readonly #tags: Tags;
  readonly #stamps: TagStamps;
  readonly #removals: Removals;
  readonly #shared: boolean;
  readonly #seen = new RecentlySeen();

  constructor(
    storage: Storage,
    { tags, stamps, removals, shared }: {
      readonly tags: Tags;
      readonly stamps: TagStamps;
      readonly removals: Removals;
      /** As in `StorageFeatures`: a look costs as much there as a change. */
      readonly shared: boolean;
    },
  ) {
    this.#storage = storage;
    this.#tags = tags;
    this.#stamps = stamps;
    this.#removals = removals;
    this.#shared = shared;
  }

  /** Whether the repository exists. */
  async has(name: RepositoryName): Promise<boolean> {
    return await this.#storage.stat(catalogKey(name)) !== undefined;
  }

  /** Makes the repository exist, unless it did a moment ago: for whoever looks at `Removals`, or adds it again. */
  async addLately(name: RepositoryName): Promise<void> {
    if (!this.#seen.has(name)) await this.add(name);
  }

  /** Makes the repository exist. */
  async add(name: RepositoryName): Promise<void> {
    const askedAt = moment();
    await this.#put(name);
    this.#seen.add(askedAt, name);
  }

  /**
   * Takes the repository out, unless it `isNeeded` or anybody has added it since that was asked: as with links, its entry is
   * condemned first, and who adds it takes that back. Answers whether it is out.
   */
  async remove(name: RepositoryName, isNeeded: () => Promise<boolean>): Promise<boolean> {
    const key = catalogKey(name);
    this.#seen.forget(name);
    const value = await this.#storage.get(key);
    if (!value) return true;
    const mark = new TextEncoder().encode(crypto.randomUUID());
    const put = this.#storage.put(key, mark, { ifMatch: value.etag, lasting: false });
    const condemned = await unlessConflict(put);
    if (!condemned) return false;
    await this.#removals.announce(name);
    if (!await isNeeded()) {
      return await unlessConflict(this.#storage.delete(key, { ifMatch: condemned.etag })) ?? false;
    }
    await unlessConflict(this.#storage.put(key, this.#stamps.newEntry(), { ifMatch: condemned.etag }));
    return false;
  }

  /** The names of the repositories that `sees` lets through, in byte order. What it hides leaves no trace in the page. */
  async list(page: Page, sees?: Sees): Promise<Listed<RepositoryName>> {
    if (!sees || page.limit === 0) return await this.#list(page);
    const seen: RepositoryName[] = [];
    let part = await this.#list({ ...page, limit: SCAN_PAGE });
    for (;;) {
      const verdicts = await mapParallel(part.entries, sees);
      seen.push(...part.entries.filter((_, index) => verdicts[index]));
      if (seen.length > page.limit || !part.more) return cutPage(seen, page.limit);
      part = await this.#list({ limit: SCAN_PAGE, last: part.entries.at(-1)! });
    }
  }

  /** Makes the entry one that is not condemned. */
  async #put(name: RepositoryName): Promise<void> {
    if (this.#shared) return await this.#stamps.put(name);
    const key = catalogKey(name);
    for (;;) {
      const facts = await this.#storage.stat(key);
      if (facts?.size === 0) return;
      const value = facts && await this.#storage.get(key);
      if (!value) return await this.#stamps.put(name);
      await unlessConflict(this.#storage.put(key, this.#stamps.newEntry(), { ifMatch: value.etag }));
    }
  }

  async #list(page: Page): Promise<Listed<RepositoryName>> {
    if (page.limit === 0) return { entries: [], more: false };
    const after = page.last === undefined ? {} : { after: catalogKey(page.last) };
    const { keys, more } = await listPage(this.#storage, CATALOG_PREFIX, { ...after, limit: page.limit });
    return { entries: keys.map((key) => nameAfter(CATALOG_PREFIX, key)), more };
  }

  /** All tags of all repositories as `<name>:<tag>`, in byte order of the name, then of the tag. */
  async listTags(page: Page, sees?: Sees): Promise<Listed<string>> {
    if (page.limit === 0) return { entries: [], more: false };
    const found: string[] = [];
    let more = false;
    const [lastName = "", lastTag] = page.last?.split(":", 2) ?? [];
    const add = async (name: RepositoryName, last?: string) => {
      // Of a page that is full just one entry more is wanted.
      const limit = Math.max(page.limit - found.length, 1);
      const tags = await this.#tags.list(name, last === undefined ? { limit } : { limit, last });
      found.push(...tags.entries.map((tag: Tag) => `${name}:${tag}`));
      more = tags.more || found.length > page.limit;
    };
    const isSeen = !sees || !isRepositoryName(lastName) || await sees(lastName);
    if (lastTag !== undefined && isSeen) await add(lastName as RepositoryName, lastTag);
    for (let last = lastName; !more;) {
      const names = await this.list(last === "" ? { limit: 100 } : { limit: 100, last }, sees);
      for (const name of names.entries) if (!more) await add(name);
      if (!names.more) break;
      last = names.entries.at(-1)!;
    }
    return { entries: found.slice(0, page.limit), more };
  }
}
