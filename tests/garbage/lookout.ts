import type { RepositoryModel } from "../crash/model.ts";
import { ASIDE_PREFIX, asidePrefix, linkKey } from "../../server/registry/keys.ts";
import type { Digest } from "../../server/oci/digest.ts";
import type { RepositoryName } from "../../server/oci/name.ts";
import type { Tally } from "./tally.ts";
import type { World } from "./world.ts";

/** A link that collection is about to remove. */
export interface Doomed {
  readonly repository: RepositoryModel;
  readonly digest: string;
}

/** How a link is: condemned since a time, in milliseconds since the epoch. */
type LinkState = "absent" | "held" | number;

const AHEAD_MS = 20;
const GLANCE_EVERY_MS = 1;

/**
 * Looks at the links in the store's folder, so that clients can meet collection where it works. It changes nothing, and
 * nothing is concluded from what it sees.
 */
export class Lookout {
  readonly #folder: string;
  readonly #graceMs: number;
  readonly #tally: Tally;
  readonly #watched: readonly Doomed[];
  readonly #states = new Map<Doomed, LinkState>();
  readonly #told = new Map<Doomed, number>();

  constructor({ repositories, families }: World, { folder, graceMs, tally }: {
    readonly folder: string;
    readonly graceMs: number;
    readonly tally: Tally;
  }) {
    this.#folder = folder;
    this.#graceMs = graceMs;
    this.#tally = tally;
    this.#watched = repositories.flatMap((repository) =>
      families.flatMap(({ blobs }) => blobs.map((digest) => ({ repository, digest })))
    );
  }

  /** The links that may be removed from now on and could not be before, each once while it is condemned as it is. */
  look(): Doomed[] {
    return this.#watched.filter((link) => {
      const state = this.#stateOf(link);
      this.#note(link, state);
      const isRipe = typeof state === "number" && state + this.#graceMs - AHEAD_MS <= Date.now();
      if (!isRipe || this.#told.get(link) === state) return false;
      this.#told.set(link, state);
      return true;
    });
  }

  /** Whether the link is gone. */
  isGone(link: Doomed): boolean {
    return this.#stateOf(link) === "absent";
  }

  /** Whether bytes of the blob, or of any, are aside. */
  isAside(digest?: string): boolean {
    return this.#stat(digest === undefined ? ASIDE_PREFIX : asidePrefix(digest as Digest)) !== undefined;
  }

  /** Waits until it `is` so. Answers whether it was within this time. */
  async waitUntil(is: () => boolean, maxMs: number): Promise<boolean> {
    const deadline = performance.now() + maxMs;
    while (!is()) {
      if (performance.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, GLANCE_EVERY_MS));
    }
    return true;
  }

  #note(link: Doomed, state: LinkState): void {
    const before = this.#states.get(link);
    this.#states.set(link, state);
    if (typeof before !== "number" || state === before) return;
    this.#tally.add(state === "absent" ? "condemned links that went" : "condemned links that were saved");
  }

  #stateOf({ repository: { name }, digest }: Doomed): LinkState {
    const info = this.#stat(linkKey(name as RepositoryName, digest as Digest));
    if (!info) return "absent";
    return info.size === 0 ? "held" : info.mtime!.getTime();
  }

  #stat(key: string): Deno.FileInfo | undefined {
    try {
      return Deno.statSync(`${this.#folder}/${key}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }
}
