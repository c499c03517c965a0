import type { ObjectFacts, Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import { asideKey, asidePrefix, blobKey } from "./keys.ts";

const WITHOUT_WAITING = { lasting: false } as const;
const PAGE = 100;
/** Stores tell times in whole seconds, and clocks differ a little. */
const MARGIN_MS = 10_000;

/**
 * The bytes of blobs that collectors have taken aside. What is aside is removed only once nobody has a link to the blob and
 * once the move that brought it there cannot go on any more: a collector that was held up in the middle of one, on a store whose moves
 * are two steps, removes what is in the blob's place by then, and what is aside is all that there is.
 */
export class Asides {
  readonly #storage: Storage;
  readonly #moveMs: number;

  /** `moveMs`: as in `StorageFeatures`. */
  constructor(storage: Storage, { moveMs }: { readonly moveMs: number }) {
    this.#storage = storage;
    this.#moveMs = moveMs;
  }

  /** Whether bytes that were put into their place so long ago are there still, or aside: none of the latter has gone yet. */
  keepsFor(elapsedMs: number): boolean {
    return this.#moveMs > 0 && elapsedMs < MARGIN_MS / 2;
  }

  /** Takes the blob's bytes aside, if there are any. */
  async take(digest: Digest): Promise<void> {
    await this.#storage.move(blobKey(digest), asideKey(digest, crypto.randomUUID()), WITHOUT_WAITING);
  }

  /** Puts the blob's bytes back in their place, for whoever has a link to it and did not find them. */
  async bringBack(digest: Digest): Promise<ObjectFacts | undefined> {
    for (;;) {
      const keys = await this.#keys(digest);
      for (const key of keys) await this.#putBack(key, digest);
      const facts = await this.#storage.stat(blobKey(digest));
      // Another move may have taken them away again; each does so once.
      if (facts || keys.length === 0) return facts;
    }
  }

  /**
   * Decides on what is aside; `hasHolder` looks whether anybody has a link to the blob now. Answers the sizes of what was
   * removed for good, in bytes. What may not be decided yet stays.
   */
  async settle(digest: Digest, hasHolder: () => Promise<boolean>): Promise<number[]> {
    const removed: number[] = [];
    for (const key of await this.#keys(digest)) {
      const facts = await this.#storage.stat(key);
      // Before holders are looked for: until then one may make its link and rely on what is aside (`keepsFor`).
      const mayGo = facts !== undefined && !this.#isUnderWay(facts);
      const isHeld = await hasHolder();
      if (isHeld && await this.#putBack(key, digest) === "moved") continue;
      if (!mayGo) continue;
      if (await this.#storage.delete(key, WITHOUT_WAITING) && !isHeld) removed.push(facts.size);
    }
    return removed;
  }

  /** Whether the move that made the object may still be under way. */
  #isUnderWay({ modifiedAtMs }: ObjectFacts): boolean {
    return this.#moveMs > 0 && modifiedAtMs > Date.now() - this.#moveMs - MARGIN_MS;
  }

  /** Where moves are two steps, what is aside stays as long as one of them may be between the two. */
  async #putBack(key: string, digest: Digest): Promise<"moved" | "copied"> {
    if (this.#moveMs === 0) {
      await this.#storage.move(key, blobKey(digest), WITHOUT_WAITING);
      return "moved";
    }
    if (!await this.#storage.stat(blobKey(digest))) await this.#storage.copy!(key, blobKey(digest));
    return "copied";
  }

  #keys(digest: Digest): Promise<string[]> {
    return this.#storage.list(asidePrefix(digest), { limit: PAGE });
  }
}
