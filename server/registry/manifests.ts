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
import { digestBytes } from "./hash.ts";
import { lastDigest, manifestKey, manifestsPrefix } from "./keys.ts";
import type { SharedMutex } from "./mutex.ts";
import { mapParallel } from "./parallel.ts";
import { describeReferrer, type Referrers } from "./referrers.ts";
import type { Tags } from "./tags.ts";

/** A manifest that the repository has. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly subject?: Digest;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A manifest to be stored. */
export interface ManifestPush {
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

const SCAN_PAGE = 1_000;
const NEWLINE = 0x0a;

/**
 * The manifests of repositories. Each is one object: a line of JSON that says as what it was pushed, then its bytes. So it
 * is there wholly or not at all, and one read of the store answers for it.
 */
export class Manifests {
  readonly #storage: Storage;
  readonly #blobs: Blobs;
  readonly #tags: Tags;
  readonly #referrers: Referrers;
  readonly #catalog: Catalog;
  readonly #deletions: Deletions;
  readonly #changes: SharedMutex;

  constructor(
    storage: Storage,
    parts: {
      readonly blobs: Blobs;
      readonly tags: Tags;
      readonly referrers: Referrers;
      readonly catalog: Catalog;
      readonly changes: SharedMutex;
    },
  ) {
    this.#storage = storage;
    this.#blobs = parts.blobs;
    this.#tags = parts.tags;
    this.#referrers = parts.referrers;
    this.#catalog = parts.catalog;
    this.#changes = parts.changes;
    this.#deletions = new Deletions(storage, parts);
  }

  /** A manifest, by tag or digest. */
  async get(name: RepositoryName, reference: Reference): Promise<StoredManifest | undefined> {
    const digest = reference.digest ?? await this.#tags.get(name, reference.tag);
    const value = digest && await this.#storage.get(manifestKey(name, digest));
    return value && decodeManifest(digest, value.bytes);
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
      await this.#requireReferences(name, manifest);
      await this.#prepare(name, { digest, manifest, push });
      await this.#store(name, digest, { manifest, push });
      await mapParallel(push.tags, (tag) => this.#tags.put(name, tag, digest));
    });
    return { digest, ...(manifest.subject && { subject: manifest.subject.digest }) };
  }

  /** Takes a manifest and all its tags from the repository. Answers whether it had it. DENIED by an immutable tag. */
  delete(name: RepositoryName, digest: Digest): Promise<boolean> {
    return this.#changes.alone(name, async () => {
      await this.#requireDeletable(name, digest);
      const manifest = await this.get(name, { digest });
      if (manifest) await this.#deletions.run(name, digest, manifest.subject);
      return manifest !== undefined;
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

  /** The repository's manifests that refer to a blob or to another manifest. */
  async *#referrersOf(name: RepositoryName, content: Digest): AsyncGenerator<Digest> {
    const prefix = manifestsPrefix(name);
    let keys = await this.#storage.list(prefix, { limit: SCAN_PAGE });
    while (keys.length > 0) {
      const digests = keys.map(lastDigest).filter((digest) => digest !== undefined);
      const found = await mapParallel(digests, (digest) => this.#refersTo(name, digest, content));
      yield* digests.filter((_, index) => found[index]);
      keys = await this.#storage.list(prefix, { after: keys.at(-1)!, limit: SCAN_PAGE });
    }
  }

  async #refersTo(name: RepositoryName, digest: Digest, blob: Digest): Promise<boolean> {
    const stored = await this.get(name, { digest });
    if (!stored) return false;
    const manifest = parseManifest(stored.bytes, stored.mediaType);
    return [...manifest.blobs, ...manifest.children].some((descriptor) => descriptor.digest === blob);
  }

  /** Everything that must be there first; none of it counts before the manifest itself is there. */
  async #prepare(
    name: RepositoryName,
    { digest, manifest, push }: {
      readonly digest: Digest;
      readonly manifest: Manifest;
      readonly push: ManifestPush;
    },
  ): Promise<void> {
    const subject = manifest.subject?.digest;
    await Promise.all([
      this.#catalog.add(name),
      subject &&
      this.#referrers.add(name, subject, describeReferrer(manifest, digest, push.bytes.byteLength)),
    ]);
  }

  /** From here on the repository has the manifest; unless something it refers to went meanwhile. */
  async #store(
    name: RepositoryName,
    digest: Digest,
    { manifest, push }: { readonly manifest: Manifest; readonly push: ManifestPush },
  ): Promise<void> {
    const [isNew] = await Promise.all([
      this.#putNew(manifestKey(name, digest), encodeManifest(manifest, push.bytes)),
      ...push.tags.map((tag) => this.#tags.announce(name, tag, digest)),
    ]);
    try {
      await this.#requireReferences(name, manifest);
    } catch (error) {
      if (isNew) await this.#storage.delete(manifestKey(name, digest));
      throw error;
    }
  }

  /** A manifest pushed again keeps the media type it was pushed with first. */
  async #putNew(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    try {
      await this.#storage.put(key, bytes, { ifAbsent: true });
      return true;
    } catch (error) {
      if (error instanceof PluginError && error.code === "conflict") return false;
      throw error;
    }
  }

  async #requireReferences(name: RepositoryName, manifest: Manifest): Promise<void> {
    const blobs = requiredBlobs(manifest);
    const [hasBlobs, hasChildren] = await Promise.all([
      mapParallel(blobs, (digest) => this.#blobs.has(name, digest)),
      mapParallel(manifest.children, (child) => this.#hasChild(name, child)),
    ]);
    const missing = blobs[hasBlobs.indexOf(false)] ?? manifest.children[hasChildren.indexOf(false)]?.digest;
    if (missing === undefined) return;
    throw new OciError("MANIFEST_BLOB_UNKNOWN", "Cannot store the manifest: it refers to what is not here", {
      detail: { digest: missing },
    });
  }

  /** An index may list what is no manifest: build caches list their layers there. */
  async #hasChild(name: RepositoryName, child: Descriptor): Promise<boolean> {
    if (await this.#storage.stat(manifestKey(name, child.digest))) return true;
    return !isManifestMediaType(child.mediaType) && await this.#blobs.has(name, child.digest);
  }
}

/** A manifest as it is kept. */
function encodeManifest({ mediaType, subject }: Manifest, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const facts = { mediaType, ...(subject && { subject: subject.digest }) };
  const head = new TextEncoder().encode(`${JSON.stringify(facts)}\n`);
  const value = new Uint8Array(head.byteLength + bytes.byteLength);
  value.set(head);
  value.set(bytes, head.byteLength);
  return value;
}

function decodeManifest(digest: Digest, value: Uint8Array<ArrayBuffer>): StoredManifest {
  const end = value.indexOf(NEWLINE);
  const facts = JSON.parse(new TextDecoder().decode(value.subarray(0, end))) as Omit<
    StoredManifest,
    "digest" | "bytes"
  >;
  return { ...facts, digest, bytes: value.subarray(end + 1) };
}
