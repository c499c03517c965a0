import { PluginError } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Reference, Tag } from "../oci/reference.ts";
import type { Blobs } from "./blobs.ts";
import type { Catalog } from "./catalog.ts";
import { Deletions } from "./deletions.ts";
import type { Due } from "./due.ts";
import { digestBytes } from "./hash.ts";
import { lastDigest, manifestsPrefix } from "./keys.ts";
import { ManifestObjects, type NewManifest, type StoredManifest } from "./manifest_objects.ts";
import type { SharedMutex } from "./mutex.ts";
import { mapParallel } from "./parallel.ts";
import { moment } from "./recently_seen.ts";
import { References } from "./references.ts";
import { describeReferrer, type Referrers } from "./referrers.ts";
import type { Removals } from "./removals.ts";
import type { TagStamps } from "./tag_stamps.ts";
import { TaggedReads } from "./tagged_reads.ts";
import type { Doer, Tags } from "./tags.ts";
import { UnfinishedPushes } from "./unfinished_pushes.ts";

export type { StoredManifest };

/** A manifest to be stored. */
export interface ManifestPush extends Doer {
  /** The digest that the client says it has; `undefined`: whatever it has. */
  readonly digest?: Digest | undefined;
  /** The tags to point to it. */
  readonly tags: readonly Tag[];
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string | undefined;
}

/** What was stored. */
export interface PushedManifest {
  readonly digest: Digest;
  readonly subject?: Digest;
}

/** A manifest of the repository, and what it says. */
export interface ScannedManifest {
  readonly stored: StoredManifest;
  readonly manifest: Manifest;
}

const SCAN_PAGE = 1_000;
const ATTEMPTS_MAX = 20;

/** The manifests of repositories. */
export class Manifests {
  readonly #storage: Storage;
  readonly #tags: Tags;
  readonly #stamps: TagStamps;
  readonly #referrers: Referrers;
  readonly #catalog: Catalog;
  readonly #objects: ManifestObjects;
  readonly #deletions: Deletions;
  readonly #references: References;
  readonly #unfinished: UnfinishedPushes;
  readonly #taggedReads: TaggedReads;
  readonly #changes: SharedMutex;

  constructor(
    storage: Storage,
    parts: {
      readonly blobs: Blobs;
      readonly tags: Tags;
      readonly stamps: TagStamps;
      readonly referrers: Referrers;
      readonly catalog: Catalog;
      readonly due: Due;
      readonly removals: Removals;
      readonly changes: SharedMutex;
      /** As in `StorageFeatures`. */
      readonly shared: boolean;
    },
  ) {
    this.#storage = storage;
    this.#tags = parts.tags;
    this.#stamps = parts.stamps;
    this.#referrers = parts.referrers;
    this.#catalog = parts.catalog;
    this.#changes = parts.changes;
    this.#objects = new ManifestObjects(storage);
    this.#taggedReads = new TaggedReads(parts.tags, this.#objects);
    this.#references = new References(this.#objects, parts);
    this.#unfinished = new UnfinishedPushes(this.#objects, parts);
    this.#deletions = new Deletions(storage, { ...parts, objects: this.#objects });
  }

  /** A manifest, by tag or digest. */
  async get(name: RepositoryName, reference: Reference): Promise<StoredManifest | undefined> {
    const { tag, digest } = reference;
    return await (digest === undefined ? this.#taggedReads.get(name, tag) : this.#objects.get(name, digest));
  }

  /**
   * Stores a manifest, then points its tags to it. MANIFEST_INVALID, DIGEST_INVALID or MANIFEST_BLOB_UNKNOWN where it
   * cannot be.
   */
  async put(name: RepositoryName, push: ManifestPush): Promise<PushedManifest> {
    const digest = digestBytes(push.digest ? digestAlgorithm(push.digest) : "sha256", push.bytes);
    if (push.digest && push.digest !== digest) {
      throw new OciError("DIGEST_INVALID", "Cannot store the manifest: its bytes have another digest", {
        detail: { digest: push.digest, computed: digest },
      });
    }
    const manifest = parseManifest(push.bytes, push.contentType);
    await this.#changes.together(name, async () => {
      await mapParallel(push.tags, (tag) => this.#tags.requireMovable(name, tag, digest));
      await this.#references.look(name, manifest);
      await this.#putWhole(name, { digest, manifest, push });
    });
    for (const tag of push.tags) this.#taggedReads.expect(name, tag, digest);
    return { digest, ...(manifest.subject && { subject: manifest.subject.digest }) };
  }

