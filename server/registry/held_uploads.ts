import type { Bytes } from "../../plugins/contract/storage.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import {
  createTimedUploadId,
  type HeldBytes,
  type UploadId,
  uploadMark,
  type UploadSession,
  uploadTime,
  uploadUuid,
} from "../oci/upload.ts";
import type { Announcement, Blobs } from "./blobs.ts";
import { ByteBudget } from "./byte_budget.ts";
import { type Beginning, readBeginning } from "./bytes.ts";
import type { FactsCache, UploadOutcome } from "./facts_cache.ts";
import { digestBytes } from "./hash.ts";
import { KeyedMutex } from "./mutex.ts";
import { type Moment, moment } from "./recently_seen.ts";
import type { Seals } from "./seals.ts";
import type { StoredUploads } from "./stored_uploads.ts";
import { setYoungest } from "./upload_hashes.ts";
import type { OpenUpload, UploadFilter } from "./upload_list.ts";
import {
  type Chunk,
  type ChunkAnswer,
  unknownUpload,
  type UploadEnd,
  type Uploads,
  type UploadStart,
  wrongDigest,
} from "./uploads.ts";

/** What is longer is kept by the upload as it comes. */
const HELD_BYTES_MAX = 5 * 1024 * 1024;
/** Of all bodies that are read at once. */
const BUDGET_BYTES = 64 * 1024 * 1024;
/** So long may a client wait with its first bytes. */
const EMPTY_MS = 24 * 3_600_000;
const REMEMBERED_MAX = 2_000;

/** What an upload that is here has come to. */
type Known = Held | "stored";

/** Bytes in the place of their blob, which no repository has by that. */
interface Held extends HeldBytes {
  /** Absent: another replica did this. */
  readonly since?: { readonly storedAt: Moment; readonly announced: Announcement };
}

/**
 * Uploads of a store that is another machine: most are one small chunk. Nothing is stored when they begin. A chunk that is the first,
 * and short, goes straight to where its blob will be, and the upload's URL says so from then on, under a seal; then only the
 * link is missing. Whatever else comes is the business of `StoredUploads`.
 */
export class HeldUploads implements Uploads {
  readonly #stored: StoredUploads;
  readonly #blobs: Blobs;
  readonly #facts: FactsCache;
  readonly #seals: Seals;
  readonly #mutex = new KeyedMutex();
  readonly #budget = new ByteBudget(BUDGET_BYTES);
  /** What clients that do not follow their uploads' URLs go on with. */
  readonly #known = new Map<UploadId, Known>();

  constructor(
    stored: StoredUploads,
    { blobs, facts, seals }: { readonly blobs: Blobs; readonly facts: FactsCache; readonly seals: Seals },
  ) {
    this.#stored = stored;
    this.#blobs = blobs;
    this.#facts = facts;
    this.#seals = seals;
  }

