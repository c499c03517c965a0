import { unlessConflict } from "../../plugins/contract/error.ts";
import type { Storage, StoredValue } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Asides } from "./asides.ts";
import type { Due } from "./due.ts";
import {
  ASIDE_PREFIX,
  asideDigest,
  blobKey,
  DUE_BYTES_PREFIX,
  DUE_PREFIX,
  dueKey,
  lastDigest,
  nameAfter,
} from "./keys.ts";
import type { CondemnedLink, Links } from "./links.ts";
import type { Manifests } from "./manifests.ts";
import { mapParallel } from "./parallel.ts";
import type { Removals } from "./removals.ts";
import type { Task } from "./task.ts";

/** How garbage is collected. */
export interface GarbageOptions {
  /** How long a blob stays after somebody was told that the repository has it, in milliseconds. */
  readonly graceMs: number;
  /** Whether to change nothing, and only tell what would be. */
  readonly dryRun: boolean;
}

/** What a collection came upon. */
export interface GarbageReport {
  /** Entries of the due lists that were looked at. */
  due: number;
  /** Links that a manifest needs after all. */
  needed: number;
  /** Links that no manifest needs, and that are waited for since now. */
  condemned: number;
  /** Links that were removed; of a dry run: that would be, be it later. */
  unlinked: number;
  /** Blobs that were removed; of a dry run: that would be, be it later. */
  blobs: number;
  /** The sizes of these blobs, in bytes. */
  bytes: number;
  /** Repositories that were left alone because a manifest of theirs cannot be read. */
  unreadable: RepositoryName[];
}

/** What collection works on. */
export interface GarbageParts {
  readonly storage: Storage;
  readonly links: Links;
  readonly due: Due;
  readonly manifests: Manifests;
  readonly asides: Asides;
  readonly removals: Removals;
  /** As in `StorageFeatures`: then bytes are stored before they are linked. */
  readonly shared: boolean;
}

/** A link whose time to be judged has come. */
interface Candidate {
  readonly digest: Digest;
  /** The etag of its entry in the due list: what is struck out is what was judged. */
  readonly entry: string;
  /** Whether nobody who wrote it can be about to make the link. */
  readonly isLate: boolean;
  readonly condemned: CondemnedLink | undefined;
}

const WITHOUT_WAITING = { lasting: false } as const;
const PAGE = 10_000;
/** So long after it was announced a blob's bytes, or its link, may still be on their way to the store. */
const LATE_MS = 10_000;
const HOLDERS_ASKED_MAX = 100;

/**
 * Collects what has become garbage, and looks at nothing but the due lists and the manifests of the repositories on them.
 * It runs beside pushes, pulls and deletions, and beside itself, in one process or in several; no lock keeps them apart:
 *
 * 1. A link on the due list for the grace time that none of its repository's manifests refers to is condemned.
 * 2. When it has been that for the grace time, and still no manifest refers to it, which is looked at once more after that was
 *    announced (`Removals`), it is removed, provided that nobody has relied on it since it was condemned (`Links`). So whoever was told that the repository has the blob has the grace time
 *    to push what needs it, and a manifest that was pushed meanwhile either is seen here or finds the link gone.
 * 3. Bytes that no repository has a link to are taken aside; then links are looked for again. Whoever has
 *    made one since finds no bytes and brings them back, or does so once they are brought back here. What is removed at last is
 *    the one object aside, so that bytes that are uploaded meanwhile are out of reach (`Asides`).
 *
 * A crash leaves what was not finished on the due lists. Nothing waits until it survives a power cut: that may bring back what was
 * garbage, or have a scrub find it, but takes nothing that is needed.
 */
export class Garbage {
  readonly #storage: Storage;
  readonly #links: Links;
  readonly #due: Due;
  readonly #manifests: Manifests;
  readonly #asides: Asides;
  readonly #removals: Removals;
  readonly #lateMs: number;

