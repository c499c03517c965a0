import { type Digest, digestEncoded } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/name.ts";

const BITS = 2 ** 27;
const PROBES = 6;

/**
 * Which blobs the manifests of which repositories refer to, in 16 MiB however many there are: a Bloom filter. What was
 * added is always known; of what was not, one in 10^8 is taken for added at a million references, three in a thousand at
 * ten millions. Each filter errs elsewhere.
 */
export class ReferenceFilter {
  readonly #bits = new Uint32Array(BITS / 32);
  readonly #salt = crypto.getRandomValues(new Uint32Array(2));

  /** Notes that a manifest of the repository refers to the blob. */
  add(name: RepositoryName, digest: Digest): void {
    for (const bit of this.#probes(name, digest)) this.#bits[bit >>> 5]! |= 1 << (bit & 31);
  }

  /** Whether it may have been added. */
  mayHave(name: RepositoryName, digest: Digest): boolean {
    return this.#probes(name, digest).every((bit) => (this.#bits[bit >>> 5]! & (1 << (bit & 31))) !== 0);
  }

  #probes(name: RepositoryName, digest: Digest): number[] {
    const text = `${name}!${digestEncoded(digest)}`;
    const first = hash(text, this.#salt[0]!);
    // Odd, so that the probes differ from one another.
    const step = hash(text, this.#salt[1]!) | 1;
    return Array.from({ length: PROBES }, (_, probe) => (first + Math.imul(probe, step)) >>> 5);
  }
}

/** FNV-1a with a salt, mixed at the end as MurmurHash3 does. */
function hash(text: string, salt: number): number {
  let state = salt;
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
