import type { Bytes, OpenedObject, Storage } from "../../plugins/contract/storage.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import type { Span } from "../oci/range.ts";
import { chunksOf } from "./bytes.ts";
import { Hasher } from "./hash.ts";
import { blobKey } from "./keys.ts";
import { setYoungest } from "./youngest.ts";

/** Within what time a blob is to be asked for a second time, to be taken in. */
const ASKED_LATELY_MS = 5 * 60_000;
const ASKS_MAX = 10_000;
/** How long a blob that could not be taken in is let alone. */
const PAUSE_MS = 10 * 60_000;
/** For how long it is believed that the store still has what it was seen to have. */
const SEEN_LATELY_MS = 60_000;
const FILLS_MAX = 2;
/** What a blob is counted for besides its bytes: many small ones keep to the bound, too. */
const ENTRY_BYTES = 1024;
/** Of one read. Larger pieces are no faster, and smaller ones are more of them. */
const PIECE_BYTES = 256 * 1024;
/** So much the runtime may still have in its hands when the last of a blob was read: the piece that is on its way, and the next one. */
const TAIL_BYTES = 2 * PIECE_BYTES;

/** Bounds of `HotBlobs`, and who hears of it. */
export interface HotBlobsOptions {
  /** How many bytes are kept, now; 0: none. */
  readonly bytesMax: () => number;
  /** Told why a blob could not be taken in: its bytes were not what they should be, or the store failed. */
  readonly onFailure: (digest: Digest, error: Error) => void;
  /** A clock that only runs on, in milliseconds. */
  readonly now?: () => number;
}

interface HotBlob {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly modifiedAtMs: number;
  /** Who is being sent it: its memory is not free before they have ended. */
  readers: number;
  askedAtMs: number;
  /** When the store was seen to have it. */
  seenAtMs: number;
}

/**
 * Whole blobs in memory that are asked for again and again, over a store that is another machine. Each was read once, and is
 * what its digest says. Which repository has it, and who may read it, is not known here: whoever opens one has asked for that.
 *
 * What is kept makes room only for what was asked for twice since: so blobs that are too many for the memory take turns in
 * the store, not in here. What is being taken in, and what is being sent, counts as kept.
 */
export class HotBlobs {
  readonly #storage: Storage;
  readonly #options: HotBlobsOptions;
  readonly #now: () => number;
  /** The one that was asked for longest ago is the first. */
  readonly #kept = new Map<Digest, HotBlob>();
  readonly #filling = new Set<Digest>();
  /** When those that are not kept were asked for last; where that is yet to come, they are let alone until then. */
  readonly #asks = new Map<Digest, number>();
  #bytes = 0;

