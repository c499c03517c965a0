import { type Digest, isDigest } from "../../oci/digest.ts";
import { isRepositoryName, type RepositoryName } from "../../oci/name.ts";
import { isTag, type Tag } from "../../oci/reference.ts";
import { isUploadId, type UploadId } from "../../oci/upload.ts";
import {
  ASIDE_PREFIX,
  asideKey,
  blobKey,
  BLOBS_PREFIX,
  CATALOG_PREFIX,
  catalogKey,
  deletionKey,
  DELETIONS_PREFIX,
  DUE_BYTES_PREFIX,
  DUE_PREFIX,
  dueBytesKey,
  dueKey,
  historyKey,
  historyTime,
  lastDigest,
  lastPart,
  linkKey,
  LINKS_PREFIX,
  manifestKey,
  nameAfter,
  PULLS_PREFIX,
  pullsKey,
  referrerKey,
  removalKey,
  REMOVALS_PREFIX,
  REPOSITORIES_PREFIX,
  taggedKey,
  tagKey,
  uploadKey,
  UPLOADS_PREFIX,
} from "../keys.ts";

/** What a key of the store is about. */
export type StoredKey =
  | { readonly of: "blob" | "due bytes" | "aside"; readonly digest: Digest }
  | {
    readonly of: "link" | "manifest" | "deletion" | "due";
    readonly name: RepositoryName;
    readonly digest: Digest;
  }
  | { readonly of: "catalog" | "pulls" | "removal"; readonly name: RepositoryName }
  | { readonly of: "tag" | "history"; readonly name: RepositoryName; readonly tag: Tag }
  | { readonly of: "tagged"; readonly name: RepositoryName; readonly digest: Digest; readonly tag: Tag }
  | {
    readonly of: "referrer";
    readonly name: RepositoryName;
    readonly digest: Digest;
    readonly subject: Digest;
  }
  | { readonly of: "upload"; readonly name: RepositoryName; readonly upload: UploadId };

/** What is read of a key, and the key that would be written for it: another one is not the registry's. */
type Reading = readonly [found: StoredKey, key: string] | undefined;

const READERS: Readonly<Record<string, (key: string) => Reading>> = {
  [ASIDE_PREFIX]: (key) => {
    const [, algorithm, encoded = "", id] = /^[^/]+\/([^/]+)\/([^/.]+)\.([^/]+)$/.exec(key) ?? [];
    const digest = digestOf(algorithm, encoded);
    return digest && id !== undefined ? [{ of: "aside", digest }, asideKey(digest, id)] : undefined;
  },
  [BLOBS_PREFIX]: (key) => {
    const [, algorithm, , encoded] = key.split("/");
    const digest = digestOf(algorithm, encoded);
    return digest && [{ of: "blob", digest }, blobKey(digest)];
  },
  [CATALOG_PREFIX]: (key) =>
    named(CATALOG_PREFIX, key, (name) => [{ of: "catalog", name }, catalogKey(name)]),
  [DELETIONS_PREFIX]: (key) =>
    namedDigest(DELETIONS_PREFIX, key, (name, digest) => [
      { of: "deletion", name, digest },
      deletionKey(name, digest),
    ]),
  [DUE_PREFIX]: (key) =>
    namedDigest(DUE_PREFIX, key, (name, digest) => [{ of: "due", name, digest }, dueKey(name, digest)]),
  [DUE_BYTES_PREFIX]: (key) => {
    const digest = lastDigest(key);
    return digest && [{ of: "due bytes", digest }, dueBytesKey(digest)];
  },
  [LINKS_PREFIX]: (key) => {
    const [, algorithm, , encoded, ...rest] = key.split("/");
    const digest = digestOf(algorithm, encoded);
    const name = rest.join("/").slice(0, -1);
    if (!digest || !isRepositoryName(name)) return undefined;
    return [{ of: "link", name, digest }, linkKey(name, digest)];
  },
  [PULLS_PREFIX]: (key) =>
    named(PULLS_PREFIX, key, (name) => [{ of: "pulls", name }, pullsKey(name, lastPart(key))]),
  [REMOVALS_PREFIX]: (key) =>
    named(REMOVALS_PREFIX, key, (name) => [{ of: "removal", name }, removalKey(name)]),
  [REPOSITORIES_PREFIX]: readRepositoryKey,
  [UPLOADS_PREFIX]: (key) =>
    named(UPLOADS_PREFIX, key, (name) => {
      const upload = lastPart(key);
      return isUploadId(upload) ? [{ of: "upload", name, upload }, uploadKey(name, upload)] : undefined;
    }),
};

/** The parts of a repository, by the component that begins with `_`. */
const REPOSITORY_READERS: Readonly<Record<string, (name: RepositoryName, key: string) => Reading>> = {
  _history: (name, key) => {
    const [tag = "", entry = ""] = key.split("/").slice(-2);
    if (!isTag(tag)) return undefined;
    const id = entry.slice(entry.indexOf("-") + 1);
    return [{ of: "history", name, tag }, historyKey(name, tag, { timeUs: historyTime(key), id })];
  },
  _manifests: (name, key) => {
    const digest = lastDigest(key);
    return digest && [{ of: "manifest", name, digest }, manifestKey(name, digest)];
  },
  _referrers: (name, key) => {
    const digest = lastDigest(key);
    const subject = lastDigest(key.split("/").slice(0, -2).join("/"));
    return digest && subject &&
      [{ of: "referrer", name, digest, subject }, referrerKey(name, subject, digest)];
  },
  _tagged: (name, key) => {
    const tag = lastPart(key);
    const digest = lastDigest(key.slice(0, key.lastIndexOf("/")));
    return digest && isTag(tag)
      ? [{ of: "tagged", name, digest, tag }, taggedKey(name, digest, tag)]
      : undefined;
  },
  _tags: (name, key) => {
    const tag = lastPart(key);
    return isTag(tag) ? [{ of: "tag", name, tag }, tagKey(name, tag)] : undefined;
  },
};

/** What a key is about; `undefined` for one that the registry does not write. */
export function parseStoredKey(key: string): StoredKey | undefined {
  const [found, written] = READERS[key.slice(0, key.indexOf("/") + 1)]?.(key) ?? [];
  return written === key ? found : undefined;
}

function readRepositoryKey(key: string): Reading {
  const end = key.indexOf("/_");
  const name = key.slice(REPOSITORIES_PREFIX.length, end);
  const part = key.slice(end + 1).split("/", 1)[0]!;
  return isRepositoryName(name) ? REPOSITORY_READERS[part]?.(name, key) : undefined;
}

function named(prefix: string, key: string, read: (name: RepositoryName) => Reading): Reading {
  const name = nameAfter(prefix, key);
  return isRepositoryName(name) ? read(name) : undefined;
}

function namedDigest(
  prefix: string,
  key: string,
  read: (name: RepositoryName, digest: Digest) => Reading,
): Reading {
  const digest = lastDigest(key);
  return digest && named(prefix, key, (name) => read(name, digest));
}

function digestOf(algorithm: string | undefined, encoded: string | undefined): Digest | undefined {
  const text = `${algorithm}:${encoded}`;
  return isDigest(text) ? text : undefined;
}