  /** Takes a manifest and all its tags from the repository. Answers whether it had it. DENIED by an immutable tag. */
  async delete(name: RepositoryName, digest: Digest, doer: Doer = {}): Promise<boolean> {
    for (;;) {
      await this.#unfinished.end(name, digest);
      const deleted = await this.#changes.alone(name, async () => {
        const requireDeletable = () => this.#requireDeletable(name, digest);
        await requireDeletable();
        return await this.#deleteFinished(name, digest, { ...doer, requireDeletable });
      });
      if (deleted !== "unfinished") return deleted;
    }
  }

  /**
   * The same of many, of which nothing that stays may need any, unless `requireDeletable` throws: nothing is pushed meanwhile in
   * this process. One that is being pushed stays. Answers how many it had.
   */
  async deleteMany(
    name: RepositoryName,
    digests: readonly Digest[],
    { requireDeletable, ...doer }: Doer & { readonly requireDeletable: () => Promise<void> },
  ): Promise<number> {
    await mapParallel(digests, (digest) => this.#unfinished.end(name, digest));
    return await this.#changes.alone(name, async () => {
      await requireDeletable();
      const deleted = await mapParallel(digests, (digest) => {
        const requireTags = () => this.#tags.requireDeletable(name, digest);
        return this.#deleteFinished(name, digest, { ...doer, requireDeletable: requireTags });
      });
      return deleted.filter((outcome) => outcome === true).length;
    });
  }

  /**
   * The same of manifests that nobody asked to delete, none of which lists another. Once all are condemned `findNeeded` answers
   * those that stay; and so does what anybody has come to rely on since, by a push or another manifest. Answers those that
   * went.
   */
  deleteUnneeded(
    name: RepositoryName,
    digests: readonly Digest[],
    findNeeded: () => Promise<ReadonlySet<Digest>>,
  ): Promise<Digest[]> {
    return this.#changes.alone(name, async () => {
      await mapParallel(digests, (digest) => this.#tags.requireDeletable(name, digest));
      const found = await mapParallel(digests, (digest) => this.#objects.condemn(name, digest));
      const condemned = found.filter((item) => item !== undefined);
      try {
        const arePushed = await mapParallel(
          condemned,
          ({ manifest }) => this.#unfinished.mayAnswer(name, manifest),
        );
        const needed = await findNeeded();
        const unneeded = condemned.filter(({ manifest }, index) =>
          !arePushed[index] && !needed.has(manifest.digest)
        );
        const gone = await mapParallel(
          unneeded,
          ({ manifest, etag }) => this.#deletions.run(name, manifest, { etag }),
        );
        return unneeded.flatMap(({ manifest }, index) => gone[index] ? [manifest.digest] : []);
      } finally {
        await mapParallel(condemned, (item) => this.#objects.pardon(name, item));
      }
    });
  }

  /** Deletes a manifest, unless a push may be about to set a tag to it, or, where tags may be immutable, `requireDeletable` throws. */
  async #deleteFinished(
    name: RepositoryName,
    digest: Digest,
    { requireDeletable, ...doer }: Doer & { readonly requireDeletable: () => Promise<void> },
  ): Promise<boolean | "unfinished"> {
    const mayGo = async (manifest: StoredManifest) => {
      if (await this.#unfinished.mayHave(name, manifest)) return false;
      await requireDeletable();
      return true;
    };
    for (;;) {
      const found = await this.#objects.find(name, digest);
      if (!found) return false;
      const { manifest, etag } = found;
      if (await this.#unfinished.mayHave(name, manifest)) return "unfinished";
      // Of one that was deleted by another and pushed anew meanwhile nothing was looked at.
      const isGone = this.#tags.hasImmutable(name)
        ? await this.#deletions.runCondemned(name, digest, { ...doer, mayGo })
        : await this.#deletions.run(name, manifest, { ...doer, etag });
      if (isGone) return true;
    }
  }

  /** DENIED where an immutable tag points to the manifest, or to an index that lists it, at whatever depth. */
  async #requireDeletable(name: RepositoryName, digest: Digest, seen = new Set<Digest>()): Promise<void> {
    await this.#tags.requireDeletable(name, digest);
    if (!this.#tags.hasImmutable(name)) return;
    seen.add(digest);
    for await (const parent of this.#referrersOf(name, digest)) {
      if (!seen.has(parent)) await this.#requireDeletable(name, parent, seen);
    }
  }

  /** Ends the deletions that a crash has cut short. */
  async recover(): Promise<void> {
    await this.#deletions.recover();
  }

  /** The repository's first manifest found that refers to the blob. */
  async findReferrerOf(name: RepositoryName, blob: Digest): Promise<Digest | undefined> {
    for await (const referrer of this.#referrersOf(name, blob)) return referrer;
    return undefined;
  }

  /** The repository's manifests, in no order. Fails where one of them cannot be read. */
  async *scan(name: RepositoryName): AsyncGenerator<ScannedManifest> {
    for await (const digests of this.pages(name)) {
      const found = await mapParallel(digests, (digest) => this.#objects.get(name, digest));
      for (const stored of found) {
        if (stored) yield { stored, manifest: parseManifest(stored.bytes, stored.mediaType) };
      }
    }
  }

  /** The digests of the repository's manifests, some at a time. */
  async *pages(name: RepositoryName): AsyncGenerator<readonly Digest[]> {
    const prefix = manifestsPrefix(name);
    let keys = await this.#storage.list(prefix, { limit: SCAN_PAGE });
    while (keys.length > 0) {
      yield keys.map(lastDigest).filter((digest) => digest !== undefined);
      keys = await this.#storage.list(prefix, { after: keys.at(-1)!, limit: SCAN_PAGE });
    }
  }

  /** The repository's manifests that refer to a blob or to another manifest. */
  async *#referrersOf(name: RepositoryName, content: Digest): AsyncGenerator<Digest> {
    for await (const { stored, manifest } of this.scan(name)) {
      const refers = [...manifest.blobs, ...manifest.children].some(({ digest }) => digest === content);
      if (refers) yield stored.digest;
    }
  }

  /** All of a push, begun anew where somebody took a part of it away meanwhile. */
  async #putWhole(name: RepositoryName, push: Omit<NewPush, "id">): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (await this.#tryPut(name, { ...push, id: crypto.randomUUID() })) return;
    }
    throw new PluginError("unavailable", `Cannot store a manifest of ${name}: it is deleted again and again`);
  }

  /** Answers whether the manifest and its tags are there. */
  async #tryPut(name: RepositoryName, newPush: NewPush): Promise<boolean> {
    const { id, digest, push: { by, tags } } = newPush;
    await this.#prepare(name, newPush);
    const begunAt = moment();
    const { isNew, isQuiet } = await this.#storeStamped(name, newPush);
    // Who may still be refused moves no tag.
    const owner = isNew ? id : await this.#relyOn(name, newPush);
    if (owner === undefined) return false;
    const change = { digest, isNew, ...(isNew && { push: id }), ...(by !== undefined && { by }) };
    await mapParallel(tags, (tag) => this.#tags.put(name, tag, change));
    const isSure = isNew && isQuiet && this.#unfinished.isSure(begunAt);
    const requireWhole = () => this.#requireStill(name, newPush);
    const owned = isSure ? id : await this.#objects.accept(name, id, { ...toKeep(newPush), requireWhole });
    // Who takes the repository out of the catalog looks for manifests first. One that was there before may have come back after that.
    await (isNew && isQuiet ? this.#catalog.addLately(name) : this.#catalog.add(name));
    if (tags.length > 0) await this.#stamps.endSetting(name);
    // Of one that was made anew meanwhile these tags were not announced.
    if (owned === undefined) await this.#requireStill(name, newPush);
    return owned === owner;
  }

  /** The push that stored a manifest which is there still, and accepted; announces the tags. Fails where what it refers to is not there. */
  async #relyOn(name: RepositoryName, newPush: NewPush): Promise<string | undefined> {
    const requireWhole = () => this.#references.require(name, newPush.manifest, { believing: false });
    const owner = await this.#objects.accept(name, newPush.id, { ...toKeep(newPush), requireWhole });
    if (owner === undefined) await requireWhole();
    else await this.#announceTags(name, newPush);
    return owner;
  }

  /** Where what the manifest refers to is gone, its tags go with it: they would point to nothing. */
  async #requireStill(name: RepositoryName, { digest, manifest, push }: NewPush): Promise<void> {
    try {
      await this.#references.require(name, manifest, { believing: false });
    } catch (error) {
      // Who took the manifest away has forgotten which tags were announced.
      const isBack = async () => await this.get(name, { digest }) !== undefined;
      await this.#tags.untag(name, digest, { isBack, storedFor: push.tags });
      throw error;
    }
  }

  /** Everything that must be there first; none of it counts before the manifest itself is there. */
  async #prepare(name: RepositoryName, newPush: NewPush): Promise<void> {
    await Promise.all([this.#catalog.addLately(name), this.#refer(name, newPush)]);
  }

  /** Notes the manifest under its subject, if it has one. */
  async #refer(name: RepositoryName, { digest, manifest, push }: NewPush): Promise<void> {
    const { subject } = manifest;
    if (!subject) return;
    await this.#referrers.add(
      name,
      subject.digest,
      describeReferrer(manifest, digest, push.bytes.byteLength),
    );
  }

  async #storeStamped(name: RepositoryName, newPush: NewPush): Promise<StoreOutcome> {
    const [stored, stamped] = await Promise.allSettled([
      this.#store(name, newPush),
      newPush.push.tags.length > 0 ? this.#stamps.beginSetting(name) : undefined,
    ]);
    if (stored.status === "rejected") throw stored.reason;
    if (stamped.status === "rejected") throw stamped.reason;
    return stored.value;
  }

  /** From here on the repository has the manifest; unless something it refers to went meanwhile. */
  async #store(name: RepositoryName, newPush: NewPush): Promise<StoreOutcome> {
    const isNew = await this.#objects.put(name, newPush.id, toKeep(newPush));
    const [found, referred] = await Promise.allSettled([
      this.#references.lookAgain(name, newPush.manifest),
      // Who ends a deletion may have taken away what was noted before the manifest was there.
      this.#refer(name, newPush),
    ]);
    if (referred.status === "rejected") throw referred.reason;
    if (found.status === "fulfilled") return { isNew, isQuiet: found.value };
    if (!isNew || !await this.#withdraw(name, newPush)) throw found.reason;
    return { isNew, isQuiet: false };
  }

  /** Who removes the tags of a manifest that was there before looks whether it is back after what it has taken away. */
  async #announceTags(name: RepositoryName, { digest, push }: NewPush): Promise<void> {
    await mapParallel(push.tags, (tag) => this.#tags.announce(name, tag, digest));
  }

  /**
   * Takes back a manifest whose references went, unless another push of it was accepted. Answers whether it may stay: they
   * are back by the time it is condemned.
   */
  async #withdraw(name: RepositoryName, { id, digest, manifest }: NewPush): Promise<boolean> {
    const condemned = await this.#objects.condemn(name, digest, { push: id });
    if (!condemned) return false;
    const isWhole = await this.#references.findMissing(name, manifest, { believing: false }) === undefined;
    if (isWhole) await this.#objects.pardon(name, condemned);
    else await this.#deletions.run(name, condemned.manifest, { etag: condemned.etag });
    return isWhole;
  }
}

interface StoreOutcome {
  /** Whether the manifest was not there before. */
  readonly isNew: boolean;
  /** Whether nothing is being taken from the repository. */
  readonly isQuiet: boolean;
}

/** A push that is about to be stored. */
interface NewPush {
  /** A text that no other push has, nor another try of this one. */
  readonly id: string;
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly push: ManifestPush;
}

function toKeep({ digest, manifest: { mediaType, subject }, push }: NewPush): NewManifest {
  return {
    digest,
    mediaType,
    ...(subject && { subject: subject.digest }),
    tags: push.tags,
    bytes: push.bytes,
  };
}