  constructor({ storage, links, due, manifests, asides, removals, shared }: GarbageParts) {
    this.#lateMs = shared ? LATE_MS : 0;
    this.#removals = removals;
    this.#due = due;
    this.#asides = asides;
    this.#storage = storage;
    this.#links = links;
    this.#manifests = manifests;
  }

  /** Collects once. Ends at the next good place where the task is aborted; nothing is lost then. */
  async collect(options: GarbageOptions, task: Task): Promise<GarbageReport> {
    const report: GarbageReport = {
      due: 0,
      needed: 0,
      condemned: 0,
      unlinked: 0,
      blobs: 0,
      bytes: 0,
      unreadable: [],
    };
    const run = { ...options, task, report };
    for await (const keys of this.#pages(DUE_PREFIX, task.signal)) await this.#judgeLinks(keys, run);
    for await (const keys of this.#pages(DUE_BYTES_PREFIX, task.signal)) await this.#judgeBytes(keys, run);
    for await (const keys of this.#pages(ASIDE_PREFIX, task.signal)) await this.#settleAsides(keys, run);
    if (!options.dryRun) await this.#removals.sweep();
    return report;
  }

  async *#pages(prefix: string, signal: AbortSignal): AsyncGenerator<string[]> {
    let keys = await this.#storage.list(prefix, { limit: PAGE });
    while (keys.length > 0) {
      yield keys;
      signal.throwIfAborted();
      keys = await this.#storage.list(prefix, { after: keys.at(-1)!, limit: PAGE });
    }
  }

  async #judgeLinks(keys: readonly string[], run: Run): Promise<void> {
    const names = Map.groupBy(keys, (key) => nameAfter(DUE_PREFIX, key));
    for (const [name, entries] of names) {
      run.task.signal.throwIfAborted();
      run.report.due += entries.length;
      run.task.report({ phase: `links of ${name}`, done: run.report.due, unit: "entries" });
      const ripe = await mapParallel(entries, (key) => this.#readCandidate(name, key, run));
      await this.#judgeRepository(name, ripe.filter((candidate) => candidate !== undefined), run);
    }
  }

  /** The link that an entry is about, if the time to judge it has come. An entry about none is struck out. */
  async #readCandidate(name: RepositoryName, key: string, run: Run): Promise<Candidate | undefined> {
    const digest = lastDigest(key);
    const entry = digest && await this.#storage.get(key);
    if (!entry || !isRipe(entry, run)) return undefined;
    const isLate = isRipe(entry, { graceMs: run.graceMs + this.#lateMs });
    const link = await this.#links.get(name, digest);
    if (link === undefined) {
      if (!isLate) return undefined;
      // Bytes may have been stored for a push that came to no link.
      if (!run.dryRun) await this.#due.addBytes(digest, WITHOUT_WAITING);
      await this.#strike(key, entry.etag, run);
      return undefined;
    }
    const condemned = link === "held" ? undefined : link;
    return condemned && condemned.sinceMs > Date.now() - run.graceMs && !run.dryRun
      ? undefined
      : { digest, entry: entry.etag, isLate, condemned };
  }

  async #judgeRepository(name: RepositoryName, candidates: readonly Candidate[], run: Run): Promise<void> {
    if (candidates.length === 0) return;
    const mayRemove = candidates.some(({ condemned }) => condemned !== undefined);
    if (mayRemove && !run.dryRun) await this.#removals.announce(name);
    const unneeded = new Map(candidates.map((candidate) => [candidate.digest, candidate]));
    try {
      for await (const { manifest } of this.#manifests.scan(name)) {
        for (const { digest } of [...manifest.blobs, ...manifest.children]) unneeded.delete(digest);
        if (unneeded.size === 0) break;
      }
    } catch (error) {
      if (!(error instanceof SyntaxError || (error as Error).name === "OciError")) throw error;
      run.report.unreadable.push(name);
      return;
    }
    const needed = candidates.filter(({ digest }) => !unneeded.has(digest));
    await mapParallel(needed, (candidate) => this.#keep(name, candidate, run));
    await mapParallel([...unneeded.values()], (candidate) => this.#discard(name, candidate, run));
  }

  async #keep(name: RepositoryName, { digest, entry, condemned }: Candidate, run: Run): Promise<void> {
    run.report.needed++;
    if (run.dryRun) return;
    if (condemned) await this.#links.pardon(name, digest, condemned);
    await this.#strike(dueKey(name, digest), entry, run);
  }

  async #discard(
    name: RepositoryName,
    { digest, entry, isLate, condemned }: Candidate,
    run: Run,
  ): Promise<void> {
    if (run.dryRun) return await this.#tell(name, digest, run);
    if (!condemned) {
      if (await this.#links.condemn(name, digest)) run.report.condemned++;
    } else if (await this.#links.remove(name, digest, { condemned, ...WITHOUT_WAITING })) {
      run.report.unlinked++;
      if (isLate) await this.#strike(dueKey(name, digest), entry, run);
    }
  }

  async #tell(name: RepositoryName, digest: Digest, { report, task }: Run): Promise<void> {
    const facts = await this.#storage.stat(blobKey(digest));
    const isLast = (await this.#links.holders(digest, 2)).length < 2;
    report.unlinked++;
    if (isLast && facts) report.blobs++;
    if (isLast && facts) report.bytes += facts.size;
    await task.line({ repository: name, digest, size: facts?.size ?? 0, shared: !isLast });
  }

  async #judgeBytes(keys: readonly string[], run: Run): Promise<void> {
    const { report, task } = run;
    if (run.dryRun) return;
    await mapParallel(keys, async (key) => {
      const digest = lastDigest(key);
      const entry = digest && await this.#storage.get(key);
      if (!entry) return;
      report.due++;
      if (await this.#judgeBlob(digest, run)) await this.#strike(key, entry.etag, run);
      task.report({ phase: "blobs", done: report.blobs, unit: "blobs", bytes: report.bytes });
    });
  }

  /** Answers whether that was all: who has the last link removed now has said so already, and will not again. */
  async #judgeBlob(digest: Digest, { report }: Run): Promise<boolean> {
    const holders = await this.#links.holders(digest, HOLDERS_ASKED_MAX);
    if (holders.length === 0) await this.#asides.take(digest);
    await this.#settle(digest, report);
    return holders.length === 0 || await this.#isHeld(digest, holders);
  }

  /** What is still aside, or was left there: nothing else remembers it. */
  async #settleAsides(keys: readonly string[], { report, dryRun }: Run): Promise<void> {
    if (dryRun) return;
    const digests = new Set(keys.map(asideDigest).filter((digest) => digest !== undefined));
    await mapParallel([...digests], (digest) => this.#settle(digest, report));
  }

  async #settle(digest: Digest, report: GarbageReport): Promise<void> {
    for (const size of await this.#asides.settle(digest, () => this.#hasHolder(digest))) {
      report.blobs++;
      report.bytes += size;
    }
  }

  /** Whether one of the repositories has a link that is not condemned. */
  async #isHeld(digest: Digest, holders: readonly RepositoryName[]): Promise<boolean> {
    for (const name of holders) if (await this.#links.get(name, digest) === "held") return true;
    return false;
  }

  async #hasHolder(digest: Digest): Promise<boolean> {
    return (await this.#links.holders(digest, 1)).length > 0;
  }

  /** Strikes an entry out, unless it was written again since it was read. */
  async #strike(key: string, etag: string, { dryRun }: Run): Promise<void> {
    if (!dryRun) await unlessConflict(this.#storage.delete(key, { ifMatch: etag, ...WITHOUT_WAITING }));
  }
}

interface Run extends GarbageOptions {
  readonly task: Task;
  readonly report: GarbageReport;
}

function isRipe({ modifiedAtMs }: StoredValue, { graceMs }: Pick<GarbageOptions, "graceMs">): boolean {
  return modifiedAtMs <= Date.now() - graceMs;
}
