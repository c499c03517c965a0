import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { ManifestObjects, StoredManifest } from "./manifest_objects.ts";
import { mapParallel } from "./parallel.ts";
import { elapsedMs, type Moment } from "./recently_seen.ts";
import type { Tags } from "./tags.ts";

/** Within so many milliseconds of storing its manifest a push has set its tags, or looks at the manifest again. */
const PUSH_MS = 3_000;
/** So much older must a manifest be than that: stores tell times in whole seconds, and clocks differ a little. */
const MARGIN_MS = 5_000;
const LOOK_MS = 500;

/**
 * The pushes that have stored a new manifest, and not yet the tags that it was stored for, in this process or another. While there may
 * be one nobody deletes the manifest, so that no tag comes to point to nothing, and a push that was quick need not look
 * whether its manifest is still there.
 */
export class UnfinishedPushes {
  readonly #objects: ManifestObjects;
  readonly #tags: Tags;
  readonly #shared: boolean;

  /** `shared`: as in `StorageFeatures`; else a look costs little, and nobody waits. */
  constructor(objects: ManifestObjects, { tags, shared }: { readonly tags: Tags; readonly shared: boolean }) {
    this.#objects = objects;
    this.#tags = tags;
    this.#shared = shared;
  }

  /** Whether nobody can have deleted a manifest that was stored since then, and whose tags were set. */
  isSure(begunAt: Moment): boolean {
    return this.#shared && elapsedMs(begunAt) < PUSH_MS;
  }

  /** Whether a push of the manifest may be about to set a tag. */
  async mayHave(name: RepositoryName, stored: StoredManifest): Promise<boolean> {
    return this.#leftMs(stored) > 0 && !await this.#isTagged(name, stored);
  }

  /** The same, or whether a push that sets no tag may be about to answer that the manifest is there. */
  async mayAnswer(name: RepositoryName, stored: StoredManifest): Promise<boolean> {
    return this.#leftMs(stored) > 0 && (stored.tags.length === 0 || !await this.#isTagged(name, stored));
  }

  /** Waits until no push of the manifest, if it is there, is about to set a tag. */
  async end(name: RepositoryName, digest: Digest): Promise<void> {
    for (;;) {
      const stored = this.#shared ? await this.#objects.get(name, digest) : undefined;
      if (!stored || !await this.mayHave(name, stored)) return;
      await new Promise((resolve) => setTimeout(resolve, Math.min(this.#leftMs(stored), LOOK_MS)));
    }
  }

  /** Whether the push that stored the manifest has set its tags. That they point to it says nothing: others push it, too, or did before. */
  async #isTagged(name: RepositoryName, { digest, tags, push }: StoredManifest): Promise<boolean> {
    const found = await mapParallel(tags, (tag) => this.#tags.stat(name, tag));
    return found.every((tag) => tag?.digest === digest && tag.push !== undefined && tag.push === push);
  }

  #leftMs({ modifiedAtMs }: StoredManifest): number {
    if (!this.#shared) return 0;
    return Math.min(modifiedAtMs + PUSH_MS + MARGIN_MS - Date.now(), PUSH_MS + MARGIN_MS);
  }
}
