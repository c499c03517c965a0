import { unlessConflict } from "../../plugins/contract/error.ts";
import type { ChangeOptions, Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Due } from "./due.ts";
import { linkKey, linksPrefix, nameAfter } from "./keys.ts";

const NOTHING = new Uint8Array(0);

/** A link that somebody wants to remove. */
export interface CondemnedLink {
  /** What it is told from others by, the same link condemned later among them. */
  readonly etag: string;
  /** Since when, in milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** A link as it is: an empty object; condemned, one with a text that no other has. */
export type Link = "held" | CondemnedLink;

/**
 * The links by which repositories have blobs. Who wants to remove a link condemns it first, then looks whether it is needed,
 * then removes it on the condition that it is still condemned as it was. Who relies on a link that is condemned takes
 * that back, or, where the removal was faster, finds it gone: one of the two gives way, in one process or in several.
 */
export class Links {
  readonly #storage: Storage;
  readonly #due: Due;

  constructor(storage: Storage, due: Due) {
    this.#storage = storage;
    this.#due = due;
  }

  /** Whether the repository has the link. It is not condemned then. */
  async rely(name: RepositoryName, digest: Digest): Promise<boolean> {
    const facts = await this.#storage.stat(linkKey(name, digest));
    if (!facts) return false;
    return facts.size === 0 || await this.#takeBack(name, digest);
  }

  /** The link as it is. */
  async get(name: RepositoryName, digest: Digest): Promise<Link | undefined> {
    const value = await this.#storage.get(linkKey(name, digest));
    if (!value) return undefined;
    return value.size === 0 ? "held" : { etag: value.etag, sinceMs: value.modifiedAtMs };
  }

  /** Makes the link. Somebody has it looked at later whether it is needed. */
  async hold(name: RepositoryName, digest: Digest): Promise<void> {
    await this.#storage.put(linkKey(name, digest), NOTHING);
  }

  /** Condemns the link, where there is one, held or condemned before. */
  async condemn(name: RepositoryName, digest: Digest): Promise<CondemnedLink | undefined> {
    const key = linkKey(name, digest);
    const text = new TextEncoder().encode(crypto.randomUUID());
    for (;;) {
      const value = await this.#storage.get(key);
      if (!value) return undefined;
      const put = this.#storage.put(key, text, { ifMatch: value.etag, lasting: false });
      const changed = await unlessConflict(put);
      if (changed) return { etag: changed.etag, sinceMs: Date.now() };
    }
  }

  /** Removes the link where it is condemned as it was. The bytes are looked at later. Answers whether it was. */
  async remove(
    name: RepositoryName,
    digest: Digest,
    { condemned, ...options }: ChangeOptions & { readonly condemned: CondemnedLink },
  ): Promise<boolean> {
    await this.#due.addBytes(digest, options);
    const removed = this.#storage.delete(linkKey(name, digest), { ...options, ifMatch: condemned.etag });
    return await unlessConflict(removed) ?? false;
  }

  /** Takes it back that the link is condemned, where it still is as it was. */
  async pardon(name: RepositoryName, digest: Digest, condemned: CondemnedLink): Promise<void> {
    await unlessConflict(
      this.#storage.put(linkKey(name, digest), NOTHING, { ifMatch: condemned.etag }),
    );
  }

  /** Repositories that have a link, condemned or not: `limit` at most. */
  async holders(digest: Digest, limit: number): Promise<RepositoryName[]> {
    const prefix = linksPrefix(digest);
    const keys = await this.#storage.list(prefix, { limit });
    return keys.map((key) => nameAfter(prefix, key));
  }

  async #takeBack(name: RepositoryName, digest: Digest): Promise<boolean> {
    for (;;) {
      const link = await this.get(name, digest);
      if (link === undefined) return false;
      if (link === "held") return true;
      await this.#due.add(name, digest);
      await this.pardon(name, digest, link);
    }
  }
}
