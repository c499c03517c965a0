import { PluginError } from "../../contract/error.ts";
import type { Bytes, ByteSpan } from "../../contract/storage.ts";
import type { Bucket } from "./bucket.ts";
import { chunksOf, joinChunks, joinStreams, readChunks, spanOfChunks, Tail } from "./chunks.ts";
import type { Copies } from "./copies.ts";
import {
  compact,
  decodeGrowth,
  encodeGrowth,
  grownSize,
  type Growth,
  isPlain,
  NOTHING_GROWN,
  type Part,
  restSize,
} from "./growth.ts";
import { GrowthCache } from "./growth_cache.ts";
import { PartBudget } from "./part_budget.ts";
import { giveBack, takeSegment } from "./segments.ts";

type Chunk = Uint8Array<ArrayBuffer>;
type Upload = NonNullable<Growth["upload"]>;

/** How objects grow. */
export interface GrowingSettings {
  /** Under which full keys parts become objects. */
  readonly asidePrefix: string;
  /** Least length of a part but the last, in bytes. */
  readonly partSize: number;
  /** Whether the store holds writers to conditions. */
  readonly conditions: boolean;
}

/** A growth as it was read, and the etag of the object that says so; none where there is no object. */
export interface ReadGrowth {
  readonly growth: Growth;
  readonly etag: string | undefined;
  /** What the last append has noted. */
  readonly note: string | undefined;
}

/** After so many parts the next ones are twice as long: 10,000 of them are all that there can be. */
const PARTS_OF_A_SIZE = 1_000;
/** While parts of more bytes than this are on their way, nobody reads on before their own has arrived. */
const READ_AHEAD_MAX = 16 * 1024 * 1024;

/** What is smaller waits for nobody. */
const SMALL_BYTES = 512 * 1024;

/** Objects that grow: see `growth.ts`. Keys are full ones. */
export class GrowingObjects {
  readonly #bucket: Bucket;
  readonly #copies: Copies;
  readonly #settings: GrowingSettings;
  readonly #cache = new GrowthCache();
  readonly #budget = new PartBudget();
  #underWay = 0;

  constructor(bucket: Bucket, copies: Copies, settings: GrowingSettings) {
    this.#bucket = bucket;
    this.#copies = copies;
    this.#settings = settings;
  }

  /** How far the object has grown, which must have the etag, where one is given. One that was put whole has grown, too. */
  async read(key: string, etag?: string): Promise<ReadGrowth | undefined> {
    const cached = this.#cache.get(key);
    if (cached && etag !== undefined && cached.etag === etag) return cached;
    const opened = await this.#bucket.open(key);
    if (!opened) return undefined;
    if (opened.grown !== undefined) {
      const growth = decodeGrowth(key, joinChunks(await readChunks(opened.body)));
      if (grownSize(growth) === opened.grown) return { growth, etag: opened.etag, note: opened.note };
      throw new PluginError(
        "failed",
        `Cannot read how far ${key} has grown: its state is not as long as it says`,
      );
    }
    const { etag: found, note } = opened;
    if (opened.size < this.#settings.partSize) {
      return { growth: { ...NOTHING_GROWN, rest: await readChunks(opened.body) }, etag: found, note };
    }
    await opened.body.cancel();
    return { growth: { ...NOTHING_GROWN, base: { key, size: opened.size } }, etag: found, note };
  }

  /** The same of an object that was appended to here last, if it has so many bytes; it may be another by now. */
  recall(key: string, size: number): ReadGrowth | undefined {
    const read = this.#cache.get(key);
    return read && grownSize(read.growth) === size ? read : undefined;
  }

  /** Adds `body` to an object that has `before`. What had arrived stays when it fails. Answers the length and the etag. */
  async append(
    key: string,
    before: ReadGrowth,
    { body, noteBytes }: { readonly body: Bytes; readonly noteBytes: number },
  ): Promise<{ readonly size: number; readonly etag: string }> {
    // Buffers that it shares are used again once they were sent.
    this.#cache.delete(key);
    const appending = new Appending(before);
    const tail = new Tail(noteBytes);
    let failure: { readonly error: unknown } | undefined;
    let etag: string;
    try {
      for await (const chunk of tail.before(chunksOf(body))) await this.#add(key, appending, chunk);
    } catch (error) {
      failure = { error };
    }
    try {
      await appending.sent;
      const note = failure ? undefined : tail.text;
      etag = await this.#write(key, appending.growth, { etag: before.etag, note });
    } catch (error) {
      await this.#takeBack(key, before.growth, appending.growth);
      throw error;
    } finally {
      appending.release?.();
    }
    const { base } = before.growth;
    if (base && !appending.growth.base && base.key !== key) await this.#bucket.delete(base.key);
    if (failure) throw failure.error;
    return { size: grownSize(appending.growth), etag };
  }

