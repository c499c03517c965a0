import type { Cache } from "../../plugins/contract/cache.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import type { UploadId } from "../oci/upload.ts";

/** How long a fact is kept, in milliseconds: it never changes, but what nobody asks for need not be there. */
const TTL_MS = 24 * 3_600_000;
const END_TTL_MS = 10 * 60_000;
const CANCELLED = "cancelled";

/** How an upload has ended: as which blob, or as none. */
export type UploadOutcome = Digest | typeof CANCELLED;

/**
 * What is true of a digest for ever: how many bytes have it. That says nothing of whether they are anywhere, which the store alone
 * can say: the size of what is not there must not be answered as if it were. Whoever has learnt from the store that bytes are
 * gone, or were not what their digest says, forgets it; nothing is wrong where that is lost.
 */
export class FactsCache {
  readonly #cache: Cache | undefined;

  /** `undefined`: nothing is kept. */
  constructor(cache: Cache | undefined) {
    this.#cache = cache;
  }

  /** The size in bytes of what has this digest, if it is known. */
  async size(digest: Digest): Promise<number | undefined> {
    const found = await this.#cache?.get(sizeKey(digest));
    return found && parseSize(new TextDecoder().decode(found.bytes));
  }

  /** Keeps the size of bytes whose digest has been computed. */
  async keep(digest: Digest, size: number): Promise<void> {
    await this.#cache?.put(sizeKey(digest), new TextEncoder().encode(String(size)), { ttlMs: TTL_MS });
  }

  /** How an upload has ended, if that is known. */
  async end(id: UploadId): Promise<UploadOutcome | undefined> {
    const found = await this.#cache?.get(endKey(id));
    const text = found && new TextDecoder().decode(found.bytes);
    return text !== undefined && (text === CANCELLED || isDigest(text)) ? text : undefined;
  }

  /** Keeps for a while how an upload has ended: a client that did not hear of it asks again. */
  async keepEnd(id: UploadId, outcome: UploadOutcome): Promise<void> {
    await this.#cache?.put(endKey(id), new TextEncoder().encode(outcome), { ttlMs: END_TTL_MS });
  }

  /** Forgets the size. */
  async forget(digest: Digest): Promise<void> {
    await this.#cache?.delete([sizeKey(digest)]);
  }
}

function endKey(id: UploadId): string {
  return `end:${id}`;
}

function sizeKey(digest: Digest): string {
  return `size:${digest}`;
}

/** What somebody else may have written there is not believed, where it is no size. */
function parseSize(text: string): number | undefined {
  const size = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(size) ? size : undefined;
}
