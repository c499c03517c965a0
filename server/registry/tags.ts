import type { Storage } from "../../plugins/contract/storage.ts";
import { PluginError } from "../../plugins/contract/error.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import { cutPage, type Listed, type Page } from "../oci/page.ts";
import type { Tag } from "../oci/reference.ts";
import { lastPart, taggedKey, taggedPrefix, tagKey, tagsPrefix } from "./keys.ts";
import type { SharedMutex } from "./mutex.ts";
import { mapParallel } from "./parallel.ts";

const NOTHING = new Uint8Array(0);
const TAGGED_PAGE = 1_000;

/** The tags of repositories: each is an object of its own that holds the digest it points to. */
export class Tags {
  readonly #storage: Storage;
  readonly #changes: SharedMutex;

  constructor(storage: Storage, changes: SharedMutex) {
    this.#storage = storage;
    this.#changes = changes;
  }

  /** The digest that the tag points to. */
  async get(name: RepositoryName, tag: Tag): Promise<Digest | undefined> {
    return (await this.#read(name, tag))?.digest;
  }

  /** Notes that the tag is about to point to the manifest, so that `untag` will find it. Comes before `put`. */
  async announce(name: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    await this.#storage.put(taggedKey(name, digest, tag), NOTHING);
  }

  /** Points the tag to a manifest that is there and was announced. */
  async put(name: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    await this.#storage.put(tagKey(name, tag), new TextEncoder().encode(digest));
  }

  /** Removes the tag. Answers whether there was one. */
  delete(name: RepositoryName, tag: Tag): Promise<boolean> {
    return this.#changes.alone(name, async () => {
      const found = await this.#read(name, tag);
      if (!found) return false;
      await this.#storage.delete(tagKey(name, tag));
      await this.#storage.delete(taggedKey(name, found.digest, tag));
      return true;
    });
  }

  /** Removes all tags that point to the manifest, and none that has moved on meanwhile. */
  async untag(name: RepositoryName, digest: Digest): Promise<void> {
    const prefix = taggedPrefix(name, digest);
    for (;;) {
      const keys = await this.#storage.list(prefix, { limit: TAGGED_PAGE });
      await mapParallel(keys, (key) => this.#untagOne(name, lastPart(key) as Tag, digest));
      if (keys.length < TAGGED_PAGE) return;
    }
  }

  /** The repository's tags, in byte order. */
  async list(name: RepositoryName, page: Page): Promise<Listed<Tag>> {
    if (page.limit === 0) return { entries: [], more: false };
    const after = page.last === undefined ? {} : { after: tagKey(name, page.last) };
    const keys = await this.#storage.list(tagsPrefix(name), { ...after, limit: page.limit + 1 });
    return cutPage(keys.map((key) => lastPart(key) as Tag), page.limit);
  }

  async #untagOne(name: RepositoryName, tag: Tag, digest: Digest): Promise<void> {
    const found = await this.#read(name, tag);
    if (found?.digest === digest) {
      try {
        await this.#storage.delete(tagKey(name, tag), { ifMatch: found.etag });
      } catch (error) {
        if (!(error instanceof PluginError && error.code === "conflict")) throw error;
      }
    }
    await this.#storage.delete(taggedKey(name, digest, tag));
  }

  async #read(name: RepositoryName, tag: Tag) {
    const value = await this.#storage.get(tagKey(name, tag));
    return value && { digest: new TextDecoder().decode(value.bytes) as Digest, etag: value.etag };
  }
}
