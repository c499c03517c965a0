/**
 * The storage contract on a bucket of an S3 store: the object `a/b` is the S3 object `a/b` after `key_prefix`. What S3 cannot
 * do in one step is in files of its own: objects that grow (`growing.ts`), copies of large ones (`copies.ts`).
 *
 * Keys that begin with `:` are the plugin's own: `:` is in no key of the contract.
 *
 * @module
 */

import { PluginError } from "../../contract/error.ts";
import type { CreatePlugin } from "../../contract/plugin.ts";
import {
  type AppendOptions,
  type Bytes,
  type ByteSpan,
  type DeleteCondition,
  type ListedKeys,
  type ListPage,
  type Location,
  type MoveCondition,
  type ObjectFacts,
  type OpenedObject,
  type PutCondition,
  type Storage,
  type StorageFeatures,
  type StoredValue,
  type UrlRequest,
  VALUE_BYTES_MAX,
} from "../../contract/storage.ts";
import { Bucket, type S3Facts } from "./bucket.ts";
import { joinChunks, joinStreams, readChunks } from "./chunks.ts";
import { Copies } from "./copies.ts";
import { GrowingObjects, type ReadGrowth } from "./growing.ts";
import { grownSize, isPlain, NOTHING_GROWN } from "./growth.ts";
import { listPage } from "./listing.ts";
import { probeConditions } from "./probe.ts";
import { type RedirectRule, redirectRule } from "./redirects.ts";
import { type Patience, readSettings, type S3Options } from "./settings.ts";
import { sweepAside } from "./sweep.ts";
import { createTransport } from "./transport.ts";

const ASIDE = ":aside/";
const PROBES = ":probe/";
const MOVE_MS = 20_000;
const START_MS_MAX = 4_000;
const SWEEP_MS = 6 * 60 * 60_000;

/** Opens the store in the bucket, and finds out what it can do. Fails where the bucket cannot be read and written. */
export const create: CreatePlugin<Storage, S3Options> = async (options) => {
  const settings = readSettings(options);
  const { bucket: name, keyPrefix, copies, partSize, urlLifetimeMs } = settings;
  const mayRedirect = redirectRule(settings.redirects);
  const bucket = new Bucket(createTransport(settings), { name });
  const hasty = createTransport({ ...settings, patience: hurried(settings.patience) });
  const conditions = await probeConditions(new Bucket(hasty, { name }), keyPrefix + PROBES);
  const copier = new Copies(bucket, copies);
  const asidePrefix = keyPrefix + ASIDE;
  const growing = new GrowingObjects(bucket, copier, { asidePrefix, partSize, conditions });
  setInterval(() => void sweepAside(bucket, asidePrefix), SWEEP_MS);
  return new S3Storage({ bucket, copies: copier, growing }, {
    keyPrefix,
    conditions,
    mayRedirect,
    urlLifetimeMs,
    isPlain: settings.ca === undefined && settings.encryption.by !== "customer",
  });
};

/** Whoever starts waits for what is wrong no longer than a plugin may take to start. */
function hurried({ requestMs, stallMs, budgetMs }: Patience): Patience {
  return {
    requestMs: Math.min(requestMs, START_MS_MAX),
    stallMs: Math.min(stallMs, START_MS_MAX),
    budgetMs: Math.min(budgetMs, START_MS_MAX),
  };
}

interface Parts {
  readonly bucket: Bucket;
  readonly copies: Copies;
  readonly growing: GrowingObjects;
}

/** In which state an object is moved; without an etag, in whatever one that is so long. */
interface MovedState {
  readonly size: number;
  readonly etag: string | undefined;
}

interface StorageSettings {
  readonly keyPrefix: string;
  readonly conditions: boolean;
  readonly mayRedirect: RedirectRule;
  readonly urlLifetimeMs: number;
  /** Whether an object can be read with its URL alone. */
  readonly isPlain: boolean;
}

class S3Storage implements Storage {
  readonly #bucket: Bucket;
  readonly #copies: Copies;
  readonly #growing: GrowingObjects;
  readonly #settings: StorageSettings;

  constructor({ bucket, copies, growing }: Parts, settings: StorageSettings) {
    this.#bucket = bucket;
    this.#copies = copies;
    this.#growing = growing;
    this.#settings = settings;
  }

  features(): Promise<StorageFeatures> {
    const { conditions } = this.#settings;
    return Promise.resolve({ shared: true, conditions, moveMs: MOVE_MS, notes: true });
  }

  async stat(key: string): Promise<ObjectFacts | undefined> {
    const facts = await this.#bucket.head(this.#full(key));
    return facts && factsOf(facts);
  }

