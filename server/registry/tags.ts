import { unlessConflict } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import type { Tag } from "../oci/reference.ts";
import { markLine, readLine } from "./conditions.ts";
import { lastPart, taggedKey, taggedPrefix, tagKey, tagsPrefix } from "./keys.ts";
import { listPage } from "./list_page.ts";
import type { SharedMutex } from "./mutex.ts";
import { mapParallel } from "./parallel.ts";
import { type PastTagChange, TagHistory } from "./tag_history.ts";

/** A tag as it was set. */
export interface TagFacts {
  /** The digest of the manifest that it points to. */
  readonly digest: Digest;
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

/**
 * The tags of repositories: each is an object of its own that holds the digest it points to, marked each time it is set,
 * so that what was read of a tag can be removed if nobody has set it since.
 */
export class Tags {
  readonly #storage: Storage;
  readonly #changes: SharedMutex;
  readonly #rules: RepositoryRules;
  readonly #history: TagHistory;

  constructor(
    storage: Storage,
    { changes, rules }: { readonly changes: SharedMutex; readonly rules: RepositoryRules },
  ) {
    this.#storage = storage;
    this.#changes = changes;
    this.#rules = rules;
    this.#history = new TagHistory(storage);
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
    const prefix = taggedPrefix(name, digest);
    const found = new Map<Tag, number>();
    let after: string | undefined;
    for (;;) {
      const keys = await this.#storage.list(prefix, {
        ...(after !== undefined && { after }),
        limit: TAGGED_PAGE,
      });
      const facts = await mapParallel(keys, (key) => this.#storage.stat(key));
      keys.forEach((key, index) => found.set(lastPart(key) as Tag, facts[index]?.modifiedAtMs ?? 0));
      if (keys.length < TAGGED_PAGE) return found;
      after = keys.at(-1)!;
    }
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
    const prefix = taggedPrefix(name, digest);
    const found: Tag[] = [];
    let keys = await this.#storage.list(prefix, { limit: TAGGED_PAGE });
    while (keys.length > 0 && found.length < limit) {
      const tags = keys.map((key) => lastPart(key) as Tag);
      const digests = await mapParallel(tags, (tag) => this.get(name, tag));
      found.push(...tags.filter((_, index) => digests[index] === digest));
      if (keys.length < TAGGED_PAGE) break;
      keys = await this.#storage.list(prefix, { after: keys.at(-1)!, limit: TAGGED_PAGE });
    }
    return found.slice(0, limit);
  }

  /** Notes in its history that the tag is about to point to the manifest, if it points to something else. */
  async noteChange(
    name: RepositoryName,
    tag: Tag,
    { digest, by }: Doer & { readonly digest: Digest },
  ): Promise<void> {
    if (await this.get(name, tag) === digest) return;
    await this.#history.add(name, tag, { digest, isDeleted: false, ...(by !== undefined && { by }) });
  }

  /** Notes that the tag is about to point to the manifest, which is there, so that `untag` will find it. Comes before `put`. */
  async announce(name: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    await this.#storage.put(taggedKey(name, digest, tag), NOTHING);
  }

