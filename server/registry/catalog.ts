import type { Storage } from "../../plugins/contract/storage.ts";
import type { RepositoryName } from "../oci/name.ts";
import { cutPage, type Listed, type Page } from "../oci/page.ts";
import type { Tag } from "../oci/reference.ts";
import { CATALOG_PREFIX, catalogKey, nameAfter } from "./keys.ts";
import type { Tags } from "./tags.ts";

const NOTHING = new Uint8Array(0);

/** The repositories there are: each from its first manifest on. */
export class Catalog {
  readonly #storage: Storage;
  readonly #tags: Tags;

  constructor(storage: Storage, tags: Tags) {
    this.#storage = storage;
    this.#tags = tags;
  }

  /** Whether the repository exists. */
  async has(name: RepositoryName): Promise<boolean> {
    return await this.#storage.stat(catalogKey(name)) !== undefined;
  }

  /** Makes the repository exist. */
  async add(name: RepositoryName): Promise<void> {
    if (!await this.has(name)) await this.#storage.put(catalogKey(name), NOTHING);
  }

  /** The names of the repositories, in byte order. */
  async list(page: Page): Promise<Listed<RepositoryName>> {
    if (page.limit === 0) return { entries: [], more: false };
    const after = page.last === undefined ? {} : { after: catalogKey(page.last) };
    const keys = await this.#storage.list(CATALOG_PREFIX, { ...after, limit: page.limit + 1 });
    return cutPage(keys.map((key) => nameAfter(CATALOG_PREFIX, key)), page.limit);
  }

  /** All tags of all repositories as `<name>:<tag>`, in byte order of the name, then of the tag. */
  async listTags(page: Page): Promise<Listed<string>> {
    if (page.limit === 0) return { entries: [], more: false };
    const found: string[] = [];
    const [lastName = "", lastTag] = page.last?.split(":", 2) ?? [];
    const add = async (name: RepositoryName, last?: string) => {
      const limit = page.limit + 1 - found.length;
      const tags = await this.#tags.list(name, last === undefined ? { limit } : { limit, last });
      found.push(...tags.entries.map((tag: Tag) => `${name}:${tag}`));
    };
    if (lastTag !== undefined) await add(lastName as RepositoryName, lastTag);
    for (let last = lastName; found.length <= page.limit;) {
      const names = await this.list(last === "" ? { limit: 100 } : { limit: 100, last });
      for (const name of names.entries) if (found.length <= page.limit) await add(name);
      if (!names.more) break;
      last = names.entries.at(-1)!;
    }
    return cutPage(found, page.limit);
  }
}
