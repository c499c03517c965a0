import { unlessConflict } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import type { Tag } from "../oci/reference.ts";
import { lastPart, taggedKey, taggedPrefix, tagKey, tagsPrefix } from "./keys.ts";
import { listPage } from "./list_page.ts";
import { ManifestObjects } from "./manifest_objects.ts";
import type { SharedMutex } from "./mutex.ts";
import { mapParallel } from "./parallel.ts";
import { type PastTagChange, TagHistory } from "./tag_history.ts";
import { decodeTag, encodeTag, type TagLine } from "./tag_line.ts";
import type { TagPages } from "./tag_pages.ts";
import type { TagStamps } from "./tag_stamps.ts";

/** A tag as it was set. */
export interface TagFacts extends TagLine {
  /** When it was set last, in milliseconds since the epoch. */
  readonly setAtMs: number;
  /** What it is told from others by, the same tag set again to the same manifest among them. */
  readonly etag: string;
}

/** Who does something; absent: nobody knows. */
export interface Doer {
  readonly by?: string;
}

const NOTHING = new Uint8Array(0);
const TAGGED_PAGE = 1_000;

/** What an operator forbids, whoever asks and by whatever way. Asked anew each time: it may change while sreg runs. */
export interface RepositoryRules {
  /** Whether the tag, once it is set, can be neither moved nor deleted. */
  isImmutable(name: RepositoryName, tag: Tag): boolean;
  /** Whether any tag of the repository is immutable. */
  hasImmutable(name: RepositoryName): boolean;
  /** Whether anything can be deleted from the repository. */
  allowsDelete(name: RepositoryName): boolean;
}

/** What `Tags` is made of. */
export interface TagsParts {
  readonly changes: SharedMutex;
  readonly rules: RepositoryRules;
  readonly stamps: TagStamps;
  /** Absent: no page is remembered. */
  readonly pages?: TagPages | undefined;
}

/**
 * The tags of repositories: each is an object of its own that holds the digest it points to, marked each time it is set,
 * so that what was read of a tag can be removed if nobody has set it since.
 */
export class Tags {
  readonly #storage: Storage;
  readonly #changes: SharedMutex;
  readonly #rules: RepositoryRules;
  readonly #stamps: TagStamps;
  readonly #pages: TagPages | undefined;
  readonly #history: TagHistory;
  readonly #objects: ManifestObjects;

  constructor(storage: Storage, { changes, rules, stamps, pages }: TagsParts) {
    this.#storage = storage;
    this.#changes = changes;
    this.#rules = rules;
    this.#stamps = stamps;
    this.#pages = pages;
    this.#history = new TagHistory(storage);
    this.#objects = new ManifestObjects(storage);
  }

