import type { AppendOptions, Bytes, ObjectFacts, Storage } from "../../plugins/contract/storage.ts";
import type { Digest, DigestAlgorithm } from "../oci/digest.ts";
import type { UploadId } from "../oci/upload.ts";
import { chunksOf, relayBytes, withTail } from "./bytes.ts";
import { Hasher, notedDigest, ResumableHasher, type RunningHash } from "./hash.ts";
import { setYoungest } from "./youngest.ts";

/** An upload, and where it is. */
export interface UploadPlace {
  readonly id: UploadId;
  readonly key: string;
}

/** What an upload is told from all that it was, and may become, by. */
export type UploadState = Pick<ObjectFacts, "size" | "etag">;

/** A body on its way into an upload. */
export interface Hashing {
  /** The body, what passes of which is hashed; and what is noted of it, where `options` say so. */
  watch(body: Bytes): Bytes;
  readonly options: AppendOptions;
}

const HASHERS_MAX = 2_000;
/** More than any note has. */
const NOTE_BYTES = 384;

/**
 * The hashes of what has arrived for uploads. Each counts only if it covers exactly the bytes that there are; where none does
 * they are read again. They are kept in memory, and noted with the bytes where the store keeps notes, so that
 * another replica need not read them: the first chunk's as its digest, which is all that most uploads need; from the second on so
 * that any replica can go on.
 */
export class UploadHashes {
  readonly #storage: Storage;
  readonly #notes: boolean;
  readonly #hashers = new Map<UploadId, RunningHash>();
  /** The etags of what the hashes cover, where the store tells them. */
  readonly #etags = new Map<UploadId, string>();

  /** `notes`: as in `StorageFeatures`. */
  constructor(storage: Storage, { notes }: { readonly notes: boolean }) {
    this.#storage = storage;
    this.#notes = notes;
  }

  /** Begins with an upload that is empty. */
  begin(id: UploadId, algorithm: DigestAlgorithm): void {
    setYoungest<UploadId, RunningHash>(this.#hashers, id, new Hasher(algorithm), HASHERS_MAX);
  }

  /** Forgets what is in memory. */
  forget(id: UploadId): void {
    this.#hashers.delete(id);
    this.#etags.delete(id);
  }

  /** What was watched last is with the store. */
  arrived(id: UploadId, { etag }: Pick<ObjectFacts, "etag">): void {
    this.#etags.delete(id);
    if (etag !== undefined) setYoungest(this.#etags, id, etag, HASHERS_MAX);
  }

  /** How many bytes have passed here, where the store is another machine: it may have more by now. */
  passed(id: UploadId): Pick<ObjectFacts, "size"> | undefined {
    const hasher = this.#notes ? this.#hashers.get(id) : undefined;
    return hasher && { size: hasher.length };
  }

  /** What has passed here, where it has this digest. */
  known(id: UploadId, digest: Digest): UploadState | undefined {
    const hasher = this.#hashers.get(id);
    if (hasher?.digest() !== digest) return undefined;
    const etag = this.#etags.get(id);
    return { size: hasher.length, ...(etag !== undefined && { etag }) };
  }

  /** What hashes the bytes that follow those of which `before` tells. */
  async at(place: UploadPlace, before: Pick<ObjectFacts, "size" | "note">): Promise<Hashing> {
    const hasher = this.#find(place.id, before) ?? await this.#resume(place, before);
    if (!hasher) return { watch: (body) => body, options: {} };
    setYoungest(this.#hashers, place.id, hasher, HASHERS_MAX);
    if (!this.#notes) return { watch: (body) => hashed(body, hasher), options: {} };
    return {
      watch: (body) => withTail(hashed(body, hasher), () => noteOf(hasher)),
      options: { noteBytes: NOTE_BYTES },
    };
  }

  /** The digest of an upload's bytes, whose hash is forgotten; `undefined` where it is not there. */
  async digest(
    { id, key }: UploadPlace,
    facts: Pick<ObjectFacts, "size" | "note">,
    algorithm: DigestAlgorithm,
  ): Promise<Digest | undefined> {
    const hasher = this.#find(id, facts) ??
      (facts.note ? await ResumableHasher.resume(facts.note) : undefined);
    this.forget(id);
    if (hasher?.algorithm === algorithm && hasher.length === facts.size) return hasher.digest();
    const noted = notedDigest(facts.note, facts.size);
    if (noted?.startsWith(`${algorithm}:`)) return noted;
    return await this.#read(key, new Hasher(algorithm));
  }

  /** The hasher in memory that has seen exactly these bytes; a new one where there are none. */
  #find(id: UploadId, { size }: Pick<ObjectFacts, "size">): RunningHash | undefined {
    const hasher = this.#hashers.get(id) ?? new Hasher("sha256");
    return hasher.length === size ? hasher : undefined;
  }

  /** A hasher that another replica can go on with, where there is a way to tell it. */
  async #resume(
    { key }: UploadPlace,
    { size, note }: Pick<ObjectFacts, "size" | "note">,
  ): Promise<RunningHash | undefined> {
    if (!this.#notes) return undefined;
    const noted = note === undefined ? undefined : await ResumableHasher.resume(note);
    if (noted?.length === size) return noted;
    const hasher = await ResumableHasher.create("sha256");
    await this.#read(key, hasher);
    return hasher.length === size ? hasher : undefined;
  }

  async #read(key: string, hasher: RunningHash): Promise<Digest | undefined> {
    const opened = await this.#storage.open(key);
    if (!opened) return undefined;
    for await (const chunk of chunksOf(opened.body)) hasher.update(chunk);
    return hasher.digest();
  }
}

/** The bytes of `body`, which `hasher` sees as they pass. */
function hashed(body: Bytes, hasher: RunningHash): Bytes {
  return relayBytes(body, async (read) => {
    const result = await read();
    if (result.value) hasher.update(result.value);
    return result;
  });
}

function noteOf(hasher: RunningHash): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(hasher.note().padEnd(NOTE_BYTES));
}
