import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import { setYoungest } from "./youngest.ts";

const ENTRIES_MAX = 10_000;
const LATELY_MS = 60_000;

/** A moment by both clocks: one stands still while a machine sleeps, the other is set. */
export interface Moment {
  readonly runningMs: number;
  readonly wallMs: number;
}

/** Now. */
export function moment(): Moment {
  return { runningMs: performance.now(), wallMs: Date.now() };
}

/** How much time may have passed since then, in milliseconds. */
export function elapsedMs({ runningMs, wallMs }: Moment): number {
  return Math.max(performance.now() - runningMs, Math.abs(Date.now() - wallMs));
}

/**
 * What this process lately found, or put, in the store, and not about to go: repositories, and blobs of repositories. Whoever believes
 * it looks whether anything was taken from the repository since (`Removals`), or nothing hangs on it.
 */
export class RecentlySeen {
  readonly #seen = new Map<string, Moment>();

  /** `askedAt`: before the store was asked. `digest` left out: the repository. */
  add(askedAt: Moment, name: RepositoryName, digest?: Digest): void {
    setYoungest(this.#seen, keyOf(name, digest), askedAt, ENTRIES_MAX);
  }

  /** What was seen may be there no more. */
  forget(name: RepositoryName, digest?: Digest): void {
    this.#seen.delete(keyOf(name, digest));
  }

  has(name: RepositoryName, digest?: Digest): boolean {
    const seen = this.#seen.get(keyOf(name, digest));
    return seen !== undefined && elapsedMs(seen) < LATELY_MS;
  }
}

function keyOf(name: RepositoryName, digest: Digest | undefined): string {
  return digest === undefined ? name : `${name}@${digest}`;
}
