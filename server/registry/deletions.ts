import type { Storage } from "../../plugins/contract/storage.ts";
import { type Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import { deletionKey, DELETIONS_PREFIX, lastDigest, manifestKey, nameAfter } from "./keys.ts";
import type { Referrers } from "./referrers.ts";
import type { Tags } from "./tags.ts";

const RECOVER_PAGE = 1_000;

/**
 * Takes manifests from repositories, wholly. What is to be deleted is written down first and struck out last, so that
 * a deletion that a crash cuts short is ended at the next start. It happens at the moment the manifest goes; all
 * else that it removes means nothing without the manifest, and is left alone as long as there is one.
 */
export class Deletions {
  readonly #storage: Storage;
  readonly #tags: Tags;
  readonly #referrers: Referrers;

  constructor(storage: Storage, parts: { readonly tags: Tags; readonly referrers: Referrers }) {
    this.#storage = storage;
    this.#tags = parts.tags;
    this.#referrers = parts.referrers;
  }

  /** Takes the manifest, its tags and its place under its subject from the repository. */
  async run(name: RepositoryName, digest: Digest, subject: Digest | undefined): Promise<void> {
    const note = new TextEncoder().encode(JSON.stringify({ subject }));
    await this.#storage.put(deletionKey(name, digest), note);
    await this.#storage.delete(manifestKey(name, digest));
    await this.#end(name, digest, subject);
  }

  /** Ends what a crash has cut short. */
  async recover(): Promise<void> {
    for (;;) {
      const keys = await this.#storage.list(DELETIONS_PREFIX, { limit: RECOVER_PAGE });
      for (const key of keys) await this.#recoverOne(key);
      if (keys.length < RECOVER_PAGE) return;
    }
  }

  async #recoverOne(key: string): Promise<void> {
    const name = nameAfter(DELETIONS_PREFIX, key);
    const digest = lastDigest(key);
    const note = await this.#storage.get(key);
    if (!digest || !note) return;
    if (await this.#storage.stat(manifestKey(name, digest))) {
      await this.#storage.delete(key);
    } else {
      const { subject } = JSON.parse(new TextDecoder().decode(note.bytes)) as { subject?: Digest };
      await this.#end(name, digest, subject);
    }
  }

  async #end(name: RepositoryName, digest: Digest, subject: Digest | undefined): Promise<void> {
    await this.#tags.untag(name, digest);
    if (subject) await this.#referrers.remove(name, subject, digest);
    await this.#storage.delete(deletionKey(name, digest));
  }
}
