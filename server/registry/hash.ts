import { createHash, type Hash } from "node:crypto";
import { createSHA256, createSHA512, type IHasher } from "hash-wasm";
import { type Digest, type DigestAlgorithm, formatDigest } from "../oci/digest.ts";

/** The digest of bytes that are at hand. */
export function digestBytes(algorithm: DigestAlgorithm, bytes: Uint8Array): Digest {
  return formatDigest(algorithm, createHash(algorithm).update(bytes).digest("hex"));
}

/** Computes the digest of bytes as they pass. */
export interface RunningHash {
  readonly algorithm: DigestAlgorithm;
  /** How many bytes have passed. */
  readonly length: number;
  update(bytes: Uint8Array): void;
  /** The digest of all that has passed so far. */
  digest(): Digest;
  /** A text from which another process knows that digest, or can go on. */
  note(): string;
}

/** The fast one: what it notes is the digest. */
export class Hasher implements RunningHash {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: Hash;
  #length = 0;

  constructor(algorithm: DigestAlgorithm) {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  get length(): number {
    return this.#length;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#length += bytes.byteLength;
  }

  digest(): Digest {
    return formatDigest(this.algorithm, this.#hash.copy().digest("hex"));
  }

  note(): string {
    return `${this.#length} ${this.digest()}`;
  }
}

/** One that another process can go on with, at a fifth of the speed: what it notes is its state. */
export class ResumableHasher implements RunningHash {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: IHasher;
  #length: number;

  private constructor(algorithm: DigestAlgorithm, hash: IHasher, length: number) {
    this.algorithm = algorithm;
    this.#hash = hash;
    this.#length = length;
  }

  /** One that nothing has passed. */
  static async create(algorithm: DigestAlgorithm): Promise<ResumableHasher> {
    return new ResumableHasher(algorithm, await createHasher(algorithm), 0);
  }

  /** One that goes on from a note; `undefined` where that cannot be done from it. */
  static async resume(note: string): Promise<ResumableHasher | undefined> {
    const [length, algorithm, state] = note.split(" ");
    if (state === undefined || (algorithm !== "sha256" && algorithm !== "sha512")) return undefined;
    const hash = await createHasher(algorithm);
    return new ResumableHasher(algorithm, hash.load(Uint8Array.fromBase64(state)), Number(length));
  }

  get length(): number {
    return this.#length;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#length += bytes.byteLength;
  }

  digest(): Digest {
    const state = this.#hash.save();
    const digest = formatDigest(this.algorithm, this.#hash.digest("hex"));
    this.#hash.init();
    this.#hash.load(state);
    return digest;
  }

  note(): string {
    return `${this.#length} ${this.algorithm} ${this.#hash.save().toBase64()}`;
  }
}

async function createHasher(algorithm: DigestAlgorithm): Promise<IHasher> {
  return (await (algorithm === "sha256" ? createSHA256() : createSHA512())).init();
}

/** The digest that a note says so many bytes to have. */
export function notedDigest(note: string | undefined, length: number): Digest | undefined {
  const [noted, digest, state] = note?.split(" ") ?? [];
  return Number(noted) === length && state === undefined ? digest as Digest : undefined;
}
