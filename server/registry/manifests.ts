import { PluginError } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { type Descriptor, type Manifest, parseManifest, requiredBlobs } from "../oci/manifest.ts";
import { isManifestMediaType } from "../oci/media_type.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Reference, Tag } from "../oci/reference.ts";
import type { Blobs } from "./blobs.ts";
import { ByteCache } from "./byte_cache.ts";
import type { Catalog } from "./catalog.ts";
import { Deletions } from "./deletions.ts";
import { digestBytes } from "./hash.ts";
import { blobKey, holderKey, lastDigest, manifestLinkKey, manifestLinksPrefix } from "./keys.ts";
import { KeyedMutex } from "./mutex.ts";
import { mapParallel } from "./parallel.ts";
import { describeReferrer, type Referrers } from "./referrers.ts";
import type { Tags } from "./tags.ts";

/** What the link to a manifest says; kept as JSON. */
interface ManifestLink {
  readonly mediaType: string;
  readonly size: number;
  readonly subject?: Digest;
}

/** A manifest that the repository has. */
export interface ManifestFacts {
  readonly digest: Digest;
  readonly mediaType: string;
  /** In bytes. */
  readonly size: number;
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

const NOTHING = new Uint8Array(0);
const CACHE_BYTES = 32 * 1024 * 1024;
const SCAN_PAGE = 1_000;

/** The manifests of repositories: their bytes are kept like a blob's, and a link says as what they were pushed. */
export class Manifests {
  readonly #storage: Storage;
  readonly #blobs: Blobs;
  readonly #tags: Tags;
  readonly #referrers: Referrers;
  readonly #catalog: Catalog;
  readonly #deletions: Deletions;
  readonly #mutex = new KeyedMutex();
  readonly #cache = new ByteCache(CACHE_BYTES);

  constructor(
    storage: Storage,
    parts: {
      readonly blobs: Blobs;
      readonly tags: Tags;
      readonly referrers: Referrers;
      readonly catalog: Catalog;
    },
  ) {
    this.#storage = storage;
    this.#blobs = parts.blobs;
    this.#tags = parts.tags;
    this.#referrers = parts.referrers;
    this.#catalog = parts.catalog;
    this.#deletions = new Deletions(storage, parts);
  }

  /** Facts of a manifest, by tag or digest. */
  async stat(name: RepositoryName, reference: Reference): Promise<ManifestFacts | undefined> {
    const digest = reference.digest ?? await this.#tags.get(name, reference.tag);
    const link = digest && await this.#readLink(name, digest);
    return link && { digest, mediaType: link.mediaType, size: link.size };
  }

  /** The bytes of a manifest that `stat` has found. They are shared: not to be changed. */
  async read(digest: Digest): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const cached = this.#cache.get(digest);
    if (cached) return cached;
    const bytes = (await this.#storage.get(blobKey(digest)))?.bytes;
    if (bytes) this.#cache.set(digest, bytes);
    return bytes;
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
    await this.#mutex.run(`${name}@${digest}`, async () => {
      await this.#requireReferences(name, manifest);
      await this.#prepare(name, { digest, manifest, push });
      await this.#link(name, digest, manifest, push.bytes.byteLength);
      await mapParallel(push.tags, (tag) => this.#tags.put(name, tag, digest));
    });
    this.#cache.set(digest, push.bytes);
    return { digest, ...(manifest.subject && { subject: manifest.subject.digest }) };
  }

  /** Takes a manifest and all its tags from the repository. Answers whether it had it. */
  delete(name: RepositoryName, digest: Digest): Promise<boolean> {
    return this.#mutex.run(`${name}@${digest}`, async () => {
      const link = await this.#readLink(name, digest);
      if (link) await this.#deletions.run(name, digest, link.subject);
      return link !== undefined;
    });
  }

  /** Ends the deletions that a crash has cut short. */
  async recover(): Promise<void> {
    await this.#deletions.recover();
  }

  /** The repository's first manifest found that refers to the blob. */
  async findReferrerOf(name: RepositoryName, blob: Digest): Promise<Digest | undefined> {
    const prefix = manifestLinksPrefix(name);
    let keys = await this.#storage.list(prefix, { limit: SCAN_PAGE });
    while (keys.length > 0) {
      const digests = keys.map(lastDigest).filter((digest) => digest !== undefined);
      const found = await mapParallel(digests, (digest) => this.#refersTo(name, digest, blob));
      if (found.includes(true)) return digests[found.indexOf(true)];
      keys = await this.#storage.list(prefix, { after: keys.at(-1)!, limit: SCAN_PAGE });
    }
    return undefined;
  }

  async #refersTo(name: RepositoryName, digest: Digest, blob: Digest): Promise<boolean> {
    const [link, bytes] = await Promise.all([this.#readLink(name, digest), this.read(digest)]);
    if (!link || !bytes) return false;
    const manifest = parseManifest(bytes, link.mediaType);
    return [...manifest.blobs, ...manifest.children].some((descriptor) => descriptor.digest === blob);
  }

  async #readLink(name: RepositoryName, digest: Digest): Promise<ManifestLink | undefined> {
    const value = await this.#storage.get(manifestLinkKey(name, digest));
    return value && JSON.parse(new TextDecoder().decode(value.bytes));
  }

  /** Everything but the link: none of it counts before the link is there. */
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
      this.#storage.put(blobKey(digest), push.bytes),
      this.#storage.put(holderKey(digest, name), NOTHING),
      this.#catalog.add(name),
      ...push.tags.map((tag) => this.#tags.announce(name, tag, digest)),
      subject &&
      this.#referrers.add(name, subject, describeReferrer(manifest, digest, push.bytes.byteLength)),
    ]);
  }

  /** From here on the repository has the manifest; unless something it refers to went meanwhile. */
  async #link(name: RepositoryName, digest: Digest, manifest: Manifest, size: number): Promise<void> {
    const key = manifestLinkKey(name, digest);
    const subject = manifest.subject?.digest;
    const link: ManifestLink = { mediaType: manifest.mediaType, size, ...(subject && { subject }) };
    const isNew = await this.#putNew(key, new TextEncoder().encode(JSON.stringify(link)));
    try {
      await this.#requireReferences(name, manifest);
    } catch (error) {
      if (isNew) await this.#storage.delete(key);
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
    if (await this.#storage.stat(manifestLinkKey(name, child.digest))) return true;
    return !isManifestMediaType(child.mediaType) && await this.#blobs.has(name, child.digest);
  }
}
