import { unlessConflict } from "../../plugins/contract/error.ts";
import type { ObjectFacts, Storage } from "../../plugins/contract/storage.ts";
import { type Digest, type DigestAlgorithm, digestAlgorithm, digestEncoded } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import { createUploadId, type UploadId, uploadMark, type UploadSession } from "../oci/upload.ts";
import type { Announcement, Blobs } from "./blobs.ts";
import { ByteBudget } from "./byte_budget.ts";
import { digestBytes } from "./hash.ts";
import { lastPart, nameAfter, uploadKey, UPLOADS_PREFIX } from "./keys.ts";
import { KeyedMutex } from "./mutex.ts";
import type { FactsCache, UploadOutcome } from "./facts_cache.ts";
import { listUploads, type OpenUpload, type UploadFilter } from "./upload_list.ts";
import { UploadHashes, type UploadState } from "./upload_hashes.ts";
import { UploadQuota } from "./upload_quota.ts";
import {
  type Chunk,
  type ChunkAnswer,
  SHORT_BYTES_MAX,
  unknownUpload,
  type UploadEnd,
  type Uploads,
  type UploadStart,
  wrongDigest,
} from "./uploads.ts";
import { setYoungest } from "./youngest.ts";

const NOTHING = new Uint8Array(0);
const ENDED_MAX = 2_000;
const EMPTY = { size: 0 } as const;
const SWEEP_PAGE = 1_000;
/** Of all uploads that are read into memory at once. */
const MEMORY_BYTES = 40 * 1024 * 1024;

/** A chunk, and whether it may be the first one of an upload that is not there. */
interface NewChunk extends Chunk {
  readonly mayCreate?: boolean;
}

/** What became of it, and as what the upload is known by that. */
interface Appended extends UploadState {
  readonly accepted: boolean;
}

/**
 * Uploads that are kept by themselves. Each is an object that grows; its whole state is its bytes, so any replica can go on with it,
 * after a restart too. The hash of what has passed is kept beside it: only a saving (`UploadHashes`).
 */
export class StoredUploads implements Uploads {
  readonly #storage: Storage;
  readonly #blobs: Blobs;
  readonly #quota: UploadQuota;
  readonly #facts: FactsCache;
  readonly #mutex = new KeyedMutex();
  readonly #hashers: UploadHashes;
  readonly #readsSmall: boolean;
  readonly #memory = new ByteBudget(MEMORY_BYTES);
  /** Uploads that have ended: a client whose 201 was lost may ask again. */
  readonly #ended = new Map<UploadId, UploadOutcome>();

  /** `notes`, `shared`: as in `StorageFeatures`. */
  constructor(
    storage: Storage,
    blobs: Blobs,
    { openMax, notes, facts, shared }: {
      readonly openMax: number;
      readonly notes: boolean;
      readonly shared: boolean;
      readonly facts: FactsCache;
    },
  ) {
    this.#facts = facts;
    this.#readsSmall = shared;
    this.#storage = storage;
    this.#blobs = blobs;
    this.#hashers = new UploadHashes(storage, { notes });
    this.#quota = new UploadQuota(storage, openMax);
  }

  /** Begins an upload into the repository; TOOMANYREQUESTS while it has as many as it may. */
  async create(
    name: RepositoryName,
    { algorithm = "sha256", owner = "" }: UploadStart = {},
  ): Promise<UploadSession> {
    await this.#quota.claim(name);
    const id = createUploadId(ownerMark(owner));
    await this.#storage.put(uploadKey(name, id), NOTHING, { lasting: false });
    this.#hashers.begin(id, algorithm);
    return { id };
  }

  /** Makes an upload of the bytes of a blob. Answers whether they were there. */
  async createWith(name: RepositoryName, id: UploadId, digest: Digest): Promise<boolean> {
    await this.#quota.claim(name);
    return await this.#blobs.copy(digest, uploadKey(name, id));
  }

  /** Prepares for the digest of an upload that is still to be created, as far as that is known. */
  foresee(id: UploadId, algorithm: DigestAlgorithm): void {
    if (algorithm !== "sha256") this.#hashers.begin(id, algorithm);
  }

  requireOwner(_name: RepositoryName, { id, held }: UploadSession, owner: string): void {
    if (uploadMark(id) !== ownerMark(owner) || held) throw unknownUpload();
  }

