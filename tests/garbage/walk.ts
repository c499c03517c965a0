/**
 * What the store holds when nobody works on it, held against what its manifests refer to.
 *
 * @module
 */

import type { RepositoryModel } from "../crash/model.ts";
import { digestOf } from "../support/image_layout.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../../server/oci/digest.ts";
import { parseManifest } from "../../server/oci/manifest.ts";
import type { RepositoryName } from "../../server/oci/name.ts";
import {
  ASIDE_PREFIX,
  blobKey,
  BLOBS_PREFIX,
  DELETIONS_PREFIX,
  DUE_BYTES_PREFIX,
  DUE_PREFIX,
  lastDigest,
  linkKey,
  LINKS_PREFIX,
  manifestsPrefix,
  UPLOADS_PREFIX,
} from "../../server/registry/keys.ts";
import { ManifestObjects, type StoredManifest } from "../../server/registry/manifest_objects.ts";

/** What was found. */
export interface Walk {
  /** What must not be. */
  readonly problems: readonly string[];
  /** How many manifests, links and blobs there are. */
  readonly manifests: number;
  readonly links: number;
  readonly blobs: number;
  /** Announcements of tags and referrers that belong to no manifest: kills leave them, and they count for nothing. */
  readonly announcements: number;
}

/** Where nothing is left when all is done. */
const TRANSIENT = [ASIDE_PREFIX, DUE_PREFIX, DUE_BYTES_PREFIX, DELETIONS_PREFIX, UPLOADS_PREFIX];

const PAGE = 10_000;

/** Walks a store that no server works on. */
export async function walk(storage: Storage, repositories: readonly RepositoryModel[]): Promise<Walk> {
  const problems: string[] = [];
  const links = new Set<string>();
  const blobs = new Set<string>();
  let manifests = 0;
  let announcements = 0;
  for (const repository of repositories) {
    const stored = await readManifests(storage, repository.name);
    manifests += stored.size;
    for (const { blob, link } of neededBy(repository.name, stored)) {
      blobs.add(blob);
      links.add(link);
    }
    problems.push(...missingChildren(repository, stored));
    announcements += await countAnnouncements(storage, repository.name, stored);
  }
  problems.push(...compare(await listAll(storage, LINKS_PREFIX), links));
  problems.push(...compare(await listAll(storage, BLOBS_PREFIX), blobs));
  problems.push(...await damagedBlobs(storage, blobs));
  for (const prefix of TRANSIENT) problems.push(...compare(await listAll(storage, prefix), new Set()));
  return { problems, manifests, links: links.size, blobs: blobs.size, announcements };
}

/** The keys under which collection or an upload has left something to do. */
export async function listUnfinished(storage: Storage): Promise<string[]> {
  return (await Promise.all(TRANSIENT.map((prefix) => listAll(storage, prefix)))).flat();
}

async function readManifests(
  storage: Storage,
  name: string,
): Promise<ReadonlyMap<string, StoredManifest>> {
  const objects = new ManifestObjects(storage);
  const found = new Map<string, StoredManifest>();
  for (const key of await listAll(storage, manifestsPrefix(name as RepositoryName))) {
    const digest = lastDigest(key);
    const stored = digest && await objects.get(name as RepositoryName, digest);
    if (stored) found.set(digest, stored);
  }
  return found;
}

function neededBy(name: string, stored: ReadonlyMap<string, StoredManifest>) {
  return [...stored.values()].flatMap(({ bytes, mediaType }) =>
    parseManifest(bytes, mediaType).blobs.map(({ digest }) => ({
      blob: blobKey(digest),
      link: linkKey(name as RepositoryName, digest),
    }))
  );
}

/** An index may only be without what somebody has deleted. */
function missingChildren(
  { name, condemned }: RepositoryModel,
  stored: ReadonlyMap<string, StoredManifest>,
): string[] {
  return [...stored.values()].flatMap(({ digest, bytes, mediaType }) =>
    parseManifest(bytes, mediaType).children
      .filter((child) => !stored.has(child.digest) && !condemned.has(child.digest))
      .map((child) => `${name}: ${digest} is without its ${child.digest}`)
  );
}

async function damagedBlobs(storage: Storage, keys: ReadonlySet<string>): Promise<string[]> {
  const problems: string[] = [];
  for (const key of keys) {
    const opened = await storage.open(key);
    if (!opened) continue;
    const bytes = await new Response(opened.body).bytes();
    if (blobKey(digestOf(bytes) as Digest) !== key) problems.push(`${key} has other bytes`);
  }
  return problems;
}

async function countAnnouncements(
  storage: Storage,
  name: string,
  stored: ReadonlyMap<string, StoredManifest>,
): Promise<number> {
  const tagged = await listAll(storage, `repositories/${name}/_tagged/`);
  const referrers = await listAll(storage, `repositories/${name}/_referrers/`);
  const ofTags = tagged.map((key) => lastDigest(key.slice(0, key.lastIndexOf("/"))));
  return [...ofTags, ...referrers.map(lastDigest)].filter((digest) => !stored.has(digest!)).length;
}

function compare(found: readonly string[], expected: ReadonlySet<string>): string[] {
  const present = new Set(found);
  return [
    ...found.filter((key) => !expected.has(key)).map((key) => `${key} is left over`),
    ...[...expected].filter((key) => !present.has(key)).map((key) => `${key} is missing`),
  ];
}

async function listAll(storage: Storage, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for (let page = await storage.list(prefix, { limit: PAGE }); page.length > 0;) {
    found.push(...page);
    page = await storage.list(prefix, { after: page.at(-1)!, limit: PAGE });
  }
  return found;
}
