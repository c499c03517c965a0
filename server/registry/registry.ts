import type { Cache } from "../../plugins/contract/cache.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import { Asides } from "./asides.ts";
import { Blobs } from "./blobs.ts";
import { Catalog } from "./catalog.ts";
import { Due } from "./due.ts";
import { HeldUploads } from "./held_uploads.ts";
import { FactsCache } from "./facts_cache.ts";
import { Garbage } from "./garbage.ts";
import { HotBlobs, type HotBlobsOptions } from "./hot_blobs.ts";
import { Links } from "./links.ts";
import { Manifests } from "./manifests.ts";
import { Pulls } from "./pulls.ts";
import { SharedMutex } from "./mutex.ts";
import { Referrers } from "./referrers.ts";
import { Removals } from "./removals.ts";
import { Repositories } from "./repositories.ts";
import { TagPages } from "./tag_pages.ts";
import { TagStamps } from "./tag_stamps.ts";
import { type RepositoryRules, requireDeletes, Tags } from "./tags.ts";
import { Seals } from "./seals.ts";
import { StoredUploads } from "./stored_uploads.ts";
import type { Uploads } from "./uploads.ts";
import { ToldFacts } from "./told_facts.ts";
import { UsageCounter } from "./usage.ts";

/** Limits that an operator sets. */
export interface RegistryOptions {
  /** Where replicas find what one of them has learnt. */
  readonly cache?: Cache | undefined;
  /** Blobs in memory, where the store is shared; absent: none. */
  readonly hotBlobs?: HotBlobsOptions;
  /** How many uploads one repository may have open. */
  readonly openUploadsMax: number;
  /** What cannot be moved or deleted; absent: everything can. */
  readonly rules?: RepositoryRules;
}

const NO_RULES: RepositoryRules = {
  isImmutable: () => false,
  hasImmutable: () => false,
  allowsDelete: () => true,
};

/** What the distribution spec means, over a store: one part a noun. */
export interface Registry {
  readonly blobs: Blobs;
  readonly uploads: Uploads;
  readonly manifests: Manifests;
  readonly tags: Tags;
  readonly referrers: Referrers;
  readonly catalog: Catalog;
  readonly garbage: Garbage;
  readonly pulls: Pulls;
  readonly repositories: Repositories;
  readonly usage: UsageCounter;
  /** By repository: pushes of manifests run together, deletions alone. */
  readonly changes: SharedMutex;
  readonly rules: RepositoryRules;
}

/** A registry over `storage`, after it has ended what a crash has cut short there. */
export async function createRegistry(storage: Storage, options: RegistryOptions): Promise<Registry> {
  const due = new Due(storage);
  const links = new Links(storage, due);
  const { shared, moveMs, notes } = await storage.features?.() ?? { shared: false, moveMs: 0, notes: false };
  const asides = new Asides(storage, { moveMs });
  const facts = new FactsCache(options.cache);
  // Of a store of this machine's own the system has the bytes in memory already.
  const hot = shared && options.hotBlobs ? new HotBlobs(storage, options.hotBlobs) : undefined;
  // Where all is at hand nothing is saved by what these are for.
  const seals = shared && storage.copy ? await Seals.open(storage) : undefined;
  const told = new ToldFacts(options.cache, seals);
  const removals = new Removals(storage, told);
  const blobs = new Blobs(storage, { links, due, asides, facts, told, removals, shared, hot });
  const changes = new SharedMutex();
  const { rules = NO_RULES } = options;
  const stamps = new TagStamps(storage, { shared });
  const pages = shared ? new TagPages(storage) : undefined;
  const tags = new Tags(storage, { changes, rules, stamps, pages });
  const catalog = new Catalog(storage, { tags, stamps, removals, shared });
  const stored = new StoredUploads(storage, blobs, { openMax: options.openUploadsMax, notes, facts, shared });
  const uploads = seals ? new HeldUploads(stored, { blobs, facts, seals, told }) : stored;
  const referrers = new Referrers(storage, (name, tag) => readIndex(manifests, name, tag));
  const manifests: Manifests = new Manifests(storage, {
    blobs,
    tags,
    stamps,
    referrers,
    catalog,
    due,
    removals,
    changes,
    shared,
  });
  await manifests.recover();
  const pulls = new Pulls(storage);
  const garbage = new Garbage({ storage, links, due, manifests, asides, removals, shared });
  const usage = new UsageCounter(storage);
  const nouns = { blobs, uploads, manifests, tags, referrers, catalog, pulls, changes, rules };
  return { ...nouns, garbage, usage, repositories: new Repositories(storage, nouns) };
}

/** The children that the manifest behind a tag lists, where it is an index. */
async function readIndex(manifests: Manifests, name: RepositoryName, tag: Tag): Promise<readonly unknown[]> {
  const index = await manifests.get(name, { tag });
  if (!index) return [];
  const { manifests: children } = JSON.parse(new TextDecoder().decode(index.bytes)) as {
    manifests?: unknown[];
  };
  return children ?? [];
}

/**
 * Takes a blob from a repository. Answers whether it had it. While one of the repository's manifests refers to it the
 * blob stays, and UNSUPPORTED says which.
 */
export function deleteBlob(registry: Registry, name: RepositoryName, digest: Digest): Promise<boolean> {
  requireDeletes(registry.rules, name);
  return registry.changes.alone(name, async () => {
    const requireUnneeded = () => refuseReferred(registry, name, digest);
    await requireUnneeded();
    // Another process may be storing a manifest: it looks whether this was announced, and then at its blobs, so one of the two gives way.
    return await registry.blobs.delete(name, digest, requireUnneeded);
  });
}

async function refuseReferred(registry: Registry, name: RepositoryName, digest: Digest): Promise<void> {
  const referrer = await registry.manifests.findReferrerOf(name, digest);
  if (referrer === undefined) return;
  throw new OciError("UNSUPPORTED", "Cannot delete the blob: a manifest of the repository refers to it", {
    detail: { manifest: referrer },
    headers: { Allow: "GET, HEAD" },
  });
}
