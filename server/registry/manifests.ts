import { PluginError } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { type Descriptor, type Manifest, parseManifest, requiredBlobs } from "../oci/manifest.ts";
import { isManifestMediaType } from "../oci/media_type.ts";
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
import { describeReferrer, type Referrers } from "./referrers.ts";
import type { Removals } from "./removals.ts";
import type { Doer, Tags } from "./tags.ts";

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
  readonly #blobs: Blobs;
  readonly #tags: Tags;
  readonly #referrers: Referrers;
  readonly #catalog: Catalog;
  readonly #objects: ManifestObjects;
  readonly #deletions: Deletions;
  readonly #removals: Removals;
  readonly #changes: SharedMutex;

  constructor(
    storage: Storage,
    parts: {
      readonly blobs: Blobs;
      readonly tags: Tags;
      readonly referrers: Referrers;
      readonly catalog: Catalog;
      readonly due: Due;
      readonly removals: Removals;
      readonly changes: SharedMutex;
    },
  ) {
    this.#storage = storage;
    this.#blobs = parts.blobs;
    this.#tags = parts.tags;
    this.#referrers = parts.referrers;
    this.#catalog = parts.catalog;
    this.#changes = parts.changes;
    this.#removals = parts.removals;
    this.#objects = new ManifestObjects(storage);
    this.#deletions = new Deletions(storage, { ...parts, objects: this.#objects });
  }

  /** A manifest, by tag or digest. */
  async get(name: RepositoryName, reference: Reference): Promise<StoredManifest | undefined> {
    const digest = reference.digest ?? await this.#tags.get(name, reference.tag);
    return digest && await this.#objects.get(name, digest);
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
      await this.#requireReferences(name, manifest, { believing: true });
      await this.#putWhole(name, { id: crypto.randomUUID(), digest, manifest, push });
    });
    return { digest, ...(manifest.subject && { subject: manifest.subject.digest }) };
  }

  /** Takes a manifest and all its tags from the repository. Answers whether it had it. DENIED by an immutable tag. */
  delete(name: RepositoryName, digest: Digest, doer: Doer = {}): Promise<boolean> {
    return this.#changes.alone(name, async () => {
      await this.#requireDeletable(name, digest);
      const stored = await this.get(name, { digest });
      return stored !== undefined && await this.#deletions.run(name, stored, doer);
    });
  }

  /**
   * The same of many, of which nothing that stays may need any, unless `requireDeletable` throws: nothing is pushed meanwhile in
   * this process. Answers how many it had.
   */
  deleteMany(
    name: RepositoryName,
    digests: readonly Digest[],
    { requireDeletable, ...doer }: Doer & { readonly requireDeletable: () => Promise<void> },
  ): Promise<number> {
    return this.#changes.alone(name, async () => {
      await requireDeletable();
      const deleted = await mapParallel(digests, async (digest) => {
        const stored = await this.get(name, { digest });
        return stored !== undefined && await this.#deletions.run(name, stored, doer);
      });
      return deleted.filter((isDeleted) => isDeleted).length;
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
        const needed = await findNeeded();
        const unneeded = condemned.filter(({ manifest }) => !needed.has(manifest.digest));
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
  async #putWhole(name: RepositoryName, stored: NewPush): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      await this.#prepare(name, stored);
      const { isNew, isQuiet } = await this.#store(name, stored);
      // Who may still be refused moves no tag.
      if (!isNew && !await this.#isAccepted(name, stored)) continue;
      await mapParallel(stored.push.tags, (tag) => this.#tags.put(name, tag, stored.digest));
      const requireWhole = () => this.#requireStill(name, stored);
      const state = await this.#objects.accept(name, stored.id, { ...toKeep(stored), requireWhole });
      // Who takes the repository out of the catalog looks for manifests first. One that was there before may have come back after that.
      await (isNew && isQuiet ? this.#catalog.addLately(name) : this.#catalog.add(name));
      if (state === "held") return;
      await this.#requireStill(name, stored);
    }
    throw new PluginError("unavailable", `Cannot store a manifest of ${name}: it is deleted again and again`);
  }

  /** Whether a manifest that was there before is there still, and accepted. Fails where what it refers to is not. */
  async #isAccepted(name: RepositoryName, stored: NewPush): Promise<boolean> {
    const requireWhole = () => this.#requireReferences(name, stored.manifest, { believing: false });
    const state = await this.#objects.accept(name, stored.id, { ...toKeep(stored), requireWhole });
    if (state !== "held") await requireWhole();
    return state === "held";
  }

  /** Where what the manifest refers to is gone, its tags go with it: they would point to nothing. */
  async #requireStill(name: RepositoryName, { digest, manifest, push }: NewPush): Promise<void> {
    try {
      await this.#requireReferences(name, manifest, { believing: false });
    } catch (error) {
      // Who took the manifest away has forgotten which tags were announced.
      await mapParallel(push.tags, (tag) => this.#tags.announce(name, tag, digest));
      const isBack = async () => await this.get(name, { digest }) !== undefined;
      await this.#tags.untag(name, digest, { isBack });
      throw error;
    }
  }

  /** Everything that must be there first; none of it counts before the manifest itself is there. */
  async #prepare(name: RepositoryName, { digest, manifest, push }: NewPush): Promise<void> {
    const subject = manifest.subject?.digest;
    await Promise.all([
      this.#catalog.addLately(name),
      subject &&
      this.#referrers.add(name, subject, describeReferrer(manifest, digest, push.bytes.byteLength)),
    ]);
  }

  /** From here on the repository has the manifest; unless something it refers to went meanwhile. */
  async #store(name: RepositoryName, newPush: NewPush): Promise<StoreOutcome> {
    const { id, digest, manifest, push } = newPush;
    const noted = mapParallel(push.tags, (tag) => this.#tags.noteChange(name, tag, { ...push, digest }));
    const put = this.#objects.put(name, id, toKeep(newPush));
    // Who removes the tags of a manifest that was there before looks whether it is back after what it has taken away.
    const announced = put.then(() => mapParallel(push.tags, (tag) => this.#tags.announce(name, tag, digest)));
    const looked = put.then(() => this.#lookAgain(name, manifest));
    const [found] = await Promise.allSettled([looked, announced, noted]);
    const isNew = await put;
    await Promise.all([announced, noted]);
    if (found.status === "fulfilled") return { isNew, isQuiet: found.value };
    if (!isNew || !await this.#withdraw(name, newPush)) throw found.reason;
    return { isNew, isQuiet: false };
  }

  /**
   * The look that decides, once the manifest was there: at all that it refers to, or, where nothing is being taken from the repository, at
   * what was not seen lately. Answers whether nothing is.
   */
  async #lookAgain(name: RepositoryName, manifest: Manifest): Promise<boolean> {
    const isQuiet = !await this.#removals.areAnnounced(name);
    await this.#requireReferences(name, manifest, { believing: isQuiet });
    return isQuiet;
  }

  /**
   * Takes back a manifest whose references went, unless another push of it was accepted. Answers whether it may stay: they
   * are back by the time it is condemned.
   */
  async #withdraw(name: RepositoryName, { id, digest, manifest }: NewPush): Promise<boolean> {
    const condemned = await this.#objects.condemn(name, digest, { push: id });
    if (!condemned) return false;
    const isWhole = await this.#findMissing(name, manifest, { believing: false }) === undefined;
    if (isWhole) await this.#objects.pardon(name, condemned);
    else await this.#deletions.run(name, condemned.manifest, { etag: condemned.etag });
    return isWhole;
  }

  async #requireReferences(
    name: RepositoryName,
    manifest: Manifest,
    options: Look,
  ): Promise<void> {
    const missing = await this.#findMissing(name, manifest, options);
    if (missing === undefined) return;
    throw new OciError("MANIFEST_BLOB_UNKNOWN", "Cannot store the manifest: it refers to what is not here", {
      detail: { digest: missing },
    });
  }

  /**
   * Something that the manifest refers to and the repository lacks. What was looked at is not about to go then. Only a look once the
   * manifest is there decides; the one before keeps most of what would be refused from being stored.
   */
  async #findMissing(
    name: RepositoryName,
    manifest: Manifest,
    { believing }: Look,
  ): Promise<Digest | undefined> {
    const blobs = requiredBlobs(manifest);
    const [hasBlobs, hasChildren] = await Promise.all([
      mapParallel(
        blobs,
        (digest) => believing ? this.#blobs.hadLately(name, digest) : this.#blobs.has(name, digest),
      ),
      mapParallel(manifest.children, (child) => this.#hasChild(name, child)),
    ]);
    return blobs[hasBlobs.indexOf(false)] ?? manifest.children[hasChildren.indexOf(false)]?.digest;
  }

  /** An index may list what is no manifest: build caches list their layers there. */
  async #hasChild(name: RepositoryName, child: Descriptor): Promise<boolean> {
    if (await this.#objects.rely(name, child.digest)) return true;
    return !isManifestMediaType(child.mediaType) && await this.#blobs.has(name, child.digest);
  }
}

interface StoreOutcome {
  /** Whether the manifest was not there before. */
  readonly isNew: boolean;
  /** Whether nothing is being taken from the repository. */
  readonly isQuiet: boolean;
}

/** How it is looked whether something is there. */
interface Look {
  /** Whether it counts that it was there lately. */
  readonly believing: boolean;
}

/** A push that is about to be stored. */
interface NewPush {
  /** A text that no other push has. */
  readonly id: string;
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly push: ManifestPush;
}

function toKeep({ digest, manifest: { mediaType, subject }, push }: NewPush): NewManifest {
  return { digest, mediaType, ...(subject && { subject: subject.digest }), bytes: push.bytes };
}
