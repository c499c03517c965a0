import { PluginError, unlessConflict } from "../../plugins/contract/error.ts";
import type { ObjectFacts, OpenedObject, Storage, UrlRequest } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Span } from "../oci/range.ts";
import type { Asides } from "./asides.ts";
import type { Due } from "./due.ts";
import type { FactsCache } from "./facts_cache.ts";
import type { HotBlobs } from "./hot_blobs.ts";
import { blobKey } from "./keys.ts";
import type { Links } from "./links.ts";
import { elapsedMs, type Moment, moment, RecentlySeen } from "./recently_seen.ts";
import type { Removals } from "./removals.ts";
import type { Telling, ToldFacts } from "./told_facts.ts";
import type { UploadState } from "./upload_hashes.ts";
import { setYoungest } from "./youngest.ts";

const HOLDERS_ASKED_MAX = 100;
/** For how long an announcement is sure to be there: shorter than any grace time. */
const ANNOUNCED_MS = 500;
/** Of a store that is another machine, where collectors leave it for longer (`Garbage`). */
const ANNOUNCED_SHARED_MS = 5_000;
/** Far shorter than removals are announced, however far clocks are apart. */
const TOLD: Telling = { ttlMs: 60_000, ageMaxMs: 10 * 60_000 };

/** So long is it believed that the bytes are where a client is sent to. */
const PLACED_MS = 60_000;
const PLACED_MAX = 10_000;

/** That somebody will look whether the blob is needed. */
export interface Announcement {
  /** A moment before it was there, by `performance.now()`. */
  readonly announcedAtMs: number;
}

/** The blobs of repositories: bytes that are kept once, and links by which a repository has them. */
export class Blobs {
  readonly #storage: Storage;
  readonly #links: Links;
  readonly #due: Due;
  readonly #asides: Asides;
  readonly #facts: FactsCache;
  readonly #removals: Removals;
  readonly #shared: boolean;
  readonly #hot: HotBlobs | undefined;
  readonly #seen = new RecentlySeen();
  /** When bytes were seen in their place, of blobs that clients read by themselves. */
  readonly #placed = new Map<Digest, Moment>();
  readonly #told: ToldFacts;

  constructor(
    storage: Storage,
    { links, due, asides, facts, told, removals, shared, hot }: {
      readonly links: Links;
      readonly due: Due;
      readonly asides: Asides;
      readonly facts: FactsCache;
      readonly told: ToldFacts;
      readonly removals: Removals;
      /** As in `StorageFeatures`: each look is a request to another machine. */
      readonly shared: boolean;
      /** `undefined`: none is kept in memory. */
      readonly hot?: HotBlobs | undefined;
    },
  ) {
    this.#storage = storage;
    this.#asides = asides;
    this.#facts = facts;
    this.#told = told;
    this.#removals = removals;
    this.#shared = shared;
    this.#hot = hot;
    this.#links = links;
    this.#due = due;
  }

  /** The size in bytes of a blob that the repository has. What it has been told of stays for the grace time. */
  async stat(name: RepositoryName, digest: Digest): Promise<{ readonly size: number } | undefined> {
    const askedAt = moment();
    const [linked, blob] = await Promise.all([
      this.#links.rely(name, digest),
      this.#shared ? undefined : this.#storage.stat(blobKey(digest)),
    ]);
    if (!linked) return undefined;
    const found = blob ?? await this.#statBytes(digest);
    if (found) this.#seen.add(askedAt, name, digest);
    return found;
  }