  create(
    name: RepositoryName,
    { algorithm = "sha256", owner = "" }: UploadStart = {},
  ): Promise<UploadSession> {
    const id = createTimedUploadId((uuid) => this.#seals.seal("upload", name, uuid, owner));
    this.#stored.foresee(id, algorithm);
    return Promise.resolve({ id });
  }

  requireOwner(name: RepositoryName, { id, held }: UploadSession, owner: string): void {
    const isOwn = this.#seals.isSeal(uploadMark(id), "upload", name, uploadUuid(id), owner);
    const isTrue = !held || this.#seals.isSeal(held.seal, ...heldText(name, id, held));
    if (!isOwn || !isTrue) throw unknownUpload();
  }

  async size(name: RepositoryName, session: UploadSession): Promise<number> {
    const { id } = session;
    if (await this.#endOf(id) !== undefined) throw unknownUpload();
    const size = await this.#stored.sizeIfThere(name, id) ?? this.#heldOf(session)?.size;
    if (size === undefined && this.#isStored(session)) throw unknownUpload();
    return size ?? requireYoung(session);
  }

  append(name: RepositoryName, session: UploadSession, chunk: Chunk): Promise<ChunkAnswer> {
    const { id } = session;
    return this.#mutex.run(id, async () => {
      if (await this.#endOf(id) !== undefined) throw unknownUpload();
      if (this.#isStored(session)) return await this.#appendStored(name, id, chunk);
      const held = this.#heldOf(session);
      if (held) return await this.#appendHeld(name, session, { held, chunk });
      if (chunk.offset !== undefined && chunk.offset > 0) return await this.#appendStored(name, id, chunk);
      requireYoung(session);
      return await this.#reading(chunk, async (beginning) => {
        if ("rest" in beginning) return await this.#beginStored(name, id, beginning.rest);
        if (beginning.bytes.byteLength === 0) return { accepted: true, size: 0, session };
        return this.#answer(name, id, await this.#hold(name, id, beginning.bytes));
      });
    });
  }

  finish(name: RepositoryName, session: UploadSession, end: UploadEnd): Promise<ChunkAnswer> {
    const { id } = session;
    return this.#mutex.run(id, async () => {
      const ended = await this.#endOf(id);
      if (ended === end.digest && await this.#blobs.has(name, end.digest)) {
        return { accepted: true, size: 0, session };
      }
      if (ended !== undefined) throw unknownUpload();
      const answer = await this.#finish(name, session, end);
      if (answer.accepted) await this.#end(id, end.digest);
      return answer;
    });
  }

  async cancel(name: RepositoryName, { id }: UploadSession): Promise<void> {
    await this.#mutex.run(id, async () => {
      const isEnded = await this.#endOf(id) !== undefined;
      if (!await this.#stored.discard(name, id) && isEnded) throw unknownUpload();
      await this.#end(id, "cancelled");
    });
  }

  discard(name: RepositoryName, id: UploadId): Promise<boolean> {
    return this.#stored.discard(name, id);
  }

  list(page: Page, filter: UploadFilter): Promise<Listed<OpenUpload>> {
    return this.#stored.list(page, filter);
  }

  expire(idleMs: number): Promise<number> {
    return this.#stored.expire(idleMs);
  }

  async #finish(name: RepositoryName, session: UploadSession, end: UploadEnd): Promise<ChunkAnswer> {
    const { id } = session;
    const { digest, chunk } = end;
    if (this.#isStored(session)) return await this.#stored.finish(name, session, end);
    const held = this.#heldOf(session);
    if (held && !chunk) return await this.#take(name, session, { held, digest });
    if (held) {
      if (chunk!.offset !== undefined && chunk!.offset !== held.size) return refused(session, held.size);
      await this.#keep(name, id, held);
      return await this.#stored.finish(name, session, end);
    }
    if (chunk?.offset !== undefined && chunk.offset > 0) return await this.#stored.finish(name, session, end);
    return await this.#reading(chunk, async (beginning) => {
      if ("rest" in beginning) {
        return await this.#stored.finish(name, session, {
          digest,
          chunk: { body: beginning.rest },
          mayCreate: true,
        });
      }
      return await this.#finishWith(name, session, { digest, bytes: beginning.bytes });
    });
  }

  /** Ends an upload with bytes that are all that there is, unless the client has not followed its URL. */
  async #finishWith(
    name: RepositoryName,
    session: UploadSession,
    { digest, bytes }: { readonly digest: Digest; readonly bytes: Uint8Array<ArrayBuffer> },
  ): Promise<ChunkAnswer> {
    const { id } = session;
    const computed = digestBytes(digestAlgorithm(digest), bytes);
    if (computed === digest) {
      requireYoung(session);
      const { since } = await this.#hold(name, id, bytes, digest);
      // What a collector has taken meanwhile is at hand.
      if (!await this.#blobs.link(name, digest, since)) await this.#blobs.store(digest, bytes);
      return { accepted: true, size: bytes.byteLength, session };
    }
    if (await this.#stored.sizeIfThere(name, id) !== undefined) {
      const chunk = bytes.byteLength === 0 ? undefined : { body: new Blob([bytes]).stream() };
      return await this.#stored.finish(name, session, { digest, chunk });
    }
    requireYoung(session);
    await this.#end(id, "cancelled");
    throw wrongDigest(digest, computed);
  }

  /** Makes what is held a blob of the repository. */
  async #take(
    name: RepositoryName,
    session: UploadSession,
    { held, digest }: { readonly held: Held; readonly digest: Digest },
  ): Promise<ChunkAnswer> {
    const { id } = session;
    if (held.digest === digest) {
      if (!await this.#blobs.link(name, digest, held.since)) throw unknownUpload();
      return { accepted: true, size: held.size, session };
    }
    if (digestAlgorithm(digest) !== digestAlgorithm(held.digest)) {
      const bytes = await this.#blobs.bytes(held.digest);
      if (!bytes) throw unknownUpload();
      return await this.#finishWith(name, session, { digest, bytes });
    }
    await this.#end(id, "cancelled");
    throw wrongDigest(digest, held.digest);
  }

  async #appendHeld(
    name: RepositoryName,
    session: UploadSession,
    { held, chunk }: { readonly held: Held; readonly chunk: Chunk },
  ): Promise<ChunkAnswer> {
    if (chunk.offset !== undefined && chunk.offset !== held.size) {
      const size = await this.#stored.sizeIfThere(name, session.id);
      if (size === undefined) return refused(session, held.size);
    }
    await this.#keep(name, session.id, held);
    return await this.#appendStored(name, session.id, chunk);
  }

  async #appendStored(name: RepositoryName, id: UploadId, chunk: Chunk): Promise<ChunkAnswer> {
    return { ...await this.#stored.append(name, { id }, chunk), session: { id, isStored: true } };
  }

  /** Has the upload itself keep what comes. */
  async #beginStored(name: RepositoryName, id: UploadId, body: Bytes): Promise<ChunkAnswer> {
    const answer = await this.#stored.append(name, { id }, { body }, { mayCreate: true });
    this.#remember(id, "stored");
    return { ...answer, session: { id, isStored: true } };
  }

  /** Has the upload itself keep what was held, if it does not yet. */
  async #keep(name: RepositoryName, id: UploadId, held: Held): Promise<void> {
    const isThere = await this.#stored.sizeIfThere(name, id) !== undefined;
    if (!isThere && !await this.#stored.createWith(name, id, held.digest)) throw unknownUpload();
    this.#remember(id, "stored");
  }

  /** Puts bytes where their blob will be. */
  async #hold(
    name: RepositoryName,
    id: UploadId,
    bytes: Uint8Array<ArrayBuffer>,
    digest = digestBytes("sha256", bytes),
  ): Promise<Held> {
    const storedAt = moment();
    const [announced] = await Promise.all([
      this.#blobs.announce(name, digest),
      this.#blobs.store(digest, bytes),
    ]);
    const held = { digest, size: bytes.byteLength, since: { storedAt, announced } };
    if (digestAlgorithm(digest) === "sha256") this.#remember(id, held);
    return held;
  }

  #answer(name: RepositoryName, id: UploadId, { digest, size }: Held): ChunkAnswer {
    const held = { digest, size };
    const seal = this.#seals.seal(...heldText(name, id, held));
    return { accepted: true, size, session: { id, held: { ...held, seal } } };
  }

  #isStored({ id, isStored }: UploadSession): boolean {
    return isStored === true || this.#known.get(id) === "stored";
  }

  /** What is known to be held: here, or by what its URL says. */
  #heldOf({ id, held }: UploadSession): Held | undefined {
    const known = this.#known.get(id);
    if (known === "stored") return undefined;
    return known && (!held || known.digest === held.digest) ? known : held;
  }

  /** Reads the beginning of a body, within the memory that there is. */
  async #reading(
    chunk: Chunk | undefined,
    use: (beginning: Beginning) => Promise<ChunkAnswer>,
  ): Promise<ChunkAnswer> {
    if (!chunk) return await use({ bytes: new Uint8Array(0) });
    const bytesMax = Math.min(chunk.length ?? HELD_BYTES_MAX, HELD_BYTES_MAX);
    const isLong = (chunk.length ?? 0) > HELD_BYTES_MAX;
    if (isLong || !this.#budget.tryTake(bytesMax)) return await use({ rest: chunk.body });
    let beginning: Beginning | undefined;
    try {
      beginning = await readBeginning(chunk.body, bytesMax);
      if ("bytes" in beginning) return await use(beginning);
    } finally {
      this.#budget.give(bytesMax);
    }
    return await use(beginning);
  }

  #remember(id: UploadId, known: Known): void {
    setYoungest(this.#known, id, known, REMEMBERED_MAX);
  }

  async #endOf(id: UploadId): Promise<UploadOutcome | undefined> {
    return this.#stored.endOf(id) ?? await this.#facts.end(id);
  }

  async #end(id: UploadId, outcome: UploadOutcome): Promise<void> {
    this.#known.delete(id);
    await this.#stored.end(id, outcome);
  }
}

function heldText(name: RepositoryName, id: UploadId, { size, digest }: HeldBytes): string[] {
  return ["held", name, id, String(size), digest];
}

function refused(session: UploadSession, size: number): ChunkAnswer {
  return { accepted: false, size, session };
}

/** An upload for which nothing has come yet has not expired. */
function requireYoung({ id }: UploadSession): number {
  if (Math.abs(Date.now() - uploadTime(id)) > EMPTY_MS) throw unknownUpload();
  return 0;
}
