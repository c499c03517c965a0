import type { ChangeOptions, Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import { dueBytesKey, dueKey } from "./keys.ts";

/**
 * What may have become garbage, so that collection looks at nothing else: the blobs that a repository may need no more, and
 * those that no repository may. An entry that is written again differs from what it was: a collector that has judged the
 * one before does not strike it out.
 */
export class Due {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Has it looked at whether the repository needs the blob. */
  async add(name: RepositoryName, digest: Digest): Promise<void> {
    await this.#storage.put(dueKey(name, digest), mark());
  }

  /** Has it looked at whether any repository has the blob. */
  async addBytes(digest: Digest, options: ChangeOptions = {}): Promise<void> {
    await this.#storage.put(dueBytesKey(digest), mark(), options);
  }
}

function mark(): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(crypto.randomUUID());
}