  /** The bytes of a growth, or a span of them. */
  async open(key: string, read: ReadGrowth, span: ByteSpan): Promise<Bytes> {
    const { base, rest } = await this.#settle(key, read);
    const inBase = Math.max(0, Math.min(span.length, (base?.size ?? 0) - span.offset));
    const opened = base && inBase > 0 &&
      await this.#bucket.open(base.key, { offset: span.offset, length: inBase });
    if (inBase > 0 && !opened) throw new PluginError("unavailable", `Cannot read ${key}: its parts are gone`);
    const offset = Math.max(0, span.offset - (base?.size ?? 0));
    const tail = spanOfChunks(rest, { offset, length: span.length - inBase });
    return joinStreams(opened ? opened.body : undefined, tail);
  }

  /** Makes what has grown the object `to`. What it grew from is left for `discard`. */
  async finish(key: string, { growth }: ReadGrowth, to: string): Promise<void> {
    if (!growth.upload && !growth.base) {
      await this.#bucket.put(to, growth.rest);
      return;
    }
    const { upload, base, rest } = growth.rest.length > 0 ? await this.#begin(key, growth) : growth;
    const whole = upload ? await this.#complete(key, upload, rest) : base!;
    if (!await this.#copies.copy(whole.key, to, whole.size)) {
      throw new PluginError("conflict", `Cannot finish ${key}: somebody else has ended it`);
    }
    if (upload) await this.#bucket.delete(upload.key);
  }

  /** Forgets what has become another object, save the one under its own key. */
  async forget(key: string, { base }: Growth): Promise<void> {
    this.#cache.delete(key);
    if (base && base.key !== key) await this.#bucket.delete(base.key);
  }

  /** Forgets what has grown, save the object under its own key. */
  async discard(key: string, growth: Growth): Promise<void> {
    const { upload } = growth;
    if (upload) await this.#bucket.abortMultipart(upload.key, upload.id);
    // One that was completed and not written down as such is an object.
    if (upload) await this.#bucket.delete(upload.key);
    await this.forget(key, growth);
  }

  async #add(key: string, appending: Appending, chunk: Chunk): Promise<void> {
    appending.take(chunk);
    const { rest } = appending.growth;
    const size = restSize({ rest });
    if (size >= SMALL_BYTES) appending.release ??= await this.#budget.take();
    if (size < this.#partSizeOf(appending.growth)) return;
    await appending.sent;
    await appending.check(() => this.#requireStill(key, appending.before));
    const begun = await this.#begin(key, appending.growth);
    appending.send({ ...begun, rest: [] }, this.#putPart(begun.upload!, rest), rest);
    if (this.#underWay > READ_AHEAD_MAX) await appending.sent;
  }

  /** What somebody else has begun must not be written over by those who remember it as it was. */
  async #requireStill(key: string, { growth, etag }: ReadGrowth): Promise<void> {
    if (!growth.upload || (await this.#bucket.head(key))?.etag === etag) return;
    throw changed(key);
  }

  /** Ends the multipart upload that an append has begun, where it was in vain: what was written may be there, its answer lost. */
  async #takeBack(key: string, before: Growth, { upload }: Growth): Promise<void> {
    if (!upload || upload.id === before.upload?.id) return;
    try {
      const now = await this.read(key);
      if (now?.growth.upload?.id === upload.id) return;
      await this.#bucket.abortMultipart(upload.key, upload.id);
    } catch {
      // Nobody can tell: it is swept up one day.
    }
  }

  #partSizeOf({ upload }: Growth): number {
    return this.#settings.partSize * 2 ** Math.floor((upload?.parts.length ?? 0) / PARTS_OF_A_SIZE);
  }

  /** The growth with a multipart upload. */
  async #begin(key: string, growth: Growth): Promise<Growth> {
    if (growth.upload) return growth;
    const aside = `${this.#settings.asidePrefix}${crypto.randomUUID()}`;
    const id = await this.#bucket.createMultipart(aside);
    try {
      const parts = growth.base ? await this.#copies.copyParts({ key: aside, id }, growth.base) : [];
      return { upload: { key: aside, id, parts }, base: undefined, rest: growth.rest };
    } catch (error) {
      await this.#bucket.abortMultipart(aside, id).catch(() => {});
      throw new PluginError("unavailable", `Cannot go on with ${key}: its parts cannot be copied`, {
        cause: error,
      });
    }
  }

  async #putPart({ key, id, parts }: Upload, body: readonly Chunk[]): Promise<Part> {
    const size = body.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#underWay += size;
    try {
      return { etag: await this.#bucket.putPart({ key, id, number: parts.length + 1 }, body), size };
    } finally {
      this.#underWay -= size;
    }
  }

  /** Makes the parts and the rest an object. Asked again after its answer was lost, or by another replica, it answers the same. */
  async #complete(key: string, upload: Upload, rest: readonly Chunk[] = []) {
    const size = grownSize({ upload, base: undefined, rest });
    if (await this.#tryComplete(upload, rest)) return { key: upload.key, size };
    const facts = await this.#bucket.head(upload.key);
    if (facts?.size === size) return { key: upload.key, size };
    throw new PluginError("conflict", `Cannot finish ${key}: somebody else has ended it`);
  }

  async #tryComplete(upload: Upload, rest: readonly Chunk[]): Promise<boolean> {
    try {
      const parts = rest.length > 0 ? [...upload.parts, await this.#putPart(upload, rest)] : upload.parts;
      return await this.#bucket.completeMultipart(upload.key, upload.id, parts.map(({ etag }) => etag));
    } catch (error) {
      if (error instanceof PluginError && error.code === "conflict") return false;
      throw error;
    }
  }

  /** The growth, none of which is in an upload: that can only be read once it is an object. */
  async #settle(key: string, { growth, etag, note }: ReadGrowth): Promise<Growth> {
    const { upload, rest } = growth;
    if (!upload) return growth;
    const base = upload.parts.length > 0 ? await this.#complete(key, upload) : undefined;
    const settled = { upload: undefined, base, rest };
    await this.#write(key, settled, { etag, note });
    return settled;
  }

