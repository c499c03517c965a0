import type { Storage } from "../../plugins/contract/storage.ts";
import type { RepositoryName } from "../oci/name.ts";
import { ASIDE_PREFIX, BLOBS_PREFIX, linkedName, LINKS_PREFIX, sharedPath, UPLOADS_PREFIX } from "./keys.ts";
import { mapParallel } from "./parallel.ts";

/** What a repository takes. */
export interface RepositoryUsage {
  /** The sizes of its blobs, each once, in bytes. */
  readonly bytes: number;
  /** Of these, those that no other repository has. */
  readonly uniqueBytes: number;
  readonly blobs: number;
}

/** What the blobs and the uploads of a store take, in bytes. */
export interface Usage {
  /** In order of their names. */
  readonly repositories: ReadonlyMap<RepositoryName, RepositoryUsage>;
  /** What the blobs of all repositories take, each once. */
  readonly bytes: number;
  /** What they would take if each repository kept its own. */
  readonly bytesNotDeduplicated: number;
  readonly blobs: number;
  readonly uploadsBytes: number;
  /** Blobs that no repository has any more. */
  readonly garbageBytes: number;
  /** When it was counted, in milliseconds since the epoch. */
  readonly countedAtMs: number;
}

/** Keys that are listed at once: besides a counter for each repository, all that counting keeps in memory. */
const PAGE = 1_000;

/** Counting takes this part of the time at most, but its result is never older than a minute. */
const SHARE_MAX = 0.1;
const KEPT_MS_MAX = 60_000;

/**
 * Counts what takes the space. That walks all blobs and all links, so it is done once for all who ask meanwhile, and its
 * result is kept the longer the longer it took.
 */
export class UsageCounter {
  readonly #storage: Storage;
  #counting: Promise<Usage> | undefined;
  #counted: { readonly usage: Usage; readonly untilMs: number } | undefined;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** What takes the space, as it is now or was at most a minute ago. */
  get(): Promise<Usage> {
    if (this.#counted && Date.now() < this.#counted.untilMs) return Promise.resolve(this.#counted.usage);
    this.#counting ??= this.#count().finally(() => this.#counting = undefined);
    return this.#counting;
  }

  async #count(): Promise<Usage> {
    const startedAtMs = Date.now();
    const usage = await countUsage(this.#storage);
    const tookMs = Date.now() - startedAtMs;
    this.#counted = { usage, untilMs: Date.now() + Math.min(tookMs / SHARE_MAX, KEPT_MS_MAX) };
    return usage;
  }
}

async function countUsage(storage: Storage): Promise<Usage> {
  const countedAtMs = Date.now();
  const uploadsBytes = await sumSizes(storage, UPLOADS_PREFIX);
  const repositories = new Map<RepositoryName, Counter>();
  const links = new Keys(storage, LINKS_PREFIX);
  let [bytes, bytesNotDeduplicated, blobs] = [0, 0, 0];
  let garbageBytes = await sumSizes(storage, ASIDE_PREFIX);
  for await (const keys of pages(storage, BLOBS_PREFIX)) {
    const sizes = await sizesOf(storage, keys);
    for (const [index, key] of keys.entries()) {
      const size = sizes[index]!;
      const holders = await countLinks(links, key, { size, repositories });
      if (holders === 0) garbageBytes += size;
      else [bytes, blobs] = [bytes + size, blobs + 1];
      bytesNotDeduplicated += holders * size;
    }
  }
  const sorted = [...repositories].sort(([a], [b]) => a < b ? -1 : 1);
  return {
    repositories: new Map(sorted),
    bytes,
    bytesNotDeduplicated,
    blobs,
    uploadsBytes,
    garbageBytes,
    countedAtMs,
  };
}

type Counter = { -readonly [K in keyof RepositoryUsage]: RepositoryUsage[K] };

/** Counts a blob in each repository that has a link to it. Answers how many have. */
async function countLinks(
  links: Keys,
  blobKey: string,
  { size, repositories }: { readonly size: number; readonly repositories: Map<RepositoryName, Counter> },
): Promise<number> {
  const path = sharedPath(blobKey);
  let holders = 0;
  let first: Counter | undefined;
  for (let key = await links.peek(); key !== undefined; key = await links.peek()) {
    const linked = sharedPath(key);
    if (linked > path) break;
    links.skip();
    // A link whose bytes are not there yet, or no more, gives a repository nothing.
    if (linked < path) continue;
    const counter = counterOf(repositories, linkedName(key));
    counter.bytes += size;
    counter.blobs++;
    first ??= counter;
    holders++;
  }
  if (first && holders === 1) first.uniqueBytes += size;
  return holders;
}

function counterOf(repositories: Map<RepositoryName, Counter>, name: RepositoryName): Counter {
  const found = repositories.get(name);
  if (found) return found;
  const counter = { bytes: 0, uniqueBytes: 0, blobs: 0 };
  repositories.set(name, counter);
  return counter;
}

/** The keys that begin with a prefix, one after the other. */
class Keys {
  readonly #pages: AsyncGenerator<string[]>;
  #page: readonly string[] = [];
  #at = 0;
  #ended = false;

  constructor(storage: Storage, prefix: string) {
    this.#pages = pages(storage, prefix);
  }

  /** The next key, which stays the next; `undefined` at the end. */
  async peek(): Promise<string | undefined> {
    if (this.#at === this.#page.length && !this.#ended) {
      const next = await this.#pages.next();
      this.#page = next.done ? [] : next.value;
      this.#ended = next.done === true;
      this.#at = 0;
    }
    return this.#page[this.#at];
  }

  /** Goes on to the key after the one that `peek` answered. */
  skip(): void {
    this.#at++;
  }
}

async function* pages(storage: Storage, prefix: string): AsyncGenerator<string[]> {
  let keys = await storage.list(prefix, { limit: PAGE });
  while (keys.length > 0) {
    yield keys;
    if (keys.length < PAGE) return;
    keys = await storage.list(prefix, { after: keys.at(-1)!, limit: PAGE });
  }
}

async function sumSizes(storage: Storage, prefix: string): Promise<number> {
  let sum = 0;
  for await (const keys of pages(storage, prefix)) {
    for (const size of await sizesOf(storage, keys)) sum += size;
  }
  return sum;
}

/** The sizes of objects. What has gone meanwhile takes nothing. */
async function sizesOf(storage: Storage, keys: readonly string[]): Promise<number[]> {
  return await mapParallel(keys, async (key) => (await storage.stat(key))?.size ?? 0);
}
