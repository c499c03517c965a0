import type { Cache } from "../../plugins/contract/cache.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import type { UploadId } from "../oci/upload.ts";

/** How long a fact is kept, in milliseconds: it never changes, but what nobody asks for need not be there. */
const TTL_MS = 24 * 3_600_000;
const END_TTL_MS = 10 * 60_000;
const CANCELLED = "cancelled";
const GOES_ON = "goes on: ";

/** How an upload has ended: as which blob, or as none. */
export type UploadOutcome = Digest | typeof CANCELLED;

/** What is known of an upload: how it has ended, or how it goes on. */
export type UploadFate =
  | { readonly outcome: UploadOutcome; readonly session?: undefined }
  | { readonly outcome?: undefined; readonly session: string };

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

  /** What has become of an upload, if that is known; `session` says by which URL it went on. */
  async upload(id: UploadId): Promise<UploadFate | undefined> {
    const found = await this.#cache?.get(uploadKey(id));
    if (!found) return undefined;
    const text = new TextDecoder().decode(found.bytes);
    if (text === CANCELLED || isDigest(text)) return { outcome: text };
    return text.startsWith(GOES_ON) ? { session: text.slice(GOES_ON.length) } : undefined;
  }

  /** Keeps for a while how an upload has ended: a client that did not hear of it asks again. */
  async keepEnd(id: UploadId, outcome: UploadOutcome): Promise<void> {
    await this.#cache?.put(uploadKey(id), new TextEncoder().encode(outcome), { ttlMs: END_TTL_MS });
  }

  /** Keeps for a while by which URL an upload goes on, for clients that do not follow it. */
  async keepSession(id: UploadId, session: string): Promise<void> {
    const bytes = new TextEncoder().encode(GOES_ON + session);
    await this.#cache?.put(uploadKey(id), bytes, { ttlMs: END_TTL_MS });
  }

  /** Forgets the size. */
  async forget(digest: Digest): Promise<void> {
    await this.#cache?.delete([sizeKey(digest)]);
  }
}

function uploadKey(id: UploadId): string {
  return `upload:${id}`;
}

function sizeKey(digest: Digest): string {
  return `size:${digest}`;
}

/** What somebody else may have written there is not believed, where it is no size. */
function parseSize(text: string): number | undefined {
  const size = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(size) ? size : undefined;
}
