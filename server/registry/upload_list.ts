import type { Storage } from "../../plugins/contract/storage.ts";
import type { RepositoryName } from "../oci/name.ts";
import { cutPage, type Listed, type Page } from "../oci/page.ts";
import type { UploadId } from "../oci/upload.ts";
import type { Sees } from "./catalog.ts";
import { lastPart, nameAfter, repositoryUploadsPrefix, uploadKey, UPLOADS_PREFIX } from "./keys.ts";
import { mapParallel } from "./parallel.ts";

/** An upload that has not ended. */
export interface OpenUpload {
  readonly repository: RepositoryName;
  readonly id: UploadId;
  /** How many bytes have arrived. */
  readonly size: number;
  /** When the last of them did, in milliseconds since the epoch. */
  readonly lastChunkAtMs: number;
}

/** Which uploads are asked for. */
export interface UploadFilter {
  /** Only those into this repository. */
  readonly repository?: RepositoryName | undefined;
  readonly sees?: Sees | undefined;
}

const SCAN_PAGE = 1_000;

/** The uploads under way, by repository. Pages end by `<repository>/<upload>`. */
export async function listUploads(
  storage: Storage,
  page: Page,
  { repository, sees }: UploadFilter,
): Promise<Listed<OpenUpload>> {
  const prefix = repository === undefined ? UPLOADS_PREFIX : repositoryUploadsPrefix(repository);
  const found: OpenUpload[] = [];
  let after = page.last === undefined ? undefined : keyAt(page.last);
  while (page.limit > 0 && found.length <= page.limit) {
    const keys = await storage.list(prefix, { ...(after !== undefined && { after }), limit: SCAN_PAGE });
    const seen = await filterSeen(keys, sees);
    const uploads = await mapParallel(seen.slice(0, page.limit + 1), (key) => describe(storage, key));
    found.push(...uploads.filter((upload) => upload !== undefined));
    if (keys.length < SCAN_PAGE) break;
    after = seen[page.limit] ?? keys.at(-1)!;
  }
  return cutPage(found, page.limit);
}

function keyAt(last: string): string {
  const slash = last.lastIndexOf("/");
  return uploadKey(last.slice(0, slash) as RepositoryName, last.slice(slash + 1) as UploadId);
}

async function filterSeen(keys: readonly string[], sees: Sees | undefined): Promise<readonly string[]> {
  if (!sees) return keys;
  const names = [...new Set(keys.map((key) => nameAfter(UPLOADS_PREFIX, key)))];
  const verdicts = await mapParallel(names, sees);
  const visible = new Set(names.filter((_, index) => verdicts[index]));
  return keys.filter((key) => visible.has(nameAfter(UPLOADS_PREFIX, key)));
}

async function describe(storage: Storage, key: string): Promise<OpenUpload | undefined> {
  const facts = await storage.stat(key);
  return facts && {
    repository: nameAfter(UPLOADS_PREFIX, key),
    id: lastPart(key) as UploadId,
    size: facts.size,
    lastChunkAtMs: facts.modifiedAtMs,
  };
}