  async get(key: string): Promise<StoredValue | undefined> {
    const opened = await this.#openWhole(this.#full(key));
    if (!opened) return undefined;
    const { body, etag, ...facts } = opened;
    if (facts.size > VALUE_BYTES_MAX) {
      await body.cancel();
      throw new PluginError(
        "failed",
        `Cannot get ${key}: ${facts.size} bytes are more than ${VALUE_BYTES_MAX}`,
      );
    }
    return { ...facts, etag, bytes: joinChunks(await readChunks(body)) };
  }

  async open(key: string, span?: ByteSpan): Promise<OpenedObject | undefined> {
    const full = this.#full(key);
    if (!span) return await this.#openWhole(full);
    // No range of S3's is empty.
    const facts = span.length === 0 ? await this.#bucket.head(full) : undefined;
    if (span.length === 0) return facts && { ...factsOf(facts), body: joinStreams(undefined, []) };
    const opened = await this.#bucket.open(full, span);
    if (opened?.grown === undefined) return opened && { ...factsOf(opened), body: opened.body };
    await opened.body.cancel();
    return await this.#openGrown(full, opened, span);
  }

  async put(
    key: string,
    bytes: Uint8Array<ArrayBuffer>,
    condition: PutCondition = {},
  ): Promise<{ readonly etag: string }> {
    if (bytes.byteLength > VALUE_BYTES_MAX) {
      throw new PluginError(
        "failed",
        `Cannot put ${key}: ${bytes.byteLength} bytes are more than ${VALUE_BYTES_MAX}`,
      );
    }
    const { ifAbsent, ifMatch } = condition;
    const etag = this.#settings.conditions
      ? await this.#bucket.put(this.#full(key), [bytes], { ifAbsent, ifMatch })
      : await this.#putChecked(key, bytes, condition);
    if (etag === undefined) {
      throw new PluginError("conflict", `Cannot put ${key}: the condition does not hold`);
    }
    return { etag };
  }

  async append(
    key: string,
    offset: number,
    body: Bytes,
    { noteBytes = 0, mustExist }: AppendOptions = {},
  ): Promise<Pick<ObjectFacts, "size" | "etag">> {
    const full = this.#full(key);
    try {
      const found = this.#recall(full, offset) ?? await this.#growing.read(full);
      if (!found && mustExist) throw new PluginError("conflict", `Cannot append to ${key}: it is not there`);
      const before = found ?? { growth: NOTHING_GROWN, etag: undefined, note: undefined };
      const size = grownSize(before.growth);
      if (size === offset) return await this.#growing.append(full, before, { body, noteBytes });
      throw new PluginError("conflict", `Cannot append to ${key}: it has ${size} bytes, not ${offset}`);
    } finally {
      if (!body.locked) await body.cancel().catch(() => {});
    }
  }

