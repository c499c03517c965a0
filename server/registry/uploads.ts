import type { Bytes, Storage } from "../../plugins/contract/storage.ts";
import { type Digest, type DigestAlgorithm, digestAlgorithm, digestEncoded } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import { createUploadId, type UploadId, uploadMark } from "../oci/upload.ts";
import type { Blobs } from "./blobs.ts";
import { emptyBytes, relayBytes } from "./bytes.ts";
import { digestBytes, Hasher } from "./hash.ts";
import { lastPart, nameAfter, uploadKey, UPLOADS_PREFIX } from "./keys.ts";
import { KeyedMutex } from "./mutex.ts";
import { listUploads, type OpenUpload, type UploadFilter } from "./upload_list.ts";
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
export interface ChunkAnswer {
  readonly accepted: boolean;
  /** Length of the upload now, in bytes. */
  readonly size: number;
}

/** How an upload begins. */
export interface UploadStart {
  /** What its digest will be computed by, as far as is known. */
  readonly algorithm?: DigestAlgorithm | undefined;
  /** Who begins it: an identity's id; empty for the anonymous. */
  readonly owner?: string;
}

const HASHERS_MAX = 2_000;
const FINISHED_MAX = 2_000;
const SWEEP_PAGE = 1_000;
/** For how long an announcement is sure to be there. */
const ANNOUNCED_MS = 500;

/**
 * Uploads under way. An upload is an object that grows; its whole state is its bytes, so any replica can go on with it,
 * after a restart too. The hash of what has passed is kept in memory beside it: only a saving, since it counts only if
 * it covers exactly the bytes there are, and is computed again from them where it does not.
 */
export class Uploads {
  readonly #storage: Storage;
  readonly #blobs: Blobs;
  readonly #quota: UploadQuota;
  readonly #mutex = new KeyedMutex();
  readonly #hashers = new Map<UploadId, Hasher>();
  /** Uploads that ended as a blob, so that a client whose 201 was lost may ask again. */
  readonly #finished = new Map<UploadId, Digest>();

  constructor(storage: Storage, blobs: Blobs, options: { readonly openMax: number }) {
    this.#storage = storage;
    this.#blobs = blobs;
    this.#quota = new UploadQuota(storage, options.openMax);
  }

  /** Begins an upload into the repository; TOOMANYREQUESTS while it has as many as it may. */
  async create(
    name: RepositoryName,
    { algorithm = "sha256", owner = "" }: UploadStart = {},
  ): Promise<UploadId> {
    await this.#quota.claim(name);
    const id = createUploadId(ownerMark(owner));
    await this.#storage.append(uploadKey(name, id), 0, emptyBytes());
    remember(this.#hashers, id, new Hasher(algorithm), HASHERS_MAX);
    return id;
  }

  /** BLOB_UPLOAD_UNKNOWN unless it was `owner` who began the upload. */
  requireOwner(id: UploadId, owner: string): void {
    if (uploadMark(id) !== ownerMark(owner)) throw unknownUpload();
  }

  /** How many bytes have arrived; BLOB_UPLOAD_UNKNOWN where the repository has no such upload. */
  async size(name: RepositoryName, id: UploadId): Promise<number> {
    const facts = await this.#storage.stat(uploadKey(name, id));
    if (!facts) throw unknownUpload();
    return facts.size;
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
      if (this.#finished.get(id) === digest && await this.#blobs.has(name, digest)) {
        return { accepted: true, size: 0 };
      }
      const announcedAtMs = performance.now();
      // The announcement must be there before the link; that it is made meanwhile costs no time.
      const [answer] = await whole([
        this.#complete(name, id, { digest, chunk }),
        this.#blobs.announce(name, digest),
      ]);
      if (!answer.accepted) return answer;
      // A collector that finds no link for the grace time, which is longer than this, strikes it out.
      if (performance.now() - announcedAtMs > ANNOUNCED_MS) await this.#blobs.announce(name, digest);
      const upload = { key: uploadKey(name, id), size: answer.size };
      const isTaken = await this.#blobs.take(name, digest, upload);
      if (isTaken === undefined) return { accepted: false, size: await this.size(name, id) };
      if (!isTaken) throw unknownUpload();
      this.#quota.release(name);
      remember(this.#finished, id, digest, FINISHED_MAX);
      return answer;
    });
  }

  async #complete(
    name: RepositoryName,
    id: UploadId,
    { digest, chunk }: UploadEnd,
  ): Promise<ChunkAnswer> {
    if (!chunk) {
      const size = await this.size(name, id);
      await this.#verify(name, id, digest, size);
      return { accepted: true, size };
    }
    const answer = await this.#append(name, id, chunk);
    if (answer.accepted) await this.#verify(name, id, digest, answer.size);
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
    this.#hashers.delete(lastPart(key) as UploadId);
    const had = await this.#storage.delete(key);
    if (had) this.#quota.release(nameAfter(UPLOADS_PREFIX, key));
    return had;
  }

  async #append(name: RepositoryName, id: UploadId, { body, offset }: Chunk): Promise<ChunkAnswer> {
    const before = await this.size(name, id);
    if (offset !== undefined && offset !== before) return { accepted: false, size: before };
    const hasher = this.#hasherAt(id, before);
    // Another replica may have begun the upload.
    if (hasher) remember(this.#hashers, id, hasher, HASHERS_MAX);
    try {
      const { size } = await this.#storage.append(
        uploadKey(name, id),
        before,
        relayBytes(body, async (read) => {
          const result = await read();
          if (result.value) hasher?.update(result.value);
          return result;
        }),
      );
      return { accepted: true, size };
    } catch (error) {
      // What was hashed and what was written may differ now.
      this.#hashers.delete(id);
      throw error;
    }
  }

  /** The hasher that has seen exactly the first `length` bytes. */
  #hasherAt(id: UploadId, length: number): Hasher | undefined {
    const hasher = this.#hashers.get(id) ?? new Hasher("sha256");
    return hasher?.length === length ? hasher : undefined;
  }

  async #verify(name: RepositoryName, id: UploadId, digest: Digest, size: number): Promise<void> {
    const hasher = this.#hasherAt(id, size);
    this.#hashers.delete(id);
    const computed = hasher?.algorithm === digestAlgorithm(digest)
      ? hasher.digest()
      : await this.#rehash(uploadKey(name, id), digestAlgorithm(digest));
    if (computed === digest) return;
    await this.#forget(uploadKey(name, id));
    throw new OciError("DIGEST_INVALID", "Cannot finish the upload: its bytes have another digest", {
      detail: { digest, computed },
    });
  }

  async #rehash(key: string, algorithm: DigestAlgorithm): Promise<Digest> {
    const opened = await this.#storage.open(key);
    if (!opened) throw unknownUpload();
    const hasher = new Hasher(algorithm);
    for await (const chunk of opened.body) hasher.update(chunk);
    return hasher.digest();
  }
}

/** `Promise.all` that waits for all, whichever fails. */
async function whole<T extends readonly unknown[]>(
  tasks: { [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  await Promise.allSettled(tasks);
  return await Promise.all(tasks) as unknown as T;
}

function ownerMark(owner: string): string {
  return owner === ""
    ? ""
    : digestEncoded(digestBytes("sha256", new TextEncoder().encode(owner))).slice(0, 32);
}

function unknownUpload(): OciError {
  return new OciError("BLOB_UPLOAD_UNKNOWN", "Cannot find the upload: it has ended, expired, or never began");
}

/** Sets an entry of a map that keeps the `max` youngest. */
function remember<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.set(key, value);
  if (map.size > max) map.delete(map.keys().next().value!);
}
