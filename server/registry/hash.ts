import { createHash, type Hash } from "node:crypto";
import { type Digest, type DigestAlgorithm, formatDigest } from "../oci/digest.ts";

/** The digest of bytes that are at hand. */
export function digestBytes(algorithm: DigestAlgorithm, bytes: Uint8Array): Digest {
  return formatDigest(algorithm, createHash(algorithm).update(bytes).digest("hex"));
}

/** Computes the digest of bytes as they pass. */
export class Hasher {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: Hash;
  #length = 0;

  constructor(algorithm: DigestAlgorithm) {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** How many bytes have passed. */
  get length(): number {
    return this.#length;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#length += bytes.byteLength;
  }

  /** The digest of all that has passed. The hasher is used up. */
  digest(): Digest {
    return formatDigest(this.algorithm, this.#hash.digest("hex"));
  }
}
