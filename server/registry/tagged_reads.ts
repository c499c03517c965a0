import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import type { ManifestObjects, StoredManifest } from "./manifest_objects.ts";
import type { Tags } from "./tags.ts";
import { setYoungest } from "./youngest.ts";

const EXPECTED_MAX = 10_000;

/**
 * Reads a tag and, beside it, the manifest that it pointed to last, as far as this process knows: mostly it still does. What the tag
 * says counts.
 */
export class TaggedReads {
  readonly #tags: Tags;
  readonly #objects: ManifestObjects;
  /** By `<repository>:<tag>`. */
  readonly #expected = new Map<string, Digest>();

  constructor(tags: Tags, objects: ManifestObjects) {
    this.#tags = tags;
    this.#objects = objects;
  }

  /** The manifest that the tag points to. */
  async get(name: RepositoryName, tag: Tag): Promise<StoredManifest | undefined> {
    const key = `${name}:${tag}`;
    const expected = this.#expected.get(key);
    const early = expected && this.#objects.get(name, expected).catch(() => undefined);
    const digest = await this.#tags.get(name, tag);
    if (!digest) {
      this.#expected.delete(key);
      return undefined;
    }
    this.expect(name, tag, digest);
    const found = digest === expected ? await early : undefined;
    // It may have come since it was asked for.
    return found ?? await this.#objects.get(name, digest);
  }

  /** The tag points to this manifest now. */
  expect(name: RepositoryName, tag: Tag, digest: Digest): void {
    setYoungest(this.#expected, `${name}:${tag}`, digest, EXPECTED_MAX);
  }
}
