import type { Bucket } from "./bucket.ts";
import type { Part } from "./growth.ts";

/** How large objects are copied. */
export interface CopySettings {
  /** Larger objects are copied in parts, in bytes. */
  readonly threshold: number;
  /** Length of such a part, in bytes. */
  readonly chunkSize: number;
  /** How many of them are copied at once. */
  readonly jobs: number;
}

/** Copies within the bucket, whatever the size; no byte passes here. */
export class Copies {
  readonly #bucket: Bucket;
  readonly #settings: CopySettings;

  constructor(bucket: Bucket, settings: CopySettings) {
    this.#bucket = bucket;
    this.#settings = settings;
  }

  /** Copies an object of `size` bytes. Answers whether there was one. */
  async copy(from: string, to: string, size: number): Promise<boolean> {
    if (size <= this.#settings.threshold) return await this.#bucket.copy(from, to);
    const write = crypto.randomUUID();
    const id = await this.#bucket.createMultipart(to, write);
    try {
      const parts = await this.copyParts({ key: to, id }, { key: from, size });
      const isDone = await this.#bucket.completeMultipart(to, id, parts.map(({ etag }) => etag));
      // A try whose answer was lost may have completed it.
      return isDone || (await this.#bucket.head(to))?.write === write;
    } catch (error) {
      await this.#bucket.abortMultipart(to, id).catch(() => {});
      throw error;
    }
  }

  /** Makes an object the first parts of a multipart upload. None is on its way any more when it fails: a store keeps what comes after an abort. */
  async copyParts(
    upload: { readonly key: string; readonly id: string },
    from: { readonly key: string; readonly size: number },
  ): Promise<Part[]> {
    const length = Math.min(this.#settings.chunkSize, this.#settings.threshold);
    const spans = spansOf(from.size, length);
    const parts: Part[] = [];
    const left = [...spans.entries()].reverse();
    const work = async () => {
      try {
        for (let next; (next = left.pop());) {
          const [index, span] = next;
          const etag = await this.#bucket.copyPart({ ...upload, number: index + 1 }, from.key, span);
          parts[index] = { etag, size: span.length };
        }
      } finally {
        left.length = 0;
      }
    };
    const jobs = Array.from({ length: this.#settings.jobs }, work);
    await Promise.allSettled(jobs);
    await Promise.all(jobs);
    return parts;
  }
}

/** Spans of `length` bytes; the last one is longer, so that none is shorter than a part may be. */
function spansOf(size: number, length: number): { readonly offset: number; readonly length: number }[] {
  const count = Math.max(1, Math.floor(size / length));
  return Array.from({ length: count }, (_, index) => ({
    offset: index * length,
    length: index === count - 1 ? size - index * length : length,
  }));
}