  /** DENIED where the tag is immutable and points to something else. */
  async requireMovable(name: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    if (!this.#rules.isImmutable(name, tag)) return;
    const found = await this.get(name, tag);
    if (found !== undefined && found !== digest) throw immutableTag(tag, "move");
  }

  /** Points the tag to a manifest that is there and was announced. Of two that set an immutable tag one is DENIED. */
  async put(name: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    const isImmutable = this.#rules.isImmutable(name, tag);
    const condition = isImmutable ? { ifAbsent: true } as const : {};
    const put = await unlessConflict(this.#storage.put(tagKey(name, tag), markLine(digest), condition));
    if (!put) await this.requireMovable(name, tag, digest);
  }

  /** Whether any tag of the repository is immutable. */
  hasImmutable(name: RepositoryName): boolean {
    return this.#rules.hasImmutable(name);
  }

  /** DENIED where an immutable tag points to the manifest, UNSUPPORTED where nothing can be deleted. */
  async requireDeletable(name: RepositoryName, digest: Digest): Promise<void> {
    requireDeletes(this.#rules, name);
    const prefix = taggedPrefix(name, digest);
    let keys = await this.#storage.list(prefix, { limit: TAGGED_PAGE });
    while (keys.length > 0) {
      for (const tag of keys.map((key) => lastPart(key) as Tag)) {
        const holds = this.#rules.isImmutable(name, tag) && await this.get(name, tag) === digest;
        if (holds) throw immutableTag(tag, "delete");
      }
      keys = await this.#storage.list(prefix, { after: keys.at(-1)!, limit: TAGGED_PAGE });
    }
  }

  /** Removes the tag. Answers whether there was one. DENIED where it is immutable. */
  delete(name: RepositoryName, tag: Tag, doer: Doer = {}): Promise<boolean> {
    requireDeletes(this.#rules, name);
    return this.#changes.alone(name, async () => {
      const found = await this.#read(name, tag);
      if (!found) return false;
      if (this.#rules.isImmutable(name, tag)) throw immutableTag(tag, "delete");
      await this.#noteDeletion(name, tag, { digest: found.digest, ...doer });
      await this.#storage.delete(tagKey(name, tag));
      await this.#storage.delete(taggedKey(name, found.digest, tag));
      return true;
    });
  }

  /** Removes the tag where nobody has set it since `facts` were read. Answers whether it did. DENIED where it is immutable. */
  deleteIf(name: RepositoryName, tag: Tag, { digest, etag }: TagFacts): Promise<boolean> {
    requireDeletes(this.#rules, name);
    return this.#changes.alone(name, async () => {
      if (this.#rules.isImmutable(name, tag)) throw immutableTag(tag, "delete");
      await this.#noteDeletion(name, tag, { digest });
      const deleted = this.#storage.delete(tagKey(name, tag), { ifMatch: etag });
      return await unlessConflict(deleted) ?? false;
    });
  }

  /** Removes all tags that point to the manifest, none that was set again meanwhile, and none once it `isBack`. */
  async untag(
    name: RepositoryName,
    digest: Digest,
    { isBack, ...doer }: Doer & { readonly isBack: () => Promise<boolean> },
  ): Promise<void> {
    const prefix = taggedPrefix(name, digest);
    for (;;) {
      const keys = await this.#storage.list(prefix, { limit: TAGGED_PAGE });
      await mapParallel(
        keys,
        (key) => this.#removeIf(name, lastPart(key) as Tag, { digest, isBack, ...doer }),
      );
      if (keys.length < TAGGED_PAGE || await isBack()) return;
    }
  }

  /** The repository's tags, in byte order. */
  async list(name: RepositoryName, page: Page): Promise<Listed<Tag>> {
    if (page.limit === 0) return { entries: [], more: false };
    const after = page.last === undefined ? {} : { after: tagKey(name, page.last) };
    const { keys, more } = await listPage(this.#storage, tagsPrefix(name), { ...after, limit: page.limit });
    return { entries: keys.map((key) => lastPart(key) as Tag), more };
  }

  async #removeIf(
    name: RepositoryName,
    tag: Tag,
    { digest, isBack, ...doer }: Doer & { readonly digest: Digest; readonly isBack: () => Promise<boolean> },
  ): Promise<boolean> {
    const found = await this.#read(name, tag);
    if (await isBack()) return false;
    const points = found?.digest === digest;
    if (points) await this.#noteDeletion(name, tag, { digest, ...doer });
    const deleted = points &&
      await unlessConflict(this.#storage.delete(tagKey(name, tag), { ifMatch: found.etag }));
    if (deleted || !points) {
      await this.#storage.delete(taggedKey(name, digest, tag));
      // Who has pushed the manifest since may have announced the tag before that.
      if (await isBack()) await this.#storage.put(taggedKey(name, digest, tag), NOTHING);
    }
    return deleted === true;
  }

  #noteDeletion(name: RepositoryName, tag: Tag, change: Doer & { readonly digest: Digest }): Promise<void> {
    return this.#history.add(name, tag, { ...change, isDeleted: true });
  }

  async #read(name: RepositoryName, tag: Tag): Promise<TagFacts | undefined> {
    const value = await this.#storage.get(tagKey(name, tag));
    if (!value) return undefined;
    return { digest: readLine(value.bytes) as Digest, setAtMs: value.modifiedAtMs, etag: value.etag };
  }
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
