import { unlessConflict } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { type Digest } from "../oci/digest.ts";
import { parseManifest } from "../oci/manifest.ts";
import { isManifestMediaType } from "../oci/media_type.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import type { Due } from "./due.ts";
import { deletionKey, DELETIONS_PREFIX, lastDigest, manifestKey, nameAfter } from "./keys.ts";
import type { ManifestObjects, StoredManifest } from "./manifest_objects.ts";
import { mapParallel } from "./parallel.ts";
import type { Referrers } from "./referrers.ts";
import type { Doer, Tags } from "./tags.ts";

const RECOVER_PAGE = 1_000;

/** What has to be known of a manifest when it is gone. */
interface Note extends Doer {
  readonly subject?: Digest;
  /** The tags that it was stored for. */
  readonly tags?: readonly Tag[];
  /** The blobs that it referred to, which the repository may need no more. */
  readonly blobs: readonly Digest[];
}

/**
 * Takes manifests from repositories, wholly. What is to be deleted is written down first and struck out last, so that
 * a deletion that a crash cuts short is ended at the next start. It happens at the moment the manifest goes; all
 * else that it removes means nothing without the manifest, and is left alone as soon as there is one again.
 */
export class Deletions {
  readonly #storage: Storage;
  readonly #tags: Tags;
  readonly #referrers: Referrers;
  readonly #objects: ManifestObjects;
  readonly #due: Due;

  constructor(storage: Storage, parts: {
    readonly tags: Tags;
    readonly referrers: Referrers;
    readonly objects: ManifestObjects;
    readonly due: Due;
  }) {
    this.#storage = storage;
    this.#tags = parts.tags;
    this.#referrers = parts.referrers;
    this.#objects = parts.objects;
    this.#due = parts.due;
  }

  /**
   * Takes the manifest, its tags and its place under its subject from the repository; where it is condemned, as `etag`
   * says it, if it still is. Answers whether it did.
   */
  async run(
    name: RepositoryName,
    stored: StoredManifest,
    { etag, by }: Doer & { readonly etag?: string } = {},
  ): Promise<boolean> {
    const { digest } = stored;
    const note = { ...noteOf(stored), ...(by !== undefined && { by }) };
    await this.#storage.put(deletionKey(name, digest), new TextEncoder().encode(JSON.stringify(note)));
    const condition = etag === undefined ? {} : { ifMatch: etag };
    const deleted = await unlessConflict(this.#storage.delete(manifestKey(name, digest), condition));
    // Another may have been faster, and have died since: this is all that is written down of what is left to do.
    if (deleted || !await this.#isBack(name, digest)) await this.#end(name, digest, note);
    else await this.#storage.delete(deletionKey(name, digest));
    return deleted ?? false;
  }

  /**
   * The same of one that is condemned first, and then looked at whether it `mayGo`: who came to rely on it meanwhile was seen by
   * that, or takes it back.
   */
  async runCondemned(
    name: RepositoryName,
    digest: Digest,
    { mayGo, ...doer }: Doer & { readonly mayGo: (stored: StoredManifest) => Promise<boolean> },
  ): Promise<boolean> {
    const condemned = await this.#objects.condemn(name, digest);
    if (!condemned) return false;
    const { manifest, etag } = condemned;
    try {
      return await mayGo(manifest) && await this.run(name, manifest, { ...doer, etag });
    } finally {
      await this.#objects.pardon(name, condemned);
    }
  }

  /** Ends what a crash has cut short. */
  async recover(): Promise<void> {
    for (;;) {
      const keys = await this.#storage.list(DELETIONS_PREFIX, { limit: RECOVER_PAGE });
      for (const key of keys) await this.#recoverOne(key);
      if (keys.length < RECOVER_PAGE) return;
    }
  }

  async #recoverOne(key: string): Promise<void> {
    const name = nameAfter(DELETIONS_PREFIX, key);
    const digest = lastDigest(key);
    const note = await this.#storage.get(key);
    if (!digest || !note) return;
    await this.#end(name, digest, JSON.parse(new TextDecoder().decode(note.bytes)) as Note);
  }

  async #end(name: RepositoryName, digest: Digest, note: Note): Promise<void> {
    const { subject, tags = [], blobs, ...doer } = note;
    const isBack = () => this.#isBack(name, digest);
    await this.#tags.untag(name, digest, { ...doer, isBack, storedFor: tags });
    if (subject) await this.#referrers.remove(name, { subject, digest, isBack });
    await mapParallel(blobs, (blob) => this.#due.add(name, blob));
    await this.#storage.delete(deletionKey(name, digest));
  }

  async #isBack(name: RepositoryName, digest: Digest): Promise<boolean> {
    return await this.#objects.get(name, digest) !== undefined;
  }
}

function noteOf({ bytes, mediaType, subject, tags }: StoredManifest): Note {
  const { blobs, children } = parseManifest(bytes, mediaType);
  const others = children.filter((child) => !isManifestMediaType(child.mediaType));
  const digests = [...blobs, ...others].map(({ digest }) => digest);
  return { ...(subject && { subject }), tags, blobs: [...new Set(digests)] };
}
