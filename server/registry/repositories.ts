import type { Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { isManifestMediaType } from "../oci/media_type.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import type { Tag } from "../oci/reference.ts";
import type { Catalog, Sees } from "./catalog.ts";
import { blobKey, duePrefix, lastDigest, linkKey, manifestsPrefix } from "./keys.ts";
import type { Manifests } from "./manifests.ts";
import type { SharedMutex } from "./mutex.ts";
import { mapParallel } from "./parallel.ts";
import type { Pulls } from "./pulls.ts";
import type { Doer, RepositoryRules, Tags } from "./tags.ts";
import type { Uploads } from "./uploads.ts";

/** A repository, in short. */
export interface RepositorySummary {
  readonly name: RepositoryName;
  readonly tags: number;
  readonly manifests: number;
  /** When a tag was set last, in milliseconds since the epoch; absent: there is none, or there are very many. */
  readonly lastPushedAtMs?: number;
}

/** A repository. */
export interface RepositoryFacts extends RepositorySummary {
  /** What its manifests refer to, each blob once. */
  readonly blobs: number;
  /** The sizes of these blobs. */
  readonly bytes: number;
  readonly lastPulledAtMs?: number;
  /** Whether any of its tags is immutable. */
  readonly hasImmutableTags: boolean;
  readonly allowsDelete: boolean;
}

/** What a repository has. */
export interface RepositoryContent {
  readonly manifests: number;
  readonly tags: number;
  readonly blobs: number;
  readonly uploads: number;
}

/** What repositories are made of. */
export interface RepositoriesParts {
  readonly tags: Tags;
  readonly manifests: Manifests;
  readonly uploads: Uploads;
  readonly catalog: Catalog;
  readonly pulls: Pulls;
  readonly changes: SharedMutex;
  readonly rules: RepositoryRules;
}

const PAGE = 1_000;
const BATCH = 200;
const ATTEMPTS_MAX = 20;
/** A page of summaries ends where so many tags and manifests were counted. */
const COUNTED_MAX = 50_000;
const DATED_TAGS_MAX = 10_000;
const HINDRANCES_MAX = 100;

/** Repositories as wholes. */
export class Repositories {
  readonly #storage: Storage;
  readonly #parts: RepositoriesParts;

  constructor(storage: Storage, parts: RepositoriesParts) {
    this.#storage = storage;
    this.#parts = parts;
  }

  /** The repositories that `sees` lets through, in byte order. A page may be shorter than was asked for, but never empty while `more` follow. */
  async list(page: Page, sees?: Sees): Promise<Listed<RepositorySummary>> {
    const names = await this.#parts.catalog.list(page, sees);
    const entries: RepositorySummary[] = [];
    let counted = 0;
    for (const name of names.entries) {
      if (counted > COUNTED_MAX) return { entries, more: true };
      const summary = await this.#summarize(name);
      counted += summary.tags + summary.manifests;
      entries.push(summary);
    }
    return { entries, more: names.more };
  }

  /** What is known of a repository. */
  async get(name: RepositoryName): Promise<RepositoryFacts | undefined> {
    const { catalog, pulls, rules } = this.#parts;
    if (!await catalog.has(name)) return undefined;
    const [summary, digests, pulled] = await Promise.all([
      this.#summarize(name),
      this.#needed(name),
      pulls.get(name),
    ]);
    const sizes = await this.#sizesOf([...digests]);
    const lastPulledAtMs = [...pulled.values()].reduce((latest, atMs) => Math.max(latest, atMs), 0);
    return {
      ...summary,
      blobs: sizes.length,
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      ...(lastPulledAtMs > 0 && { lastPulledAtMs }),
      hasImmutableTags: rules.hasImmutable(name),
      allowsDelete: rules.allowsDelete(name),
    };
  }

  /** What deleting the repository would take; the same refusals. */
  async plan(name: RepositoryName): Promise<RepositoryContent | undefined> {
    if (!await this.#parts.catalog.has(name)) return undefined;
    await this.#requireDeletable(name);
    const [manifests, { tags }, blobs, uploads] = await Promise.all([
      this.#countManifests(name),
      this.#countTags(name),
      this.#countLinked(name),
      this.#countUploads(name),
    ]);
    return { manifests, tags, blobs, uploads };
  }

  /**
   * Deletes all that the repository has, then itself. 409 where an immutable tag or the operator stands in the way. What is pushed
   * meanwhile goes, too, or else stays with the repository. Its blobs go when they are collected. A deletion that a crash cuts
   * short can be repeated. Answers what there was.
   */
  async delete(name: RepositoryName, doer: Doer): Promise<RepositoryContent | undefined> {
    const { catalog, changes, pulls, tags } = this.#parts;
    const content = await this.plan(name);
    if (!content) return undefined;
    let manifests = 0;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      manifests += await this.#deleteManifests(name, doer);
      await this.#deleteLooseTags(name);
      await this.#cancelUploads(name);
      await tags.forgetHistory(name);
      await pulls.forget(name);
      const isOut = await changes.alone(
        name,
        () => catalog.remove(name, () => this.#hasAny(manifestsPrefix(name))),
      );
      if (isOut) return { ...content, manifests };
    }
    throw new OciError("UNSUPPORTED", "Cannot delete the repository: it is pushed to again and again", {
      status: 409,
    });
  }

  async #deleteManifests(name: RepositoryName, doer: Doer): Promise<number> {
    const { manifests } = this.#parts;
    const options = { ...doer, requireDeletable: () => this.#requireDeletable(name) };
    let deleted = 0;
    // What lists others comes first: where this is cut short it does not list what is gone.
    for await (const batch of inBatches(this.#indexes(name))) {
      deleted += await manifests.deleteMany(name, batch, options);
    }
    for await (const batch of inBatches(this.#digests(name))) {
      deleted += await manifests.deleteMany(name, batch, options);
    }
    return deleted;
  }

  async *#indexes(name: RepositoryName): AsyncGenerator<Digest> {
    for await (const { stored, manifest } of this.#parts.manifests.scan(name)) {
      if (manifest.children.length > 0) yield stored.digest;
    }
  }

  async *#digests(name: RepositoryName): AsyncGenerator<Digest> {
    for await (const digests of this.#parts.manifests.pages(name)) yield* digests;
  }

  /** Removes tags that point to nothing: nobody else would. */
  async #deleteLooseTags(name: RepositoryName): Promise<void> {
    const { tags, manifests } = this.#parts;
    for await (const tag of this.#tags(name)) {
      const facts = await tags.stat(name, tag);
      if (!facts || await manifests.get(name, facts)) continue;
      await tags.deleteIf(name, tag, facts);
    }
  }

  async #cancelUploads(name: RepositoryName): Promise<void> {
    const { uploads } = this.#parts;
    for (;;) {
      const { entries, more } = await uploads.list({ limit: PAGE }, { repository: name });
      await mapParallel(entries, ({ id }) => uploads.discard(name, id));
      if (!more) return;
    }
  }

  /** 409 where the operator, or an immutable tag, forbids to delete the repository. */
  async #requireDeletable(name: RepositoryName): Promise<void> {
    const { rules } = this.#parts;
    if (!rules.allowsDelete(name)) throw hindered("deletes are switched off", { deletes: false });
    if (!rules.hasImmutable(name)) return;
    const immutable: Tag[] = [];
    for await (const tag of this.#tags(name)) {
      if (rules.isImmutable(name, tag)) immutable.push(tag);
      if (immutable.length === HINDRANCES_MAX) break;
    }
    if (immutable.length > 0) throw hindered("it has immutable tags", { immutable_tags: immutable });
  }

  async #summarize(name: RepositoryName): Promise<RepositorySummary> {
    const [manifests, { tags, lastSetAtMs }] = await Promise.all([
      this.#countManifests(name),
      this.#countTags(name),
    ]);
    const isDated = lastSetAtMs > 0 && tags <= DATED_TAGS_MAX;
    return { name, tags, manifests, ...(isDated && { lastPushedAtMs: lastSetAtMs }) };
  }

  async #countManifests(name: RepositoryName): Promise<number> {
    let manifests = 0;
    for await (const digests of this.#parts.manifests.pages(name)) manifests += digests.length;
    return manifests;
  }

  async #countTags(name: RepositoryName) {
    let [tags, lastSetAtMs] = [0, 0];
    for await (const batch of inBatches(this.#tags(name))) {
      tags += batch.length;
      if (tags > DATED_TAGS_MAX) continue;
      const facts = await mapParallel(batch, (tag) => this.#parts.tags.stat(name, tag));
      for (const found of facts) lastSetAtMs = Math.max(lastSetAtMs, found?.setAtMs ?? 0);
    }
    return { tags, lastSetAtMs };
  }

  async #countUploads(name: RepositoryName): Promise<number> {
    let count = 0;
    let last: string | undefined;
    for (;;) {
      const page = { limit: PAGE, ...(last !== undefined && { last }) };
      const { entries, more } = await this.#parts.uploads.list(page, { repository: name });
      count += entries.length;
      if (!more) return count;
      last = `${name}/${entries.at(-1)!.id}`;
    }
  }

  /** How many blobs the repository has: those that its manifests need, and those that may go. */
  async #countLinked(name: RepositoryName): Promise<number> {
    const digests = await this.#needed(name);
    const prefix = duePrefix(name);
    let keys = await this.#storage.list(prefix, { limit: PAGE });
    while (keys.length > 0) {
      for (const key of keys) digests.add(lastDigest(key)!);
      keys = await this.#storage.list(prefix, { after: keys.at(-1)!, limit: PAGE });
    }
    const links = await mapParallel([...digests], (digest) => this.#storage.stat(linkKey(name, digest)));
    return links.filter((link) => link !== undefined).length;
  }

  /** The blobs that the repository's manifests refer to. */
  async #needed(name: RepositoryName): Promise<Set<Digest>> {
    const digests = new Set<Digest>();
    for await (const { manifest: { blobs, children } } of this.#parts.manifests.scan(name)) {
      const others = children.filter((child) => !isManifestMediaType(child.mediaType));
      for (const { digest } of [...blobs, ...others]) digests.add(digest);
    }
    return digests;
  }

  /** The sizes of those blobs that are there. */
  async #sizesOf(digests: readonly Digest[]): Promise<number[]> {
    const found = await mapParallel(digests, (digest) => this.#storage.stat(blobKey(digest)));
    return found.filter((facts) => facts !== undefined).map(({ size }) => size);
  }

  async *#tags(name: RepositoryName): AsyncGenerator<Tag> {
    let last: Tag | undefined;
    for (;;) {
      const page = { limit: PAGE, ...(last !== undefined && { last }) };
      const { entries, more } = await this.#parts.tags.listStored(name, page);
      yield* entries;
      if (!more) return;
      last = entries.at(-1);
    }
  }

  async #hasAny(prefix: string): Promise<boolean> {
    return (await this.#storage.list(prefix, { limit: 1 })).length > 0;
  }
}

async function* inBatches<T>(items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function hindered(reason: string, detail: object): OciError {
  return new OciError("DENIED", `Cannot delete the repository: ${reason}`, { status: 409, detail });
}