  /** The digest that the tag points to. */
  async get(name: RepositoryName, tag: Tag): Promise<Digest | undefined> {
    return (await this.#read(name, tag))?.digest;
  }

  /** The tag as it was set last. */
  async stat(name: RepositoryName, tag: Tag): Promise<TagFacts | undefined> {
    return await this.#read(name, tag);
  }

  /** The tags that point to the manifest, or pointed to it, each with the time at which it was announced last. */
  async taggedAt(name: RepositoryName, digest: Digest): Promise<ReadonlyMap<Tag, number>> {
    const stored = await this.#objects.get(name, digest);
    const found = new Map(stored?.tags.map((tag) => [tag, stored.modifiedAtMs]));
    for await (const tags of this.#taggedPages(name, digest)) {
      const facts = await mapParallel(tags, (tag) => this.#storage.stat(taggedKey(name, digest, tag)));
      tags.forEach((tag, index) =>
        found.set(tag, Math.max(facts[index]?.modifiedAtMs ?? 0, found.get(tag) ?? 0))
      );
    }
    return found;
  }

  /** What the tag has pointed to, newest first. */
  async history(name: RepositoryName, tag: Tag): Promise<PastTagChange[]> {
    return await this.#history.list(name, tag, await this.#read(name, tag));
  }

  /** Forgets the history of those of the repository's tags that are not there. */
  forgetHistory(name: RepositoryName): Promise<void> {
    return this.#history.forget(name, async (tag) => await this.get(name, tag) === undefined);
  }

  /** The tags that point to the manifest, in byte order; `limit` at most. */
  async listOf(name: RepositoryName, digest: Digest, limit: number): Promise<Tag[]> {
    const found = new Set<Tag>();
    for await (const tags of this.#allTagged(name, digest)) {
      const digests = await mapParallel(tags, (tag) => this.get(name, tag));
      tags.forEach((tag, index) => digests[index] === digest && found.add(tag));
      if (found.size > limit) break;
    }
    return [...found].sort().slice(0, limit);
  }

  /**
   * Notes that the tag is about to point to the manifest, which is there and was not stored for this tag, so that `untag` will
   * find it. Comes before `put`.
   */
  async announce(name: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    await this.#storage.put(taggedKey(name, digest, tag), NOTHING);
  }

  /** DENIED where the tag is immutable and points to something else. */
  async requireMovable(name: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    if (!this.#rules.isImmutable(name, tag)) return;
    const found = await this.get(name, tag);
    if (found !== undefined && found !== digest) throw immutableTag(tag, "move");
  }

  /**
   * Points the tag to a manifest that is there and was announced, between `TagStamps.beginSetting` and `endSetting`. Of two that set an
   * immutable tag one is DENIED. `isNew`: whether the tag is likely not to be there, which saves a look. `push`: the one that stored the
   * manifest for this tag.
   */
  async put(
    name: RepositoryName,
    tag: Tag,
    { isNew, ...line }: Doer & { readonly digest: Digest; readonly isNew: boolean; readonly push?: string },
  ): Promise<void> {
    let found = isNew ? undefined : await this.#read(name, tag);
    // Who finds it gone, and there when they create it, looks again.
    while (!found) {
      if (await this.#putFirst(name, tag, line)) return;
      found = await this.#read(name, tag);
    }
    await this.#putAgain(name, tag, { found, line });
  }

  /** Points a tag that is there to the manifest. */
  async #putAgain(
    name: RepositoryName,
    tag: Tag,
    { found, line }: { readonly found: TagFacts; readonly line: TagLine },
  ): Promise<void> {
    const { digest, push = found.digest === digest ? found.push : undefined, ...doer } = line;
    const pushed = { digest, ...(push !== undefined && { push }) };
    if (this.#rules.isImmutable(name, tag)) {
      if (found.digest !== digest) throw immutableTag(tag, "move");
    } else if (found.digest === digest) {
      await this.#storage.put(tagKey(name, tag), encodeTag({ ...pushed, ...firstOf(found) }));
    } else {
      await this.#noteFirst(name, tag, found);
      await this.#history.add(name, tag, { ...doer, digest, firstUs: found.firstUs, isDeleted: false });
      await this.#storage.put(tagKey(name, tag), encodeTag(pushed));
    }
  }

  /** Creates the tag. It says by itself who did, and when: its history begins with the next change. Answers whether it was not there. */
  async #putFirst(name: RepositoryName, tag: Tag, line: Omit<TagLine, "firstUs">): Promise<boolean> {
    const bytes = encodeTag({ ...line, firstUs: this.#history.now() });
    return await unlessConflict(this.#storage.put(tagKey(name, tag), bytes, { ifAbsent: true })) !==
      undefined;
  }

  /** Notes how the tag came to be, where it says that itself, before it no longer does. */
  async #noteFirst(name: RepositoryName, tag: Tag, { digest, firstUs, by }: TagFacts): Promise<void> {
    if (firstUs === undefined) return;
    await this.#history.addFirst(name, tag, { digest, ...(by !== undefined && { by }), timeUs: firstUs });
  }

  /** Whether any tag of the repository is immutable. */
  hasImmutable(name: RepositoryName): boolean {
    return this.#rules.hasImmutable(name);
  }

  /** DENIED where an immutable tag points to the manifest, UNSUPPORTED where nothing can be deleted. */
  async requireDeletable(name: RepositoryName, digest: Digest): Promise<void> {
    requireDeletes(this.#rules, name);
    for await (const tags of this.#allTagged(name, digest)) {
      for (const tag of tags) {
        const holds = this.#rules.isImmutable(name, tag) && await this.get(name, tag) === digest;
        if (holds) throw immutableTag(tag, "delete");
      }
    }
  }

  /** Removes the tag. Answers whether there was one. DENIED where it is immutable. */
  delete(name: RepositoryName, tag: Tag, doer: Doer = {}): Promise<boolean> {
    requireDeletes(this.#rules, name);
    return this.#changes.alone(name, async () => {
      const found = await this.#read(name, tag);
      if (!found) return false;
      if (this.#rules.isImmutable(name, tag)) throw immutableTag(tag, "delete");
      await this.#beginRemoving(name, tag, { found, ...doer });
      await this.#storage.delete(tagKey(name, tag));
      // That it pointed to its manifest stays announced: somebody may be about to point it there again, and have announced that.
      await this.#stamps.endRemoving(name);
      return true;
    });
  }

  /** Removes the tag where nobody has set it since `facts` were read. Answers whether it did. DENIED where it is immutable. */
  deleteIf(name: RepositoryName, tag: Tag, found: TagFacts): Promise<boolean> {
    requireDeletes(this.#rules, name);
    return this.#changes.alone(name, async () => {
      if (this.#rules.isImmutable(name, tag)) throw immutableTag(tag, "delete");
      await this.#beginRemoving(name, tag, { found });
      return await this.#removeFound(name, tag, found);
    });
  }

  /**
   * Removes all tags that point to the manifest, none that was set again meanwhile, and none once it `isBack`. `storedFor`: the
   * tags that it said itself.
   */
  async untag(
    name: RepositoryName,
    digest: Digest,
    { isBack, storedFor, ...doer }: Doer & {
      readonly isBack: () => Promise<boolean>;
      readonly storedFor: readonly Tag[];
    },
  ): Promise<void> {
    const remove = (tags: readonly Tag[]) =>
      mapParallel(tags, (tag) => this.#removeIf(name, tag, { digest, isBack, ...doer }));
    await remove(storedFor);
    for (;;) {
      const keys = await this.#storage.list(taggedPrefix(name, digest), { limit: TAGGED_PAGE });
      await remove(keys.map((key) => lastPart(key) as Tag));
      if (keys.length < TAGGED_PAGE || await isBack()) return;
    }
  }

  /** The repository's tags, in byte order; where the store is shared, perhaps from memory. */
  async list(name: RepositoryName, page: Page): Promise<Listed<Tag>> {
    const read = () => this.listStored(name, page);
    return await (this.#pages && page.limit > 0 ? this.#pages.list(name, page, read) : read());
  }

  /** The same from the store itself, with tags that nobody has acknowledged yet: for whoever removes what is in no list. */
  async listStored(name: RepositoryName, page: Page): Promise<Listed<Tag>> {
    if (page.limit === 0) return { entries: [], more: false };
    const after = page.last === undefined ? {} : { after: tagKey(name, page.last) };
    const { keys, more } = await listPage(this.#storage, tagsPrefix(name), { ...after, limit: page.limit });
    return { entries: keys.map((key) => lastPart(key) as Tag), more };
  }

  async #removeIf(
    name: RepositoryName,
    tag: Tag,
    { digest, isBack, ...doer }: Doer & { readonly digest: Digest; readonly isBack: () => Promise<boolean> },
  ): Promise<void> {
    for (;;) {
      const found = await this.#read(name, tag);
      const points = found?.digest === digest;
      if (await isBack()) {
        // Who has pushed the manifest since may know nothing of the tag, and whoever deletes it next has to.
        if (points) await this.announce(name, tag, digest);
        if (!points || await isBack()) return;
      }
      if (points) await this.#beginRemoving(name, tag, { found, ...doer });
      if (points && !await this.#removeFound(name, tag, found)) return;
      if (!await this.#storage.delete(taggedKey(name, digest, tag))) return;
      // Who has pushed the manifest since may have announced the tag before that.
      if (await isBack()) return await this.announce(name, tag, digest);
      // So may who did while the manifest came and went, and have set it.
      if (await this.get(name, tag) !== digest) return;
    }
  }

  async #beginRemoving(
    name: RepositoryName,
    tag: Tag,
    { found, ...doer }: Doer & { readonly found: TagFacts },
  ): Promise<void> {
    const note = async () => {
      await this.#noteFirst(name, tag, found);
      const { digest, firstUs } = found;
      await this.#history.add(name, tag, { digest, firstUs, ...doer, isDeleted: true });
    };
    await Promise.all([this.#stamps.beginRemoving(name), note()]);
  }

  /** Removes the tag where nobody has set it since. Answers whether it did. */
  async #removeFound(name: RepositoryName, tag: Tag, { etag }: TagFacts): Promise<boolean> {
    const deleted = await unlessConflict(this.#storage.delete(tagKey(name, tag), { ifMatch: etag }));
    await this.#stamps.endRemoving(name);
    return deleted ?? false;
  }

  /** The tags that pointed to the manifest, or may, some at a time: those that it was stored for first. */
  async *#allTagged(name: RepositoryName, digest: Digest): AsyncGenerator<readonly Tag[]> {
    yield (await this.#objects.get(name, digest))?.tags ?? [];
    yield* this.#taggedPages(name, digest);
  }

  /** The tags that were announced of the manifest once it was there. */
  async *#taggedPages(name: RepositoryName, digest: Digest): AsyncGenerator<readonly Tag[]> {
    const prefix = taggedPrefix(name, digest);
    let keys = await this.#storage.list(prefix, { limit: TAGGED_PAGE });
    for (;;) {
      yield keys.map((key) => lastPart(key) as Tag);
      if (keys.length < TAGGED_PAGE) return;
      keys = await this.#storage.list(prefix, { after: keys.at(-1)!, limit: TAGGED_PAGE });
    }
  }

  async #read(name: RepositoryName, tag: Tag): Promise<TagFacts | undefined> {
    const value = await this.#storage.get(tagKey(name, tag));
    return value && { ...decodeTag(value.bytes), setAtMs: value.modifiedAtMs, etag: value.etag };
  }
}

/** What a tag that is set again to the same manifest goes on to say of how it came to be. */
function firstOf({ firstUs, by }: TagLine): Pick<TagLine, "firstUs" | "by"> {
  return { ...(firstUs !== undefined && { firstUs }), ...(by !== undefined && { by }) };
}

/** UNSUPPORTED where the operator lets nothing be deleted from the repository. */
export function requireDeletes(rules: RepositoryRules, name: RepositoryName): void {
  if (rules.allowsDelete(name)) return;
  throw new OciError("UNSUPPORTED", "Cannot delete from the repository: deletes are switched off", {
    headers: { Allow: "GET, HEAD" },
  });
}

function immutableTag(tag: Tag, verb: "move" | "delete"): OciError {
  return new OciError("DENIED", `Cannot ${verb} the tag ${tag}: it is immutable`, { detail: { tag } });
}