  async #write(key: string, growth: Growth, { etag, note }: Omit<ReadGrowth, "growth">): Promise<string> {
    const condition = etag === undefined ? { ifAbsent: true as const } : { ifMatch: etag };
    this.#cache.delete(key);
    const put = await this.#bucket.put(key, isPlain(growth) ? growth.rest : encodeGrowth(growth), {
      ...(this.#settings.conditions && condition),
      ...(!isPlain(growth) && { grown: grownSize(growth) }),
      note,
    });
    if (put === undefined) throw changed(key);
    this.#cache.set(key, { growth: compact(growth), etag: put, note });
    return put;
  }
}

function changed(key: string): PluginError {
  return new PluginError("conflict", `Cannot append to ${key}: somebody else has changed it`);
}

/** An append that is under way: what has grown, and the part that is being sent. */
class Appending {
  readonly before: ReadGrowth;
  growth: Growth;
  /** Until the part that is being sent has arrived; its failure is what it fails with. */
  sent: Promise<void> = Promise.resolve();

  /** Ends the turn of the part that is being collected, once it is large enough for that to matter. */
  release: (() => void) | undefined;
  /** The last of the rest, and how much of it is filled. */
  #segment = new Uint8Array(0);
  #filled = 0;

  /** What is asked before the first part. */
  #checked: Promise<void> | undefined;

  constructor(before: ReadGrowth) {
    this.before = before;
    this.growth = before.growth;
  }

  /** Asks once. */
  check(ask: () => Promise<void>): Promise<void> {
    return this.#checked ??= ask();
  }

  /** Copies the chunk: the buffer that it lies in may be many times as long. */
  take(chunk: Chunk): void {
    const rest = [...this.growth.rest];
    for (let at = 0; at < chunk.byteLength;) {
      if (this.#filled === this.#segment.byteLength) {
        this.#segment = takeSegment();
        this.#filled = 0;
        rest.push(this.#segment);
      }
      const piece = chunk.subarray(at, at + this.#segment.byteLength - this.#filled);
      this.#segment.set(piece, this.#filled);
      this.#filled += piece.byteLength;
      at += piece.byteLength;
      rest[rest.length - 1] = this.#segment.subarray(0, this.#filled);
    }
    this.growth = { ...this.growth, rest };
  }

  /** The rest has become a part that is on its way. */
  send(growth: Growth, part: Promise<Part>, rest: readonly Chunk[]): void {
    this.growth = growth;
    this.#segment = new Uint8Array(0);
    this.#filled = 0;
    const { release } = this;
    this.release = undefined;
    this.sent = part.then((sent) => {
      const upload = this.growth.upload!;
      this.growth = { ...this.growth, upload: { ...upload, parts: [...upload.parts, sent] } };
      giveBack(rest);
    });
    this.sent.catch(() => {}).finally(release);
  }
}