  constructor(storage: Storage, options: HotBlobsOptions) {
    this.#storage = storage;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** The bytes, or a part of them, of a blob that is in memory, unless the store has it no more. */
  async open(digest: Digest, span?: Span): Promise<OpenedObject | undefined> {
    this.#shrink();
    const hot = this.#kept.get(digest);
    if (!hot) return undefined;
    hot.askedAtMs = this.#now();
    this.#kept.delete(digest);
    this.#kept.set(digest, hot);
    if (!await this.#isStored(digest, hot)) return undefined;
    return { size: hot.bytes.byteLength, modifiedAtMs: hot.modifiedAtMs, body: piecesOf(hot, span) };
  }

  /**
   * Tells that somebody had to read a blob of so many bytes from the store. One for which that is the second time lately is read once
   * more, and taken in; the promise is for whoever waits for that, and is never rejected.
   */
  async offer(digest: Digest, size: number): Promise<void> {
    const now = this.#now();
    const before = this.#ask(digest, now);
    if (before === undefined || before > now || now - before > ASKED_LATELY_MS) return;
    if (this.#kept.has(digest) || this.#filling.has(digest) || this.#filling.size >= FILLS_MAX) return;
    if (this.#makeRoom(costOf(size), before)) await this.#fill(digest, size);
  }

  /** Answers when it was asked for before. */
  #ask(digest: Digest, now: number): number | undefined {
    const before = this.#asks.get(digest);
    setYoungest(this.#asks, digest, Math.max(now, before ?? 0), ASKS_MAX);
    return before;
  }

  /** What the store has lost is not to be hidden by what is here for long. */
  async #isStored(digest: Digest, hot: HotBlob): Promise<boolean> {
    const now = this.#now();
    if (now - hot.seenAtMs < SEEN_LATELY_MS) return true;
    const facts = await this.#storage.stat(blobKey(digest));
    const isThere = facts?.size === hot.bytes.byteLength;
    if (isThere) hot.seenAtMs = now;
    else if (this.#kept.get(digest) === hot) this.#drop(digest, hot);
    return isThere;
  }

  async #fill(digest: Digest, size: number): Promise<void> {
    const cost = costOf(size);
    this.#filling.add(digest);
    this.#bytes += cost;
    const startedAtMs = this.#now();
    try {
      const { bytes, modifiedAtMs } = await readWhole(this.#storage, digest, size);
      const hot = { bytes, modifiedAtMs, readers: 0, askedAtMs: this.#now(), seenAtMs: startedAtMs };
      this.#kept.set(digest, hot);
      this.#asks.delete(digest);
      this.#shrink();
    } catch (error) {
      this.#bytes -= cost;
      this.#asks.set(digest, startedAtMs + PAUSE_MS);
      this.#options.onFailure(digest, error as Error);
    } finally {
      this.#filling.delete(digest);
    }
  }

  /** Room for so many bytes, from what was not asked for since; answers whether there is, and else takes none. */
  #makeRoom(bytes: number, sinceMs: number): boolean {
    let free = this.#options.bytesMax() - this.#bytes;
    const leaving: [Digest, HotBlob][] = [];
    for (const [digest, hot] of this.#kept) {
      if (free >= bytes || hot.askedAtMs >= sinceMs) break;
      if (hot.readers > 0) continue;
      leaving.push([digest, hot]);
      free += costOf(hot.bytes.byteLength);
    }
    if (free < bytes) return false;
    for (const [digest, hot] of leaving) this.#drop(digest, hot);
    return true;
  }

  /** Keeps to a bound that has become less. */
  #shrink(): void {
    for (const [digest, hot] of this.#kept) {
      if (this.#bytes <= this.#options.bytesMax()) return;
      if (hot.readers === 0) this.#drop(digest, hot);
    }
  }

  #drop(digest: Digest, { bytes }: HotBlob): void {
    this.#kept.delete(digest);
    this.#bytes -= costOf(bytes.byteLength);
  }
}

function costOf(size: number): number {
  return size + ENTRY_BYTES;
}

/** All bytes of a blob, once they are known to be what they should be. */
async function readWhole(
  storage: Storage,
  digest: Digest,
  size: number,
): Promise<Pick<HotBlob, "bytes" | "modifiedAtMs">> {
  const bytes = new Uint8Array(size);
  const opened = await storage.open(blobKey(digest));
  if (!opened) throw new Error(`Cannot keep ${digest} in memory: the store has it no more`);
  const hasher = new Hasher(digestAlgorithm(digest));
  for await (const chunk of chunksOf(opened.body)) {
    if (hasher.length + chunk.byteLength > size) throw otherBytes(digest, size);
    bytes.set(chunk, hasher.length);
    hasher.update(chunk);
  }
  if (hasher.length !== size || hasher.digest() !== digest) throw otherBytes(digest, size);
  return { bytes, modifiedAtMs: opened.modifiedAtMs };
}

function otherBytes(digest: Digest, size: number): Error {
  return new Error(`Cannot keep ${digest} in memory: the store answers other bytes than these ${size}`);
}

/**
 * A stream of views: nothing but the tail is copied, however many read at once and however slowly. It must not be a byte stream, which
 * would take the memory away from all others.
 */
function piecesOf(
  hot: HotBlob,
  { offset, length }: Span = { offset: 0, length: hot.bytes.byteLength },
): Bytes {
  const { bytes } = hot;
  let rest = bytes.subarray(offset, offset + length);
  let isReading = false;
  const setReading = (isNow: boolean) => {
    if (isNow !== isReading) hot.readers += isNow ? 1 : -1;
    isReading = isNow;
  };
  return new ReadableStream({
    pull(controller) {
      const piece = rest.subarray(0, PIECE_BYTES);
      // A client that takes long over the tail does not count any more, and must not hold the whole blob by it.
      const sent = rest.byteLength > TAIL_BYTES ? piece : piece.slice();
      rest = rest.subarray(PIECE_BYTES);
      setReading(rest.byteLength > 0);
      if (sent.byteLength > 0) controller.enqueue(sent);
      if (!isReading) controller.close();
    },
    cancel: () => setReading(false),
  }, { highWaterMark: 0 });
}
