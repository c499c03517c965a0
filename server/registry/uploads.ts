import { unlessConflict } from "../../plugins/contract/error.ts";
import type { Bytes, ObjectFacts, Storage } from "../../plugins/contract/storage.ts";
import { type Digest, type DigestAlgorithm, digestAlgorithm, digestEncoded } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import { createUploadId, type UploadId, uploadMark } from "../oci/upload.ts";
import type { Blobs } from "./blobs.ts";
import { digestBytes } from "./hash.ts";
import { lastPart, nameAfter, uploadKey, UPLOADS_PREFIX } from "./keys.ts";
import { KeyedMutex } from "./mutex.ts";
import type { FactsCache } from "./facts_cache.ts";
import { listUploads, type OpenUpload, type UploadFilter } from "./upload_list.ts";
import { setYoungest, UploadHashes, type UploadState } from "./upload_hashes.ts";
import { UploadQuota } from "./upload_quota.ts";

/** Bytes for an upload. */
export interface Chunk {
  readonly body: Bytes;
  /** Where the client believes the upload to end; `undefined`: wherever it does. */
  readonly offset?: number | undefined;
}

/** How an upload ends. */
export interface UploadEnd {
  /** What the client says that its bytes are. */
  readonly digest: Digest;
  /** The last bytes. */
  readonly chunk?: Chunk | undefined;
}

/** What became of a chunk: taken, or refused because the upload is not as long as the client believes. */
export interface ChunkAnswer extends UploadState {
  readonly accepted: boolean;
}

/** How an upload begins. */
export interface UploadStart {
  /** What its digest will be computed by, as far as is known. */
  readonly algorithm?: DigestAlgorithm | undefined;
  /** Who begins it: an identity's id; empty for the anonymous. */
  readonly owner?: string;
}

const NOTHING = new Uint8Array(0);
const FINISHED_MAX = 2_000;
const SWEEP_PAGE = 1_000;

/**
 * Uploads under way. An upload is an object that grows; its whole state is its bytes, so any replica can go on with it,
 * after a restart too. The hash of what has passed is kept beside it: only a saving (`UploadHashes`).
 */
export class Uploads {
  readonly #storage: Storage;
  readonly #blobs: Blobs;
  readonly #quota: UploadQuota;
  readonly #facts: FactsCache;
  readonly #mutex = new KeyedMutex();
  readonly #hashers: UploadHashes;
  /** Uploads that ended as a blob, so that a client whose 201 was lost may ask again. */
  readonly #finished = new Map<UploadId, Digest>();

  /** `notes`: as in `StorageFeatures`. */
  constructor(
    storage: Storage,
    blobs: Blobs,
    { openMax, notes, facts }: {
      readonly openMax: number;
      readonly notes: boolean;
      readonly facts: FactsCache;
    },
  ) {
    this.#facts = facts;
    this.#storage = storage;
    this.#blobs = blobs;
    this.#hashers = new UploadHashes(storage, { notes });
    this.#quota = new UploadQuota(storage, openMax);
  }

  /** Begins an upload into the repository; TOOMANYREQUESTS while it has as many as it may. */
  async create(
    name: RepositoryName,
    { algorithm = "sha256", owner = "" }: UploadStart = {},
  ): Promise<UploadId> {
    await this.#quota.claim(name);
    const id = createUploadId(ownerMark(owner));
    await this.#storage.put(uploadKey(name, id), NOTHING, { lasting: false });
    this.#hashers.begin(id, algorithm);
    return id;
  }

  /** BLOB_UPLOAD_UNKNOWN unless it was `owner` who began the upload. */
  requireOwner(id: UploadId, owner: string): void {
    if (uploadMark(id) !== ownerMark(owner)) throw unknownUpload();
  }

  /** How many bytes have arrived; BLOB_UPLOAD_UNKNOWN where the repository has no such upload. */
  async size(name: RepositoryName, id: UploadId): Promise<number> {
    return (await this.#stat(name, id)).size;
  }

  /** Adds a chunk. When the body breaks off, what had arrived stays. */
  append(name: RepositoryName, id: UploadId, chunk: Chunk): Promise<ChunkAnswer> {
    return this.#mutex.run(id, () => this.#append(name, id, chunk));
  }

  /**
   * Adds the last chunk, if any, and makes the upload a blob. DIGEST_INVALID, and the upload is gone, where its bytes do
   * not have this digest. Asked again after it succeeded, it answers the same.
   */
  finish(name: RepositoryName, id: UploadId, { digest, chunk }: UploadEnd): Promise<ChunkAnswer> {
    return this.#mutex.run(id, async () => {
      const end = this.#finished.get(id) ?? await this.#facts.end(id);
      if (end === digest && await this.#blobs.has(name, digest)) return { accepted: true, size: 0 };
      // The announcement must be there before the link; that it is made meanwhile costs no time.
      const [answer, announced] = await whole([
        this.#complete(name, id, { digest, chunk }),
        this.#blobs.announce(name, digest),
      ]);
      if (!answer.accepted) return answer;
      const upload = { key: uploadKey(name, id), state: answer };
      const isTaken = await this.#blobs.take(name, digest, { ...upload, announced });
      if (isTaken === undefined && !await this.#endsAsIs(name, id, digest)) {
        return { accepted: false, size: await this.size(name, id) };
      }
      if (isTaken === false) throw unknownUpload();
      this.#quota.release(name);
      setYoungest(this.#finished, id, digest, FINISHED_MAX);
      await this.#facts.keepEnd(id, digest);
      return answer;
    });
  }

  /** What could not be moved may have been by a try that was cut short, or by another replica. Then only the rest is forgotten. */
  async #endsAsIs(name: RepositoryName, id: UploadId, digest: Digest): Promise<boolean> {
    const isThere = await this.#blobs.has(name, digest);
    if (isThere) await this.#forget(uploadKey(name, id));
    return isThere;
  }

