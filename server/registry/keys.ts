/**
 * Every key of the store, drawn here and built nowhere else.
 *
 * ```text
 * blobs/<algorithm>/<2 hex>/<hex>                               the bytes of a blob, shared by all
 * links/<algorithm>/<2 hex>/<hex>/<name>!                       the repository <name> has this blob; see `links.ts`
 * catalog/<name>!                                               the repository exists; see `catalog.ts`, and `tag_stamps.ts` for what it says
 * repositories/<name>/_manifests/<algorithm>/<hex>              the repository has this manifest; see `manifests.ts`
 * repositories/<name>/_tags/<tag>                               … this tag; see `tags.ts`
 * repositories/<name>/_tagged/<algorithm>/<hex>/<tag>           the tag points, or pointed, to this manifest
 * repositories/<name>/_referrers/<subject, 2 parts>/<digest, 2> this manifest's subject; its descriptor, JSON
 * repositories/<name>/_history/<tag>/<time, newest first>-<id>  the tag was about to be set or deleted; JSON, see `tag_history.ts`
 * uploads/<name>!/<upload>                                      the bytes that have arrived
 * deletions/<name>!/<algorithm>/<hex>                           this manifest is being deleted; JSON
 * removals/<name>!                                              something may be taken from <name>; see `removals.ts`
 * due/<name>!/<algorithm>/<hex>                                 the repository may need this blob no more; see `due.ts`
 * due_bytes/<algorithm>/<hex>                                   no repository may need this blob any more
 * aside/<algorithm>/<hex>.<id>                                  bytes of a blob, taken aside; see `garbage.ts`
 * pulls/<name>!/<id>                                            when what was last pulled, JSON; see `pulls.ts`
 * secrets/seal                                                  what sealed answers are proved by; see `seals.ts`
 * quarantine/<run>/<key>                                        what a scrub has moved away from <key>; see `scrub/`
 * ```
 *
 * No relation is kept in an object that must be read, changed and written back: each is a key of its own, so writers
 * need no lock between them. A component of a repository's name never begins with `_`, so no repository's keys stand in
 * another's way, though `a` and `a/b` both be repositories. A name ends in `!` where it is the last part of a key: `!`
 * sorts before everything that can follow in a longer name, so the order of keys is the order of names.
 *
 * What may be believed: a repository has a blob while both its link and the bytes are there. A manifest is
 * written after all that it refers to, a tag after its manifest. The rest (`_tagged`, `_referrers`) is written before what
 * it belongs to, and counts only while that is there. So is an entry of `_history`, which says by itself only that somebody
 * was about to do something: those that are newer than the one that made the tag what it is did not come to that.
 *
 * @module
 */

