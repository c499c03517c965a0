import type { OpenedObject, Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Span } from "../oci/range.ts";
import { blobKey, blobLinkKey, holderKey, holdersPrefix, nameAfter } from "./keys.ts";

const NOTHING = new Uint8Array(0);
const HOLDERS_ASKED_MAX = 100;

/** The blobs of repositories: bytes that are kept once, and links by which a repository has them. */
export class Blobs {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The size in bytes of a blob that the repository has. */
  async stat(name: RepositoryName, digest: Digest): Promise<{ readonly size: number } | undefined> {
    const [link, blob] = await Promise.all([
      this.#storage.stat(blobLinkKey(name, digest)),
      this.#storage.stat(blobKey(digest)),
    ]);
    return link && blob;
  }

  /** Whether the repository has the blob. */
  async has(name: RepositoryName, digest: Digest): Promise<boolean> {
    return await this.stat(name, digest) !== undefined;
  }

  /** The bytes, or a part of them, of a blob that `stat` has found. */
  open(digest: Digest, span?: Span): Promise<OpenedObject | undefined> {
    return this.#storage.open(blobKey(digest), span);
  }

  /**
   * Makes the upload's bytes, whose digest has been computed, a blob of the repository. The link comes first: until the bytes
   * are there it means nothing, and a crash leaves either the upload or the blob.
   */
  async take(name: RepositoryName, digest: Digest, uploadKey: string): Promise<boolean> {
    await Promise.all([this.#hold(name, digest), this.#link(name, digest)]);
    return await this.#storage.move(uploadKey, blobKey(digest));
  }

  /**
   * Gives the repository a blob of another one: of `from`, or of any that `mayRead` allows. Answers whether it has it
   * now (distribution-spec, "Mounting a blob from another repository").
   */
  async mount(name: RepositoryName, digest: Digest, source: {
    readonly from: RepositoryName | undefined;
    readonly mayRead: (name: RepositoryName) => Promise<boolean>;
  }): Promise<boolean> {
    const holders = source.from ? [source.from] : await this.#holders(digest);
    for (const holder of holders) {
      if (!await source.mayRead(holder) || !await this.stat(holder, digest)) continue;
      await this.#hold(name, digest);
      await this.#link(name, digest);
      return true;
    }
    return false;
  }

  /** Takes the blob from the repository. Answers whether it had it. The bytes stay until they are collected. */
  async delete(name: RepositoryName, digest: Digest): Promise<boolean> {
    const had = await this.#storage.delete(blobLinkKey(name, digest));
    if (had) await this.#storage.delete(holderKey(digest, name));
    return had;
  }

  /** Undoes a `delete`, while the bytes are still there. */
  async restore(name: RepositoryName, digest: Digest): Promise<void> {
    await this.#hold(name, digest);
    await this.#link(name, digest);
  }

  async #hold(name: RepositoryName, digest: Digest): Promise<void> {
    await this.#storage.put(holderKey(digest, name), NOTHING);
  }

  async #link(name: RepositoryName, digest: Digest): Promise<void> {
    await this.#storage.put(blobLinkKey(name, digest), NOTHING);
  }

  async #holders(digest: Digest): Promise<RepositoryName[]> {
    const prefix = holdersPrefix(digest);
    const keys = await this.#storage.list(prefix, { limit: HOLDERS_ASKED_MAX });
    return keys.map((key) => nameAfter(prefix, key));
  }
}