  async size(name: RepositoryName, { id }: UploadSession): Promise<number> {
    return (await this.#stat(name, id)).size;
  }

  /** How many bytes have arrived, if there is such an upload. */
  async sizeIfThere(name: RepositoryName, id: UploadId): Promise<number | undefined> {
    return (await this.#storage.stat(uploadKey(name, id)))?.size;
  }

  /** Adds a chunk. When the body breaks off, what had arrived stays. `mayCreate`: as the first one of an upload that may not be there. */
  append(
    name: RepositoryName,
    session: UploadSession,
    chunk: Chunk,
    { mayCreate = false }: { readonly mayCreate?: boolean } = {},
  ): Promise<ChunkAnswer> {
    const { id } = session;
    return this.#mutex.run(id, async () => {
      return { ...await this.#append(name, id, { ...chunk, mayCreate }), session };
    });
  }

  /** How an upload has ended, as far as this process remembers. */
  endOf(id: UploadId): UploadOutcome | undefined {
    return this.#ended.get(id);
  }

  /** Remembers how an upload has ended. */
  async end(id: UploadId, outcome: UploadOutcome): Promise<void> {
    setYoungest(this.#ended, id, outcome, ENDED_MAX);
    await this.#facts.keepEnd(id, outcome);
  }

  /** `mayCreate`: as with `append`. */
  finish(
    name: RepositoryName,
    session: UploadSession,
    { digest, chunk, mayCreate = false }: UploadEnd & { readonly mayCreate?: boolean },
  ): Promise<ChunkAnswer> {
    const { id } = session;
    return this.#mutex.run(id, async () => {
      const outcome = this.#ended.get(id) ?? (await this.#facts.upload(id))?.outcome;
      if (outcome === digest && await this.#blobs.has(name, digest)) {
        return { accepted: true, size: 0, session };
      }
      // The announcement must be there before the link; that it is made meanwhile costs no time.
      const [answer, announced] = await whole([
        this.#complete(name, id, { digest, ...(chunk && { chunk: { ...chunk, mayCreate } }) }),
        this.#blobs.announce(name, digest),
      ]);
      if (!answer.accepted) return { ...answer, session };
      const isTaken = this.#readsSmall && answer.size <= SHORT_BYTES_MAX
        ? await this.#takeRead(name, id, { digest, announced })
        : await this.#blobs.take(name, digest, { key: uploadKey(name, id), state: answer, announced });
      if (isTaken === undefined && !await this.#endsAsIs(name, id, digest)) {
        return { accepted: false, size: (await this.#stat(name, id)).size, session };
      }
      if (isTaken === false) throw unknownUpload();
      this.#quota.release(name);
      await this.end(id, digest);
      return { ...answer, session };
    });
  }

  /**
   * Reads the upload, and makes what was read the blob. `undefined` where it has another digest by now: somebody has changed it. What a
   * store tells small objects by may be the same of two that somebody has made to be.
   */
  async #takeRead(
    name: RepositoryName,
    id: UploadId,
    { digest, announced }: { readonly digest: Digest; readonly announced: Announcement },
  ): Promise<boolean | undefined> {
    const key = uploadKey(name, id);
    const isPut = await this.#memory.during(SHORT_BYTES_MAX, async () => {
      const value = await this.#storage.get(key);
      if (!value) return false;
      if (digestBytes(digestAlgorithm(digest), value.bytes) !== digest) return undefined;
      await this.#blobs.put(name, digest, { bytes: value.bytes, announced });
      return true;
    });
    if (isPut) await this.#storage.delete(key);
    return isPut;
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
    { digest, chunk }: { readonly digest: Digest; readonly chunk?: NewChunk },
  ): Promise<Appended> {
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

  async cancel(name: RepositoryName, { id }: UploadSession): Promise<void> {
    if (!await this.discard(name, id)) throw unknownUpload();
  }

  async abandon(name: RepositoryName, { id }: UploadSession): Promise<void> {
    await this.discard(name, id);
  }

  discard(name: RepositoryName, id: UploadId): Promise<boolean> {
    return this.#mutex.run(id, () => this.#forget(uploadKey(name, id)));
  }

  list(page: Page, filter: UploadFilter): Promise<Listed<OpenUpload>> {
    return listUploads(this.#storage, page, filter);
  }

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

  async #append(name: RepositoryName, id: UploadId, chunk: NewChunk): Promise<Appended> {
    const { body, offset, mayCreate } = chunk;
    if (mayCreate) await this.#quota.claim(name);
    const before = mayCreate ? EMPTY : await this.#before(name, id, offset);
    if (offset !== undefined && offset !== before.size) return { accepted: false, size: before.size };
    const key = uploadKey(name, id);
    const hashing = await this.#hashers.at({ id, key }, before);
    try {
      const options = { ...hashing.options, ...(!mayCreate && { mustExist: true } as const) };
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
    return { accepted: false, size: (await this.#stat(name, id)).size };
  }

  /** A client that says where it goes on knows what other replicas have; if it does not, the store finds the upload longer. */
  async #before(
    name: RepositoryName,
    id: UploadId,
    offset: number | undefined,
  ): Promise<Pick<ObjectFacts, "size" | "note">> {
    const passed = this.#hashers.passed(id);
    return passed && passed.size === offset ? passed : await this.#stat(name, id);
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
    throw wrongDigest(digest, computed);
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