import { type Digest, digestAlgorithm, digestEncoded, isDigest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import type { UploadId } from "../oci/upload.ts";

function path(digest: Digest): string {
  return `${digestAlgorithm(digest)}/${digestEncoded(digest)}`;
}

function spreadPath(digest: Digest): string {
  const encoded = digestEncoded(digest);
  return `${digestAlgorithm(digest)}/${encoded.slice(0, 2)}/${encoded}`;
}

export const BLOBS_PREFIX = "blobs/";

export function blobKey(digest: Digest): string {
  return BLOBS_PREFIX + spreadPath(digest);
}

export const LINKS_PREFIX = "links/";

export function linksPrefix(digest: Digest): string {
  return `${LINKS_PREFIX}${spreadPath(digest)}/`;
}

export function linkKey(name: RepositoryName, digest: Digest): string {
  return `${linksPrefix(digest)}${name}!`;
}

export const CATALOG_PREFIX = "catalog/";

/** `name` may be any text that a client pages from. */
export function catalogKey(name: string): string {
  return `${CATALOG_PREFIX}${name}!`;
}

export const REPOSITORIES_PREFIX = "repositories/";

export function manifestsPrefix(name: RepositoryName): string {
  return `repositories/${name}/_manifests/`;
}

export function manifestKey(name: RepositoryName, digest: Digest): string {
  return manifestsPrefix(name) + path(digest);
}

export function tagsPrefix(name: RepositoryName): string {
  return `repositories/${name}/_tags/`;
}

/** `tag` may be any text that a client pages from. */
export function tagKey(name: RepositoryName, tag: string): string {
  return tagsPrefix(name) + tag;
}

export function taggedPrefix(name: RepositoryName, digest: Digest): string {
  return `repositories/${name}/_tagged/${path(digest)}/`;
}

export function taggedKey(name: RepositoryName, digest: Digest, tag: Tag): string {
  return taggedPrefix(name, digest) + tag;
}

const HISTORY_DIGITS = 14;
const HISTORY_TIME_MAX = 16 ** HISTORY_DIGITS / 8 - 1;

/** `tag` left out: of all tags of the repository. */
export function historyPrefix(name: RepositoryName, tag?: Tag): string {
  return `repositories/${name}/_history/${tag === undefined ? "" : `${tag}/`}`;
}

/** `timeUs`: microseconds since the epoch. What is newer comes first. */
export function historyKey(
  name: RepositoryName,
  tag: Tag,
  { timeUs, id }: { readonly timeUs: number; readonly id: string },
): string {
  const time = (HISTORY_TIME_MAX - timeUs).toString(16).padStart(HISTORY_DIGITS, "0");
  return `${historyPrefix(name, tag)}${time}-${id}`;
}

/** The tag of an entry of the history. */
export function historyTag(key: string): Tag {
  return key.split("/").at(-2) as Tag;
}

/** The time of an entry of the history, in microseconds since the epoch. */
export function historyTime(key: string): number {
  return HISTORY_TIME_MAX - parseInt(lastPart(key).slice(0, HISTORY_DIGITS), 16);
}

export function referrersPrefix(name: RepositoryName, subject: Digest): string {
  return `repositories/${name}/_referrers/${path(subject)}/`;
}

export function referrerKey(name: RepositoryName, subject: Digest, digest: Digest): string {
  return referrersPrefix(name, subject) + path(digest);
}

export const UPLOADS_PREFIX = "uploads/";

export function repositoryUploadsPrefix(name: RepositoryName): string {
  return `${UPLOADS_PREFIX}${name}!/`;
}

export function uploadKey(name: RepositoryName, upload: UploadId): string {
  return repositoryUploadsPrefix(name) + upload;
}

export const DELETIONS_PREFIX = "deletions/";

export function deletionsPrefix(name: RepositoryName): string {
  return `${DELETIONS_PREFIX}${name}!/`;
}

export function deletionKey(name: RepositoryName, digest: Digest): string {
  return deletionsPrefix(name) + path(digest);
}

export const REMOVALS_PREFIX = "removals/";

export function removalKey(name: RepositoryName): string {
  return `${REMOVALS_PREFIX}${name}!`;
}

export const DUE_PREFIX = "due/";

export function duePrefix(name: RepositoryName): string {
  return `${DUE_PREFIX}${name}!/`;
}

export function dueKey(name: RepositoryName, digest: Digest): string {
  return duePrefix(name) + path(digest);
}

export const DUE_BYTES_PREFIX = "due_bytes/";

export function dueBytesKey(digest: Digest): string {
  return DUE_BYTES_PREFIX + path(digest);
}

export const ASIDE_PREFIX = "aside/";

export function asidePrefix(digest: Digest): string {
  return `${ASIDE_PREFIX}${path(digest)}.`;
}

export function asideKey(digest: Digest, id: string): string {
  return asidePrefix(digest) + id;
}

/** The blob whose bytes are at a key of `asideKey`. */
export function asideDigest(key: string): Digest | undefined {
  return lastDigest(key.slice(0, key.lastIndexOf(".")));
}

export const PULLS_PREFIX = "pulls/";

export function pullsPrefix(name: RepositoryName): string {
  return `${PULLS_PREFIX}${name}!/`;
}

export function pullsKey(name: RepositoryName, id: string): string {
  return pullsPrefix(name) + id;
}

export const SECRETS_PREFIX = "secrets/";

export const SEAL_KEY = `${SECRETS_PREFIX}seal`;

export const QUARANTINE_PREFIX = "quarantine/";

/** Where the scrub that is called `run` keeps what it moves away from `key`. */
export function quarantineKey(run: string, key: string): string {
  return `${QUARANTINE_PREFIX}${run}/${key}`;
}

/** The last segment of a key: a tag, an upload. */
export function lastPart(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

/** The digest in the last two segments of a key, or `undefined` where there is none. */
export function lastDigest(key: string): Digest | undefined {
  const digest = key.split("/").slice(-2).join(":");
  return isDigest(digest) ? digest : undefined;
}

/** What the keys of a blob and of all links to it have in common: text that sorts alike in both. */
export function sharedPath(key: string): string {
  return key.split("/", 4).slice(1).join("/");
}

/** The repository of a link. */
export function linkedName(key: string): RepositoryName {
  return key.slice(LINKS_PREFIX.length + sharedPath(key).length + 1, -1) as RepositoryName;
}

/** The name between `prefix` and the next `!`. */
export function nameAfter(prefix: string, key: string): RepositoryName {
  return key.slice(prefix.length, key.indexOf("!")) as RepositoryName;
}

/**
 * Whether what is kept at a key is bytes, or was moved out of the way: nobody makes a condition upon what such a key holds, neither
 * `ifAbsent` nor `ifMatch`.
 */
export function isBytesKey(key: string): boolean {
  return BYTES_PREFIXES.some((prefix) => key.startsWith(prefix));
}

const BYTES_PREFIXES: readonly string[] = [
  BLOBS_PREFIX,
  UPLOADS_PREFIX,
  ASIDE_PREFIX,
  QUARANTINE_PREFIX,
];