  /** The same for whoever reads it next, and finds its bytes, or not: the size may come from the cache. */
  async find(name: RepositoryName, digest: Digest): Promise<{ readonly size: number } | undefined> {
    const [linked, size] = await Promise.all([this.#links.rely(name, digest), this.#facts.size(digest)]);
    if (!linked) return undefined;
    if (size !== undefined) return { size };
    const found = await this.#statBytes(digest);
    if (found) await this.#facts.keep(digest, found.size);
    return found;
  }

  /** Whether the repository has the blob, or had it a moment ago: for whoever looks at `Removals`, or looks again. */
  async hadLately(name: RepositoryName, digest: Digest): Promise<boolean> {
    if (this.#seen.has(name, digest)) return true;
    const askedAt = moment();
    if (!await this.#told.has(TOLD, "blob", name, digest)) return await this.has(name, digest);
    this.#seen.add(askedAt, name, digest);
    return true;
  }

  /** Whether the repository has the blob. */
  async has(name: RepositoryName, digest: Digest): Promise<boolean> {
    return await this.stat(name, digest) !== undefined;
  }

  /** Whether the repository has the blob now, which does not keep it: for whoever only looks. */
  async isThere(name: RepositoryName, digest: Digest): Promise<boolean> {
    const [link, blob] = await Promise.all([
      this.#links.get(name, digest),
      this.#storage.stat(blobKey(digest)),
    ]);
    return link !== undefined && blob !== undefined;
  }

  /** The bytes, or a part of them, of a blob that `stat` has found. */
  async open(digest: Digest, span?: Span): Promise<OpenedObject | undefined> {
    const hot = await this.#hot?.open(digest, span);
    if (hot) return hot;
    for (;;) {
      const opened = await this.#storage.open(blobKey(digest), span);
      if (opened) void this.#hot?.offer(digest, opened.size);
      if (opened || !await this.#asides.bringBack(digest)) return opened;
    }
  }

  /** Bytes were found whose size is another than `find` has said. */
  forgetSize(digest: Digest): Promise<void> {
    return this.#facts.forget(digest);
  }

  /** Where this client may read a blob that `stat` has found by itself; `undefined`: it is served from here. */
  async url(digest: Digest, request: UrlRequest): Promise<string | undefined> {
    const answered = await this.#storage.url?.(blobKey(digest), request);
    if (answered === undefined) return undefined;
    const url = URL.parse(answered);
    // What it says instead may be half a signature: it stands in no message.
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new PluginError(
        "failed",
        `Cannot send a client to ${blobKey(digest)}: the store's URL is none of HTTP`,
      );
    }
    return await this.#arePlaced(digest) ? url.href : undefined;
  }

  /** Whether the bytes are in their place, or were lately: what a collector has taken aside is brought back there. */
  async #arePlaced(digest: Digest): Promise<boolean> {
    const seen = this.#placed.get(digest);
    if (seen && elapsedMs(seen) < PLACED_MS) return true;
    const askedAt = moment();
    const found = await this.#statBytes(digest);
    if (found) setYoungest(this.#placed, digest, askedAt, PLACED_MAX);
    return found !== undefined;
  }

  /** Announces that the repository is about to have the blob, so that it is found should nothing come to need it. */
  async announce(name: RepositoryName, digest: Digest): Promise<Announcement> {
    const announcedAtMs = performance.now();
    await this.#due.add(name, digest);
    return { announcedAtMs };
  }

  /**
   * Makes an upload, whose digest has been computed of it in this state, a blob of the repository that was announced. The
   * link comes first: until the bytes are there it means nothing, and a crash leaves either the upload or the blob.
   * `undefined` where the upload is in another state by now.
   */
  async take(
    name: RepositoryName,
    digest: Digest,
    { key, state, announced }: {
      readonly key: string;
      readonly state: UploadState;
      readonly announced: Announcement;
    },
  ): Promise<boolean | undefined> {
    const { size, etag } = state;
    const condition = { ifSize: size, ...(etag !== undefined && { ifMatch: etag }) };
    const heldAt = moment();
    await this.#hold(name, digest, announced);
    const isTaken = await unlessConflict(this.#storage.move(key, blobKey(digest), condition));
    if (!isTaken) return isTaken;
    await Promise.all([this.#tell(heldAt, name, digest), this.#facts.keep(digest, size)]);
    return true;
  }

  /** Makes bytes whose digest has been computed a blob of the repository that was announced: the link first, as with `take`. */
  async put(
    name: RepositoryName,
    digest: Digest,
    { bytes, announced }: { readonly bytes: Uint8Array<ArrayBuffer>; readonly announced: Announcement },
  ): Promise<void> {
    const heldAt = moment();
    await this.#hold(name, digest, announced);
    await this.store(digest, bytes);
    await this.#tell(heldAt, name, digest);
  }

  /** Puts bytes whose digest has been computed where their blob is. No repository has it by that; it was announced, or soon goes. */
  async store(digest: Digest, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#storage.put(blobKey(digest), bytes);
    await this.#facts.keep(digest, bytes.byteLength);
  }

  /**
   * Makes bytes that were stored a blob of the repository; `since`: when, and how that was announced, if it is known. Answers whether they
   * are there still.
   */
  async link(name: RepositoryName, digest: Digest, since?: {
    readonly storedAt: Moment;
    readonly announced: Announcement;
  }): Promise<boolean> {
    const heldAt = moment();
    await this.#hold(name, digest, since?.announced ?? await this.announce(name, digest));
    const isSure = since !== undefined && this.#asides.keepsFor(elapsedMs(since.storedAt));
    if (!isSure && !await this.#statBytes(digest)) return false;
    await this.#tell(heldAt, name, digest);
    return true;
  }

  /** Remembers, and tells the other replicas, that the repository has the blob: what needs it is pushed next. */
  async #tell(seenAt: Moment, name: RepositoryName, digest: Digest): Promise<void> {
    this.#seen.add(seenAt, name, digest);
    await this.#told.tell(TOLD, "blob", name, digest);
  }

  /** The bytes that were stored, whole. */
  async bytes(digest: Digest): Promise<Uint8Array<ArrayBuffer> | undefined> {
    for (;;) {
      const value = await this.#storage.get(blobKey(digest));
      if (value || !await this.#asides.bringBack(digest)) return value?.bytes;
    }
  }

  /** Copies bytes that were stored. Answers whether they are there still. */
  async copy(digest: Digest, to: string): Promise<boolean> {
    for (;;) {
      const isCopied = await this.#storage.copy!(blobKey(digest), to);
      if (isCopied || !await this.#asides.bringBack(digest)) return isCopied;
    }
  }

  /**
   * Gives the repository a blob of another one: of `from`, or of any that `mayRead` allows. Answers whether it has it
   * now (distribution-spec, "Mounting a blob from another repository").
   */
  async mount(name: RepositoryName, digest: Digest, source: {
    readonly from: RepositoryName | undefined;
    readonly mayRead: (name: RepositoryName) => Promise<boolean>;
  }): Promise<boolean> {
    const holders = source.from ? [source.from] : await this.#links.holders(digest, HOLDERS_ASKED_MAX);
    for (const holder of holders) {
      if (!await source.mayRead(holder) || !await this.has(holder, digest)) continue;
      const announced = await this.announce(name, digest);
      await this.#hold(name, digest, announced);
      // The bytes were there before the link; only from now on does it keep them.
      return await this.has(name, digest);
    }
    return false;
  }

  /**
   * Takes the blob from the repository, unless `requireUnneeded` throws once it is condemned. Answers whether it had it.
   * The bytes stay until they are collected.
   */
  async delete(
    name: RepositoryName,
    digest: Digest,
    requireUnneeded: () => Promise<void>,
  ): Promise<boolean> {
    for (;;) {
      this.#seen.forget(name, digest);
      const condemned = await this.#links.condemn(name, digest);
      if (!condemned) return false;
      try {
        await this.#removals.announce(name);
        await requireUnneeded();
      } catch (error) {
        await this.#links.pardon(name, digest, condemned);
        throw error;
      }
      if (await this.#links.remove(name, digest, { condemned })) return true;
    }
  }

  /** Makes the link that was announced: so before it and after it, should either have taken long. */
  async #hold(name: RepositoryName, digest: Digest, announced: Announcement): Promise<void> {
    const renewed = await this.renew(name, digest, announced);
    await this.#links.hold(name, digest);
    await this.renew(name, digest, renewed);
  }

  /** Announces it again, where a collector that has found no link for the grace time may have struck that out. */
  async renew(name: RepositoryName, digest: Digest, announced: Announcement): Promise<Announcement> {
    const sureMs = this.#shared ? ANNOUNCED_SHARED_MS : ANNOUNCED_MS;
    const isSure = performance.now() - announced.announcedAtMs < sureMs;
    return isSure ? announced : await this.announce(name, digest);
  }

  async #statBytes(digest: Digest): Promise<ObjectFacts | undefined> {
    return await this.#storage.stat(blobKey(digest)) ?? await this.#asides.bringBack(digest);
  }
}