  async #complete(
    name: RepositoryName,
    id: UploadId,
    { digest, chunk }: UploadEnd,
  ): Promise<ChunkAnswer> {
    if (!chunk) {
      // What was hashed here, or there, is what will be moved, or nothing is.
      const known = this.#hashers.known(id, digest);
      if (known !== undefined) return { accepted: true, ...known };
      const facts = await this.#stat(name, id);
      await this.#verify(name, id, digest, facts);
      return { accepted: true, ...stateOf(facts) };
    }
    const answer = await this.#append(name, id, chunk);
    if (answer.accepted) await this.#verify(name, id, digest, answer);
    return answer;
  }

  /** Ends an upload and forgets its bytes; BLOB_UPLOAD_UNKNOWN where there is none. */
  async cancel(name: RepositoryName, id: UploadId): Promise<void> {
    if (!await this.discard(name, id)) throw unknownUpload();
  }

  /** Ends an upload and forgets its bytes. Answers whether there was one. */
  discard(name: RepositoryName, id: UploadId): Promise<boolean> {
    return this.#mutex.run(id, () => this.#forget(uploadKey(name, id)));
  }

  /** The uploads under way, by repository. Pages end by `<repository>/<upload>`. */
  list(page: Page, filter: UploadFilter): Promise<Listed<OpenUpload>> {
    return listUploads(this.#storage, page, filter);
  }

  /** Removes the uploads to which nothing was added for `idleMs`. Answers how many. */
  async expire(idleMs: number): Promise<number> {
    let expired = 0;
    let keys = await this.#storage.list(UPLOADS_PREFIX, { limit: SWEEP_PAGE });
    while (keys.length > 0) {
      for (const key of keys) if (await this.#expireOne(key, idleMs)) expired++;
      keys = await this.#storage.list(UPLOADS_PREFIX, { after: keys.at(-1)!, limit: SWEEP_PAGE });
    }
    return expired;
  }

  #expireOne(key: string, idleMs: number): Promise<boolean> {
    const id = lastPart(key) as UploadId;
    return this.#mutex.run(id, async () => {
      const facts = await this.#storage.stat(key);
      if (!facts || facts.modifiedAtMs > Date.now() - idleMs) return false;
      return await this.#forget(key);
    });
  }

  async #forget(key: string): Promise<boolean> {
    this.#hashers.forget(lastPart(key) as UploadId);
    const had = await this.#storage.delete(key);
    if (had) this.#quota.release(nameAfter(UPLOADS_PREFIX, key));
    return had;
  }

  async #append(name: RepositoryName, id: UploadId, { body, offset }: Chunk): Promise<ChunkAnswer> {
    // A client that says where it goes on knows what other replicas have; if it does not, the store finds the upload longer.
    const passed = this.#hashers.passed(id);
    const before = passed && passed.size === offset ? passed : await this.#stat(name, id);
    if (offset !== undefined && offset !== before.size) return { accepted: false, size: before.size };
    const key = uploadKey(name, id);
    const hashing = await this.#hashers.at({ id, key }, before);
    try {
      const options = { ...hashing.options, mustExist: true } as const;
      const append = this.#storage.append(key, before.size, hashing.watch(body), options);
      const appended = await unlessConflict(append);
      if (appended) this.#hashers.arrived(id, appended);
      if (appended) return { accepted: true, ...stateOf(appended) };
    } catch (error) {
      // What was hashed and what was written may differ now.
      this.#hashers.forget(id);
      throw error;
    }
    this.#hashers.forget(id);
    return { accepted: false, size: await this.size(name, id) };
  }

  async #stat(name: RepositoryName, id: UploadId): Promise<ObjectFacts> {
    const facts = await this.#storage.stat(uploadKey(name, id));
    if (!facts) throw unknownUpload();
    return facts;
  }

  async #verify(
    name: RepositoryName,
    id: UploadId,
    digest: Digest,
    facts: Pick<ObjectFacts, "size" | "note">,
  ): Promise<void> {
    const key = uploadKey(name, id);
    const computed = await this.#hashers.digest({ id, key }, facts, digestAlgorithm(digest));
    if (computed === undefined) throw unknownUpload();
    if (computed === digest) return;
    await this.#forget(key);
    throw new OciError("DIGEST_INVALID", "Cannot finish the upload: its bytes have another digest", {
      detail: { digest, computed },
    });
  }
}

/** `Promise.all` that waits for all, whichever fails. */
async function whole<T extends readonly unknown[]>(
  tasks: { [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  await Promise.allSettled(tasks);
  return await Promise.all(tasks) as unknown as T;
}

function stateOf({ size, etag }: UploadState): UploadState {
  return { size, ...(etag !== undefined && { etag }) };
}

function ownerMark(owner: string): string {
  return owner === ""
    ? ""
    : digestEncoded(digestBytes("sha256", new TextEncoder().encode(owner))).slice(0, 32);
}

function unknownUpload(): OciError {
  return new OciError("BLOB_UPLOAD_UNKNOWN", "Cannot find the upload: it has ended, expired, or never began");
}
