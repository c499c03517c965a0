import { PluginError } from "../../plugins/contract/error.ts";
import type { PutCondition, Storage } from "../../plugins/contract/storage.ts";
import type { RepositoryName } from "../oci/name.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import { pullsKey, pullsPrefix } from "./keys.ts";
import { mapParallel } from "./parallel.ts";

/** When something was last pulled, in milliseconds since the epoch, by the tag or digest that it was asked for by. */
export type LastPulls = ReadonlyMap<string, number>;

/** How many pulls wait to be written at most, each tag and digest counted once; more of them are not remembered. */
const WAITING_MAX = 100_000;

/** A repository's pulls are remembered of so many tags and digests: the latest. */
const REMEMBERED_MAX = 50_000;

/** So many objects of a repository are made one. */
const OBJECTS_MAX = 16;

const OBJECTS_PAGE = 1_000;
const ATTEMPTS_MAX = 10;

/**
 * When what was last pulled. A pull is only noted in memory; now and then all that was noted is written, one object a
 * repository. Such an object never changes: of several the latest times count, whoever wrote them, and now and then
 * some become one. So replicas need not know of each other, and a crash takes no more than what was not written.
 */
export class Pulls {
  readonly #storage: Storage;
  #waiting = new Waiting();
  #writing = new Waiting();
  #written: Promise<void> = Promise.resolve();
  /** How many objects this process has written since it last looked whether there are too many. */
  readonly #objects = new Map<RepositoryName, number>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Notes that a manifest was asked for by tag or digest, and was there. */
  note(name: RepositoryName, reference: Reference): void {
    this.#waiting.add(name, formatReference(reference), Date.now());
  }

  /** Writes what was noted. Where that fails it is noted still. */
  flush(): Promise<void> {
    const done = this.#written.then(() => this.#flush());
    this.#written = done.catch(() => {});
    return done;
  }

  /** When what of the repository was last pulled, as far as is known here and in the store. */
  async get(name: RepositoryName): Promise<LastPulls> {
    const { pulls } = await this.#read(name);
    for (const [reference, atMs] of this.recent(name)) addLatest(pulls, reference, atMs);
    return pulls;
  }

  /** What of the repository was pulled here since it was last written. */
  recent(name: RepositoryName): LastPulls {
    const pulls = new Map(this.#writing.get(name));
    for (const [reference, atMs] of this.#waiting.get(name)) addLatest(pulls, reference, atMs);
    return pulls;
  }

  /** Forgets all pulls of a repository that is gone. */
  async forget(name: RepositoryName): Promise<void> {
    this.#waiting.delete(name);
    for (;;) {
      const keys = await this.#storage.list(pullsPrefix(name), { limit: OBJECTS_PAGE });
      await mapParallel(keys, (key) => this.#storage.delete(key));
      if (keys.length < OBJECTS_PAGE) return;
    }
  }

  async #flush(): Promise<void> {
    this.#writing = this.#waiting;
    this.#waiting = new Waiting();
    try {
      await mapParallel(this.#writing.names(), (name) => this.#write(name));
    } catch (error) {
      this.#waiting.addAll(this.#writing);
      throw error;
    } finally {
      this.#writing = new Waiting();
    }
  }

  async #write(name: RepositoryName): Promise<void> {
    await this.#put(name, this.#writing.get(name), { lasting: false });
    const objects = (this.#objects.get(name) ?? OBJECTS_MAX) + 1;
    if (objects <= OBJECTS_MAX) return void this.#objects.set(name, objects);
    if (this.#objects.size > WAITING_MAX) this.#objects.clear();
    this.#objects.set(name, await this.#merge(name));
  }

  /** Makes the repository's objects one, where there are many. Answers how many there are. */
  async #merge(name: RepositoryName): Promise<number> {
    const { keys, pulls } = await this.#read(name);
    if (keys.length <= OBJECTS_MAX) return keys.length;
    const latest = [...pulls].sort(([, a], [, b]) => b - a).slice(0, REMEMBERED_MAX);
    await this.#put(name, new Map(latest));
    await mapParallel(keys, (key) => this.#storage.delete(key));
    return 1;
  }

  async #put(name: RepositoryName, pulls: LastPulls, condition: PutCondition = {}): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(Object.fromEntries(pulls)));
    await this.#storage.put(pullsKey(name, crypto.randomUUID()), bytes, condition);
  }

  async #read(
    name: RepositoryName,
  ): Promise<{ readonly keys: string[]; readonly pulls: Map<string, number> }> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const keys = await this.#storage.list(pullsPrefix(name), { limit: OBJECTS_PAGE });
      const values = await mapParallel(keys, (key) => this.#storage.get(key));
      const found = values.filter((value) => value !== undefined);
      // One that has gone since became part of one that may not have been listed.
      if (found.length < keys.length) continue;
      const pulls = new Map<string, number>();
      for (const { bytes } of found) addObject(pulls, bytes);
      return { keys, pulls };
    }
    throw new PluginError("unavailable", `Cannot read the pulls of ${name}: they change again and again`);
  }
}

function addObject(pulls: Map<string, number>, bytes: Uint8Array): void {
  const found = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, number>;
  for (const [reference, atMs] of Object.entries(found)) addLatest(pulls, reference, atMs);
}

function addLatest(pulls: Map<string, number>, reference: string, atMs: number): void {
  if (atMs > (pulls.get(reference) ?? 0)) pulls.set(reference, atMs);
}

const NONE: LastPulls = new Map();

/** Pulls that are not written yet. */
class Waiting {
  readonly #pulls = new Map<RepositoryName, Map<string, number>>();
  #count = 0;

  add(name: RepositoryName, reference: string, atMs: number): void {
    const pulls = this.#pulls.get(name);
    if (pulls?.has(reference)) return addLatest(pulls, reference, atMs);
    if (this.#count === WAITING_MAX) return;
    this.#count++;
    if (pulls) pulls.set(reference, atMs);
    else this.#pulls.set(name, new Map([[reference, atMs]]));
  }

  addAll(other: Waiting): void {
    for (const [name, pulls] of other.#pulls) {
      for (const [reference, atMs] of pulls) this.add(name, reference, atMs);
    }
  }

  delete(name: RepositoryName): void {
    this.#count -= this.get(name).size;
    this.#pulls.delete(name);
  }

  get(name: RepositoryName): LastPulls {
    return this.#pulls.get(name) ?? NONE;
  }

  names(): RepositoryName[] {
    return [...this.#pulls.keys()];
  }
}