  async move(from: string, to: string, { ifSize, ifMatch }: MoveCondition = {}): Promise<boolean> {
    const [source, target] = [this.#full(from), this.#full(to)];
    if (ifSize !== undefined) return await this.#moveSized(source, target, { size: ifSize, etag: ifMatch });
    const facts = await this.#bucket.head(source);
    if (!facts) return false;
    if (facts.grown !== undefined) {
      return await this.#moveGrown(source, target, await this.#requireGrown(source, facts));
    }
    if (!await this.#copies.copy(source, target, facts.size)) return false;
    await this.#removeMoved(source, facts, target);
    return true;
  }

  async copy(from: string, to: string): Promise<boolean> {
    const facts = await this.#bucket.head(this.#full(from));
    return facts !== undefined && await this.#copies.copy(this.#full(from), this.#full(to), facts.size);
  }

  async delete(key: string, { ifMatch, withinMs }: DeleteCondition = {}): Promise<boolean> {
    const full = this.#full(key);
    const leftMs = countDown(withinMs);
    for (;;) {
      const facts = await this.#bucket.head(full);
      if (!facts) return false;
      if (ifMatch !== undefined && facts.etag !== ifMatch) {
        throw new PluginError("conflict", `Cannot delete ${key}: its etag is not ${ifMatch}`);
      }
      const read = facts.grown === undefined ? undefined : await this.#growing.read(full, facts.etag);
      if (read) await this.#growing.discard(full, read.growth);
      if (await this.#remove(full, { etag: facts.etag, withinMs: leftMs() })) return true;
    }
  }

  async list(prefix: string, page: ListPage): Promise<string[]> {
    return (await this.listPage(prefix, page)).keys;
  }

  listPage(prefix: string, { after, limit }: ListPage): Promise<ListedKeys & { readonly keys: string[] }> {
    return listPage(this.#bucket, { root: this.#settings.keyPrefix, prefix, after, limit });
  }

  /** What the server reads by itself it reads as anybody would: with no certificates or keys of its own. */
  async locate(key: string, access: "read" | "append"): Promise<Location | undefined> {
    if (access === "append" || !this.#settings.isPlain) return undefined;
    return await this.#bucket.locate(this.#full(key));
  }

  async url(key: string, { client, mediaType }: UrlRequest): Promise<string | undefined> {
    const { mayRedirect, urlLifetimeMs: lifetimeMs } = this.#settings;
    if (!mayRedirect(client)) return undefined;
    return await this.#bucket.url(this.#full(key), { lifetimeMs, mediaType });
  }

  #full(key: string): string {
    return this.#settings.keyPrefix + key;
  }

  async #openWhole(full: string): Promise<(OpenedObject & { readonly etag: string }) | undefined> {
    const opened = await this.#bucket.open(full);
    if (!opened) return undefined;
    const { etag, body } = opened;
    if (opened.grown === undefined) return { ...factsOf(opened), etag, body };
    await body.cancel();
    return { ...await this.#openGrown(full, opened, { offset: 0, length: opened.grown }), etag };
  }

  async #openGrown(full: string, facts: S3Facts, span: ByteSpan): Promise<OpenedObject> {
    const read = await this.#requireGrown(full, facts);
    return { ...factsOf(facts), body: await this.#growing.open(full, read, span) };
  }

  /** What this process remembers of an object that has so many bytes; it may have been changed, and only a condition tells. */
  #recall(full: string, size: number): ReadGrowth | undefined {
    return this.#settings.conditions ? this.#growing.recall(full, size) : undefined;
  }

  /** Of an object that is known to have been appended to: one read tells its state, and what it consists of. */
  async #moveSized(source: string, target: string, { size, etag }: MovedState): Promise<boolean> {
    const recalled = this.#recall(source, size);
    // The parts of an upload become an object once, or never; bytes that are in none may be others by now.
    const isSure = etag !== undefined && recalled?.etag === etag && !isPlain(recalled.growth);
    const read = isSure ? recalled : await this.#growing.read(source);
    if (!read) return false;
    const found = grownSize(read.growth);
    if (found === size && (etag === undefined || read.etag === etag)) {
      return await this.#moveGrown(source, target, read);
    }
    throw new PluginError("conflict", `Cannot move ${source}: it is in another state, of ${found} bytes`);
  }

  async #moveGrown(source: string, target: string, read: ReadGrowth): Promise<boolean> {
    await this.#growing.finish(source, read, target);
    await this.#growing.forget(source, read.growth);
    await this.#remove(source, { etag: read.etag! });
    return true;
  }

  /** Removes what was copied, in the time that is promised, which began with the copy by the store's own clock. */
  async #removeMoved(source: string, { etag }: S3Facts, target: string): Promise<void> {
    const copied = await this.#bucket.head(target);
    const withinMs = (copied?.modifiedAtMs ?? 0) + MOVE_MS - Date.now();
    if (withinMs < 1_000) {
      throw new PluginError("unavailable", `Cannot move ${source}: its copy came too late`);
    }
    await this.#remove(source, { etag, withinMs });
  }

  async #requireGrown(full: string, { etag, grown }: S3Facts): Promise<ReadGrowth> {
    const read = await this.#growing.read(full, etag);
    if (read && grownSize(read.growth) === grown) return read;
    throw new PluginError("conflict", `Cannot read ${full}: somebody else has changed it`);
  }

  /** Removes an object as it was seen. Answers `false` where it has become another. */
  #remove(
    full: string,
    { etag, withinMs }: { readonly etag: string; readonly withinMs?: number | undefined },
  ) {
    return this.#bucket.delete(full, { ...(this.#settings.conditions && { ifMatch: etag }), withinMs });
  }

  /** For stores that hold nobody to conditions: whoever asks holds a lock. */
  async #putChecked(key: string, bytes: Uint8Array<ArrayBuffer>, condition: PutCondition) {
    const { ifAbsent, ifMatch, withinMs } = condition;
    const leftMs = countDown(withinMs);
    if (ifAbsent || ifMatch !== undefined) {
      const facts = await this.#bucket.head(this.#full(key));
      if (ifAbsent ? facts : facts?.etag !== ifMatch) return undefined;
    }
    return await this.#bucket.put(this.#full(key), [bytes], { withinMs: leftMs() });
  }
}

/** What is left at each moment of a time that begins now. */
function countDown(withinMs: number | undefined): () => number | undefined {
  const untilMs = withinMs === undefined ? undefined : performance.now() + withinMs;
  return () => untilMs === undefined ? undefined : untilMs - performance.now();
}

function factsOf(
  { size, grown, modifiedAtMs, note, etag }: S3Facts,
): ObjectFacts & { readonly etag: string } {
  return { size: grown ?? size, modifiedAtMs, etag, ...(note !== undefined && { note }) };
}
