import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { type Descriptor, type Manifest, requiredBlobs } from "../oci/manifest.ts";
import { isManifestMediaType } from "../oci/media_type.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Blobs } from "./blobs.ts";
import type { ManifestObjects } from "./manifest_objects.ts";
import { mapParallel } from "./parallel.ts";
import type { Removals } from "./removals.ts";

/** How it is looked whether something is there. */
export interface Look {
  /** Whether it counts that it was there lately. */
  readonly believing: boolean;
}

/** What manifests refer to, and whether their repositories have it. */
export class References {
  readonly #objects: ManifestObjects;
  readonly #blobs: Blobs;
  readonly #removals: Removals;

  constructor(
    objects: ManifestObjects,
    { blobs, removals }: { readonly blobs: Blobs; readonly removals: Removals },
  ) {
    this.#objects = objects;
    this.#blobs = blobs;
    this.#removals = removals;
  }

  /**
   * The look that decides, once the manifest was there: at all that it refers to, or, where nothing is being taken from the repository, at
   * what was not seen lately. Answers whether nothing is.
   */
  async lookAgain(name: RepositoryName, manifest: Manifest): Promise<boolean> {
    const isQuiet = !await this.#removals.areAnnounced(name);
    await this.require(name, manifest, { believing: isQuiet });
    return isQuiet;
  }

  /**
   * The look before anything is stored. It believes what was seen lately, unless something is told to be taken from the repository: a
   * crash before the look that decides leaves a manifest without what it refers to.
   */
  async look(name: RepositoryName, manifest: Manifest): Promise<void> {
    await this.require(name, manifest, { believing: !await this.#removals.areTold(name) });
  }

  /** MANIFEST_BLOB_UNKNOWN where anything is missing. */
  async require(
    name: RepositoryName,
    manifest: Manifest,
    options: Look,
  ): Promise<void> {
    const missing = await this.findMissing(name, manifest, options);
    if (missing === undefined) return;
    throw new OciError("MANIFEST_BLOB_UNKNOWN", "Cannot store the manifest: it refers to what is not here", {
      detail: { digest: missing },
    });
  }

  /**
   * Something that the manifest refers to and the repository lacks. What was looked at is not about to go then. Only a look once the
   * manifest is there decides; the one before keeps most of what would be refused from being stored.
   */
  async findMissing(
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
