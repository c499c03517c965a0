import type { Bytes } from "../../plugins/contract/storage.ts";
import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import {
  formatUploadSession,
  type HeldBytes,
  type UploadId,
  type UploadSession,
  uploadTime,
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
import type { Telling, ToldFacts } from "./told_facts.ts";
import type { OpenUpload, UploadFilter } from "./upload_list.ts";
import { UploadSessions } from "./upload_sessions.ts";
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

/** Of all bodies that are read at once. */
const BUDGET_BYTES = 64 * 1024 * 1024;
/** Of all that is read again at once. */
const AGAIN_BYTES = 40 * 1024 * 1024;
/** So long after it began may an upload go on that keeps nothing itself. */
const YOUNG_MS = 24 * 3_600_000;
const REMEMBERED_MAX = 2_000;
/** Shorter than an announcement is sure to be there, and bytes that nobody links to. */
const FRESH: Telling = { ttlMs: 3_000, ageMaxMs: 15_000 };

/** What an upload that is here has come to. */
type Known = Held | "stored" | "begun to be stored";

type Ongoing = { readonly is: "new" | "stored" } | { readonly is: "held"; readonly held: Held };
type State = Ongoing | { readonly is: "ended"; readonly outcome: UploadOutcome };

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
  readonly #sessions: UploadSessions;
  readonly #told: ToldFacts;
  readonly #mutex = new KeyedMutex();
  readonly #budget = new ByteBudget(BUDGET_BYTES);
  readonly #again = new ByteBudget(AGAIN_BYTES);
  /** What clients that do not follow their uploads' URLs go on with. */
  readonly #known = new Map<UploadId, Known>();

  constructor(
    stored: StoredUploads,
    { blobs, facts, seals, told }: {
      readonly blobs: Blobs;
      readonly facts: FactsCache;
      readonly seals: Seals;
      readonly told: ToldFacts;
    },
  ) {
    this.#stored = stored;
    this.#blobs = blobs;
    this.#facts = facts;
    this.#sessions = new UploadSessions(seals);
    this.#told = told;
  }

  create(
    name: RepositoryName,
    { algorithm = "sha256", owner = "" }: UploadStart = {},
  ): Promise<UploadSession> {
    const session = this.#sessions.create(name, owner);
    this.#stored.foresee(session.id, algorithm);
    return Promise.resolve(session);
  }

  requireOwner(name: RepositoryName, session: UploadSession, owner: string): void {
    if (!this.#sessions.isOwn(name, session, owner)) throw unknownUpload();
  }

  async size(name: RepositoryName, session: UploadSession): Promise<number> {
    const state = await this.#stateOf(name, session);
    if (state.is === "ended") throw unknownUpload();
    const size = await this.#stored.sizeIfThere(name, session.id);
    if (state.is === "held") return size ?? state.held.size;
    if (size === undefined && state.is === "stored") throw unknownUpload();
    return size ?? requireYoung(session);
  }

  append(name: RepositoryName, session: UploadSession, chunk: Chunk): Promise<ChunkAnswer> {
    const { id } = session;
    return this.#mutex.run(id, async () => {
      const state = await this.#stateOf(name, session);
      if (state.is === "ended") throw unknownUpload();
      if (state.is === "held") return await this.#appendHeld(name, session, { held: state.held, chunk });
      const goesOn = chunk.offset !== undefined && chunk.offset > 0;
      if (state.is === "stored" || goesOn) return await this.#appendStored(name, id, chunk);
      requireYoung(session);
      return await this.#reading(chunk, async (beginning) => {
        if ("rest" in beginning) return await this.#beginStored(name, id, beginning.rest);
        if ("error" in beginning) return await this.#keepBroken(name, id, beginning);
        if (beginning.bytes.byteLength === 0) return { accepted: true, size: 0, session };
        return await this.#answerHeld(name, id, await this.#hold(name, id, beginning.bytes));
      });
    });
  }

  finish(name: RepositoryName, session: UploadSession, end: UploadEnd): Promise<ChunkAnswer> {
    const { id } = session;
    return this.#mutex.run(id, async () => {
      const state = await this.#stateOf(name, session);
      if (state.is === "ended") {
        const isAgain = state.outcome === end.digest && await this.#blobs.has(name, end.digest);
        if (!isAgain) throw unknownUpload();
        return { accepted: true, size: 0, session };
      }
      const answer = await this.#finish(name, session, { ...end, state });
      if (answer.accepted) await this.#end(id, end.digest);
      return answer;
    });
  }

  async cancel(name: RepositoryName, session: UploadSession): Promise<void> {
    const { id } = session;
    await this.#mutex.run(id, async () => {
      const state = await this.#stateOf(name, session);
      const isGone = state.is === "ended" || state.is === "stored";
      if (!await this.#stored.discard(name, id) && isGone) throw unknownUpload();
      await this.#end(id, "cancelled");
    });
  }

  async abandon(name: RepositoryName, { id }: UploadSession): Promise<void> {
    if (this.#known.has(id)) await this.#stored.discard(name, id);
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

  async #finish(
    name: RepositoryName,
    session: UploadSession,
    { state, ...end }: UploadEnd & { readonly state: Ongoing },
  ): Promise<ChunkAnswer> {
    const { digest, chunk } = end;
    if (state.is === "held" && !chunk) return await this.#take(name, session, { held: state.held, digest });
    if (session.held?.digest === digest && !chunk) {
      requireYoung(session);
      return await this.#takeRather(name, session, { held: session.held, digest });
    }
    const goesOn = chunk?.offset !== undefined && chunk.offset > 0;
    if (state.is === "held") {
      if (goesOn && chunk.offset !== state.held.size) return this.#refuse(name, session.id, state.held);
      await this.#keep(name, session.id, state.held);
    }
    if (state.is !== "new" || goesOn) return await this.#stored.finish(name, session, end);
    return await this.#reading(chunk, async (beginning) => {
      if ("rest" in beginning) {
        setYoungest(this.#known, session.id, "begun to be stored", REMEMBERED_MAX);
        return await this.#stored.finish(name, session, {
          digest,
          chunk: { body: beginning.rest },
          mayCreate: true,
        });
      }
      if ("error" in beginning) return await this.#keepBroken(name, session.id, beginning);
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
      const announced = await this.#blobs.announce(name, digest);
      await this.#blobs.put(name, digest, { bytes, announced });
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
      const since = held.since ?? await this.#freshSince(name, id, digest);
      if (!await this.#blobs.link(name, digest, since)) throw unknownUpload();
      return { accepted: true, size: held.size, session };
    }
    if (digestAlgorithm(digest) !== digestAlgorithm(held.digest)) {
      return await this.#again.during(held.size, async () => {
        const bytes = await this.#blobs.bytes(held.digest);
        if (!bytes) throw unknownUpload();
        return await this.#finishWith(name, session, { digest, bytes });
      });
    }
    await this.#end(id, "cancelled");
    throw wrongDigest(digest, held.digest);
  }

  /** The same, though the upload keeps something by itself: another try to send this, which broke off. */
  async #takeRather(
    name: RepositoryName,
    session: UploadSession,
    taken: { readonly held: Held; readonly digest: Digest },
  ): Promise<ChunkAnswer> {
    const answer = await this.#take(name, session, taken);
    await this.#stored.discard(name, session.id);
    return answer;
  }

  async #appendHeld(
    name: RepositoryName,
    session: UploadSession,
    { held, chunk }: { readonly held: Held; readonly chunk: Chunk },
  ): Promise<ChunkAnswer> {
    if (chunk.offset !== undefined && chunk.offset !== held.size) {
      const size = await this.#stored.sizeIfThere(name, session.id);
      if (size === undefined) return this.#refuse(name, session.id, held);
    }
    await this.#keep(name, session.id, held);
    return await this.#appendStored(name, session.id, chunk);
  }

  async #appendStored(name: RepositoryName, id: UploadId, chunk: Chunk): Promise<ChunkAnswer> {
    const session = { id, isStored: true } as const;
    return { ...await this.#stored.append(name, session, chunk), session };
  }

  /** Has the upload itself keep what comes. */
  async #beginStored(name: RepositoryName, id: UploadId, body: Bytes): Promise<ChunkAnswer> {
    const session = { id, isStored: true } as const;
    const answer = await this.#stored.append(name, session, { body }, { mayCreate: true });
    await this.#remember(session, "stored");
    return { ...answer, session };
  }

  /** Has the upload itself keep what has come of a body that broke off: the client goes on there, at any replica. */
  async #keepBroken(
    name: RepositoryName,
    id: UploadId,
    { bytes, error }: { readonly bytes: Uint8Array<ArrayBuffer>; readonly error?: unknown },
  ): Promise<never> {
    if (bytes.byteLength > 0) await this.#beginStored(name, id, new Blob([bytes]).stream());
    throw error;
  }

  /** Has the upload itself keep what was held, if it does not yet. */
  async #keep(name: RepositoryName, id: UploadId, held: Held): Promise<void> {
    const isThere = await this.#stored.sizeIfThere(name, id) !== undefined;
    if (!isThere && !await this.#stored.createWith(name, id, held.digest)) throw unknownUpload();
    await this.#remember({ id, isStored: true }, "stored");
  }

  /** Puts bytes where their blob will be. */
  async #hold(name: RepositoryName, id: UploadId, bytes: Uint8Array<ArrayBuffer>): Promise<Held> {
    const digest = digestBytes("sha256", bytes);
    // Its time begins before that of what it says.
    await this.#told.tell(FRESH, "upload", name, id, digest);
    const announced = await this.#blobs.announce(name, digest);
    const storedAt = moment();
    await this.#blobs.store(digest, bytes);
    return {
      digest,
      size: bytes.byteLength,
      since: { storedAt, announced: await this.#blobs.renew(name, digest, announced) },
    };
  }

  async #answerHeld(name: RepositoryName, id: UploadId, held: Held): Promise<ChunkAnswer> {
    const session = this.#sessions.hold(name, id, held);
    await this.#remember(session, held);
    return { accepted: true, size: held.size, session };
  }

  /** Refuses a chunk that does not begin where what is held ends: a client that did not hear of that, perhaps. */
  #refuse(name: RepositoryName, id: UploadId, held: Held): ChunkAnswer {
    return { accepted: false, size: held.size, session: this.#sessions.hold(name, id, held) };
  }

  /** What has become of an upload: as its URL says, or what was remembered for a client that has not followed it. */
  async #stateOf(name: RepositoryName, session: UploadSession): Promise<State> {
    const { id } = session;
    const fate = await this.#facts.upload(id);
    const outcome = this.#stored.endOf(id) ?? fate?.outcome;
    if (outcome !== undefined) return { is: "ended", outcome };
    const told = fate?.session === undefined ? undefined : this.#sessions.read(name, id, fate.session);
    const known = this.#known.get(id);
    if (session.isStored || told?.isStored || known === "stored") return { is: "stored" };
    const held = session.held ?? told?.held ?? known;
    if (held === undefined || held === "begun to be stored") return { is: "new" };
    requireYoung(session);
    const isHere = typeof known === "object" && known.digest === held.digest;
    return { is: "held", held: isHere ? known : held };
  }

  /** When another replica has announced and stored what is held, at the earliest, if that was a moment ago. */
  async #freshSince(name: RepositoryName, id: UploadId, digest: Digest): Promise<Held["since"]> {
    const now = moment();
    if (!await this.#told.has(FRESH, "upload", name, id, digest)) return undefined;
    const { ttlMs } = FRESH;
    return {
      storedAt: { runningMs: now.runningMs - ttlMs, wallMs: now.wallMs - ttlMs },
      announced: { announcedAtMs: now.runningMs - ttlMs },
    };
  }

  /** Reads the beginning of a body, within the memory that there is. */
  async #reading(
    chunk: Chunk | undefined,
    use: (beginning: Beginning) => Promise<ChunkAnswer>,
  ): Promise<ChunkAnswer> {
    if (!chunk) return await use({ bytes: new Uint8Array(0) });
    const bytesMax = Math.min(chunk.length ?? SHORT_BYTES_MAX, SHORT_BYTES_MAX);
    const isLong = (chunk.length ?? 0) > SHORT_BYTES_MAX;
    if (isLong || !this.#budget.tryTake(bytesMax)) return await use({ rest: chunk.body });
    let taken = bytesMax;
    const give = () => {
      this.#budget.give(taken);
      taken = 0;
    };
    try {
      return await use(await readBeginning(chunk.body, bytesMax, give));
    } finally {
      give();
    }
  }

  async #remember(session: UploadSession, known: Known): Promise<void> {
    setYoungest(this.#known, session.id, known, REMEMBERED_MAX);
    await this.#facts.keepSession(session.id, formatUploadSession(session));
  }

  async #end(id: UploadId, outcome: UploadOutcome): Promise<void> {
    this.#known.delete(id);
    // Where `StoredUploads` has ended it that is known already.
    if (this.#stored.endOf(id) !== outcome) await this.#stored.end(id, outcome);
  }
}

/** An upload that keeps nothing has not expired. */
function requireYoung({ id }: UploadSession): number {
  if (Math.abs(Date.now() - uploadTime(id)) > YOUNG_MS) throw unknownUpload();
  return 0;
}
