import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";

const ENTRIES_MAX = 10_000;
const LATELY_MS = 60_000;

/** The blobs that this process has found in repositories lately. */
export class RecentlySeen {
  readonly #seenAt = new Map<string, number>();

  add(name: RepositoryName, digest: Digest): void {
    const key = `${name}@${digest}`;
    this.#seenAt.delete(key);
    this.#seenAt.set(key, performance.now());
    if (this.#seenAt.size > ENTRIES_MAX) this.#seenAt.delete(this.#seenAt.keys().next().value!);
  }

  has(name: RepositoryName, digest: Digest): boolean {
    return performance.now() - (this.#seenAt.get(`${name}@${digest}`) ?? -Infinity) < LATELY_MS;
  }
}
