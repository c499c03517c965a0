import type { ObjectFacts, Storage } from "../../../plugins/contract/storage.ts";
import type { Digest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/name.ts";
import { Due } from "../due.ts";
import { asidePrefix, deletionKey, manifestKey } from "../keys.ts";
import { ManifestObjects } from "../manifest_objects.ts";
import { TagStamps } from "../tag_stamps.ts";
import type { Task } from "../task.ts";
import type { BytesVerdict } from "./blob_bytes.ts";
import {
  emptyReport,
  type Finding,
  FINDING_SEVERITIES,
  type FoundThing,
  type Mended,
  type ScrubReport,
} from "./findings.ts";
import { Quarantine } from "./quarantine.ts";
import { ReferenceFilter } from "./reference_filter.ts";
import { Throttle } from "./throttle.ts";

/** How a store is scrubbed. */
export interface ScrubOptions {
  /** What is younger than this, in milliseconds, may be on its way, and is not judged. */
  readonly graceMs: number;
  /** How long an upload may idle, in milliseconds. */
  readonly uploadIdleMs: number;
  /** Whether to mend what can be derived and to move the rest to quarantine; otherwise nothing is changed. */
  readonly repair: boolean;
  /** Whether to read the bytes of all blobs. */
  readonly rehash: boolean;
  /** How many bytes of blobs are read in a second at most. */
  readonly bytesPerSecond?: number;
}

/** The parts of a scrub, in their order. */
export type ScrubPhase = "entries" | "repositories" | "blobs";

/** How far a scrub is. All of the phase up to the key `after` is done. */
export interface ScrubPosition {
  /** By what its quarantine is called: when it began. */
  readonly run: string;
  readonly phase: ScrubPhase;
  readonly after?: string;
  readonly report: ScrubReport;
}

/** Mends a finding: `overtaken` where it is none any more, `undefined` where it cannot be mended. */
export type Mend = () => Promise<Mended | "overtaken" | undefined>;

/** What is counted in a phase, and how many there are in all where that is known. */
export interface Counting {
  readonly unit: string;
  readonly done: () => number;
  readonly total?: number;
}

/** How many blobs of wrong bytes are remembered, so that each is told of once. */
const WRONG_MAX = 10_000;

/** One walk through a store: what all its parts share. */
export class ScrubRun {
  readonly storage: Storage;
  readonly options: ScrubOptions;
  readonly task: Task;
  readonly report: ScrubReport;
  readonly due: Due;
  readonly stamps: TagStamps;
  readonly manifests: ManifestObjects;
  readonly quarantine: Quarantine;
  /** What the manifests refer to. Whole once the repositories have been walked. */
  readonly references: ReferenceFilter = new ReferenceFilter();
  readonly #name: string;
  readonly #throttle: Throttle;
  readonly #wrong = new Set<Digest>();
  readonly #judging = new Map<Digest, Promise<BytesVerdict>>();
  #phase: ScrubPhase = "entries";
  #counting: Counting = { unit: "keys", done: () => 0 };

  constructor(
    storage: Storage,
    { options, task, position, shared }: {
      readonly options: ScrubOptions;
      readonly task: Task;
      readonly position: ScrubPosition | undefined;
      /** As in `StorageFeatures`. */
      readonly shared: boolean;
    },
  ) {
    this.storage = storage;
    this.options = options;
    this.task = task;
    this.report = position?.report ?? emptyReport(!options.repair);
    this.due = new Due(storage);
    this.stamps = new TagStamps(storage, { shared });
    this.manifests = new ManifestObjects(storage);
    this.#name = position?.run ?? new Date().toISOString().toLowerCase().replaceAll(/[-:.]/g, "");
    this.quarantine = new Quarantine(storage, this.#name);
    this.#throttle = new Throttle(options.bytesPerSecond ?? Infinity);
  }

  /** Begins a phase. */
  enter(phase: ScrubPhase, counting: Counting): void {
    this.#phase = phase;
    this.#counting = counting;
    this.#tell();
  }

  /** Notes that all up to the key `after` is done. The end of the work where it is to stop. */
  reach(after: string): void {
    const { report } = this;
    const position: ScrubPosition = { run: this.#name, phase: this.#phase, after, report };
    this.#tell(JSON.stringify(position));
    this.task.signal.throwIfAborted();
  }

  /** Counts bytes of a blob that were read. */
  async read(bytes: number): Promise<void> {
    this.report.checked.hashed_bytes += bytes;
    this.#tell();
    await this.#throttle.take(bytes, this.task.signal);
  }

  /** Tells of a finding, after it was mended where that is wanted. */
  async found(thing: FoundThing, mend?: Mend): Promise<void> {
    const mended = this.options.repair ? await mend?.() : undefined;
    if (mended === "overtaken") return;
    const severity = FINDING_SEVERITIES[thing.kind];
    const { report } = this;
    report.findings[thing.kind] = (report.findings[thing.kind] ?? 0) + 1;
    report[severity === "damage" ? "damage" : "leftovers"]++;
    if (mended) report["repaired" in mended ? "repaired" : "quarantined"]++;
    else if (severity === "damage") report.remaining++;
    const { kind, key, ...rest } = thing;
    await this.task.line({ severity, kind, key, ...rest, ...mended } satisfies Finding);
  }

  /** Whether something is too old to be on its way. A store that knows no time says 0, which tells nothing. */
  isOld({ modifiedAtMs }: Pick<ObjectFacts, "modifiedAtMs">): boolean {
    return modifiedAtMs > 0 && modifiedAtMs <= Date.now() - this.options.graceMs;
  }

  /** Whether somebody has begun to delete the manifest and has not ended. */
  async isBeingDeleted(name: RepositoryName, digest: Digest): Promise<boolean> {
    return await this.storage.stat(deletionKey(name, digest)) !== undefined;
  }

  /** Whether the repository has the manifest. */
  async hasManifest(name: RepositoryName, digest: Digest): Promise<boolean> {
    return await this.storage.stat(manifestKey(name, digest)) !== undefined;
  }

  /** Whether a collector has taken the blob's bytes aside: they are looked at again, by it or by whoever asks for them. */
  async isAside(digest: Digest): Promise<boolean> {
    return (await this.storage.list(asidePrefix(digest), { limit: 1 })).length > 0;
  }

  /** Judges the bytes of the blob, unless that is being done. */
  share(digest: Digest, judge: () => Promise<BytesVerdict>): Promise<BytesVerdict> {
    const known = this.#judging.get(digest);
    if (known) return known;
    const verdict = judge().finally(() => this.#judging.delete(digest));
    this.#judging.set(digest, verdict);
    return verdict;
  }

  /** Whether the bytes of the blob were found to be wrong. */
  isWrong(digest: Digest): boolean {
    return this.#wrong.has(digest);
  }

  /** Remembers that the bytes of the blob are wrong, or are so no more. */
  setWrong(digest: Digest, isWrong: boolean): void {
    if (!isWrong) this.#wrong.delete(digest);
    else if (this.#wrong.size < WRONG_MAX) this.#wrong.add(digest);
  }

  #tell(cursor?: string): void {
    const { unit, done, total } = this.#counting;
    this.task.report({
      phase: this.#phase,
      done: done(),
      ...(total !== undefined && { total }),
      unit,
      ...(this.options.rehash && { bytes: this.report.checked.hashed_bytes }),
      ...(cursor !== undefined && { cursor }),
    });
  }
}
