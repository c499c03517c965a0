import { unlessConflict } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { type Digest, digestAlgorithm, digestEncoded, isDigest } from "../oci/digest.ts";
import type { Descriptor, Manifest } from "../oci/manifest.ts";
import type { RepositoryName } from "../oci/name.ts";
import { cutPage, type Listed, type Page } from "../oci/page.ts";
import type { Tag } from "../oci/reference.ts";
import { markLine, readLine } from "./conditions.ts";
import { lastDigest, manifestKey, referrerKey, referrersPrefix } from "./keys.ts";
import { mapParallel } from "./parallel.ts";

/** What the referrers list says of a manifest (distribution-spec, "Listing Referrers"). */
export interface Referrer extends Descriptor {
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Which referrers are asked for. */
export interface ReferrersPage extends Page {
  readonly artifactType?: string | undefined;
}

/** Reads the children of the index that a tag points to, if it does. */
export type ReadFallback = (name: RepositoryName, tag: Tag) => Promise<readonly unknown[]>;

/** Which manifests name which as their subject. */
export class Referrers {
  readonly #storage: Storage;
  readonly #readFallback: ReadFallback;

  constructor(storage: Storage, readFallback: ReadFallback) {
    this.#storage = storage;
    this.#readFallback = readFallback;
  }

  /** Notes the manifest under its subject. It is listed from the moment that the repository has the manifest. */
  async add(name: RepositoryName, subject: Digest, referrer: Referrer): Promise<void> {
    const value = markLine(JSON.stringify(referrer));
    await this.#storage.put(referrerKey(name, subject, referrer.digest), value);
  }

  /** Forgets the manifest, unless it `isBack`. */
  async remove(
    name: RepositoryName,
    { subject, digest, isBack }: {
      readonly subject: Digest;
      readonly digest: Digest;
      readonly isBack: () => Promise<boolean>;
    },
  ): Promise<void> {
    const key = referrerKey(name, subject, digest);
    const value = await this.#storage.get(key);
    if (!value || await isBack()) return;
    await unlessConflict(this.#storage.delete(key, { ifMatch: value.etag }));
  }

  /**
   * The manifests of the repository that name `subject`, in order of their digests; those too that only the subject's
   * fallback tag lists, which clients kept before registries did ("Referrers Tag Schema"). Pages end by digest.
   */
  async list(name: RepositoryName, subject: Digest, page: ReferrersPage): Promise<Listed<Referrer>> {
    const known = await this.#listKnown(name, subject, page);
    const digests = new Set(known.map((referrer) => referrer.digest));
    const fallback = (await this.#readFallback(name, fallbackTag(subject))).filter(isReferrer);
    const others = fallback.filter(({ digest }) => digest > (page.last ?? "") && !digests.has(digest));
    const matching = [...known, ...others]
      .filter((referrer) => page.artifactType === undefined || referrer.artifactType === page.artifactType)
      .sort((a, b) => a.digest < b.digest ? -1 : 1);
    return cutPage(matching, page.limit);
  }

  /** All that fit one page and one more, or, where a filter may drop some, all that match. */
  async #listKnown(name: RepositoryName, subject: Digest, page: ReferrersPage): Promise<Referrer[]> {
    const found: Referrer[] = [];
    const prefix = referrersPrefix(name, subject);
    const batch = page.limit + 1;
    let after = page.last === undefined ? undefined : prefix + page.last.replace(":", "/");
    while (found.length < batch) {
      const keys = await this.#storage.list(prefix, { ...(after !== undefined && { after }), limit: batch });
      const referrers = await mapParallel(keys, (key) => this.#read(name, key));
      found.push(
        ...referrers.filter((referrer) => referrer !== undefined).filter((referrer) =>
          page.artifactType === undefined || referrer.artifactType === page.artifactType
        ),
      );
      if (keys.length < batch) break;
      after = keys.at(-1)!;
    }
    return found;
  }

  async #read(name: RepositoryName, key: string): Promise<Referrer | undefined> {
    const digest = lastDigest(key);
    if (!digest) return undefined;
    const [value, manifest] = await Promise.all([
      this.#storage.get(key),
      this.#storage.stat(manifestKey(name, digest)),
    ]);
    return value && manifest && JSON.parse(readLine(value.bytes));
  }
}

/** The descriptor by which a manifest is listed under its subject. */
export function describeReferrer(manifest: Manifest, digest: Digest, size: number): Referrer {
  const { mediaType, artifactType, annotations } = manifest;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations && { annotations }),
  };
}

/** The tag under which clients list the referrers of `subject` in registries that do not ("Referrers Tag Schema"). */
function fallbackTag(subject: Digest): Tag {
  return `${digestAlgorithm(subject)}-${digestEncoded(subject).slice(0, 64)}` as Tag;
}

function isReferrer(value: unknown): value is Referrer {
  const { digest, mediaType, size } = value as Partial<Referrer>;
  return typeof digest === "string" && isDigest(digest) && typeof mediaType === "string" &&
    Number.isSafeInteger(size);
}
