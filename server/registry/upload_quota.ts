import type { Storage } from "../../plugins/contract/storage.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import { repositoryUploadsPrefix } from "./keys.ts";

/** Repositories whose count is remembered at most. */
const COUNTS_MAX = 10_000;

/**
 * Bounds how many uploads a repository has open. Counts in memory, and in the store only where it does not know, and before
 * it refuses: other processes begin and end uploads, too.
 */
export class UploadQuota {
  readonly #storage: Storage;
  readonly #openMax: number;
  readonly #counts = new Map<RepositoryName, number>();
  /** Under way; whoever asks meanwhile shares the answer. */
  readonly #recounts = new Map<RepositoryName, Promise<void>>();

  constructor(storage: Storage, openMax: number) {
    this.#storage = storage;
    this.#openMax = openMax;
  }

  /** Makes room for one more; TOOMANYREQUESTS where there is none. */
  async claim(name: RepositoryName): Promise<void> {
    if ((this.#counts.get(name) ?? this.#openMax) >= this.#openMax) await this.#recount(name);
    const count = this.#counts.get(name) ?? 0;
    if (count >= this.#openMax) {
      throw new OciError("TOOMANYREQUESTS", "Cannot begin an upload: the repository has too many open ones", {
        headers: { "Retry-After": "60" },
      });
    }
    this.#counts.set(name, count + 1);
  }

  /** One has ended. */
  release(name: RepositoryName): void {
    const count = this.#counts.get(name) ?? 0;
    if (count > 0) this.#counts.set(name, count - 1);
    else this.#counts.delete(name);
  }

  #recount(name: RepositoryName): Promise<void> {
    const known = this.#recounts.get(name);
    if (known) return known;
    const recount = this.#countStored(name).finally(() => this.#recounts.delete(name));
    this.#recounts.set(name, recount);
    return recount;
  }

  async #countStored(name: RepositoryName): Promise<void> {
    const open = await this.#storage.list(repositoryUploadsPrefix(name), { limit: this.#openMax });
    if (this.#counts.size >= COUNTS_MAX) this.#counts.clear();
    this.#counts.set(name, open.length);
  }
}
