import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { parseManifest } from "../oci/manifest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import { mapParallel } from "./parallel.ts";
import type { Registry } from "./registry.ts";
import type { RepositoryGraph } from "./repository_graph.ts";
import type { RetentionPlan, TagVerdict } from "./retention_plan.ts";

/** How many manifests are deleted at once: pushes to the repository wait as long. */
const BATCH = 100;

/** What a sweep needs. */
export interface SweepSource {
  readonly name: RepositoryName;
  readonly graph: RepositoryGraph;
  readonly plan: RetentionPlan;
  /** When the repository was read, in milliseconds since the epoch. */
  readonly timeMs: number;
  readonly signal: AbortSignal;
}

/** What a sweep came to. */
export interface Swept {
  /** What became of each tag. */
  readonly tags: readonly TagVerdict[];
  /** The manifests that went. */
  readonly gone: ReadonlySet<Digest>;
}

/** Deletes what a plan says, and nothing that has come to be needed since the repository was read. */
export class RetentionSweep {
  readonly #registry: Registry;
  readonly #source: SweepSource;
  readonly #groupOf: ReadonlyMap<Digest, readonly Digest[]>;
  readonly #judged: ReadonlyMap<Tag, TagVerdict>;
  /** The manifests that are known to be there. */
  readonly #present: Set<Digest>;
  /** What was found since to be needed, whatever its part in the plan. */
  readonly #roots = new Set<Digest>();
  readonly #gone = new Set<Digest>();

  constructor(registry: Registry, source: SweepSource) {
    const { plan, graph } = source;
    this.#registry = registry;
    this.#source = source;
    this.#groupOf = new Map(plan.groups.flatMap((group) => group.map((digest) => [digest, group] as const)));
    this.#judged = new Map(plan.tags.map((verdict) => [verdict.tag, verdict]));
    this.#present = new Set(graph.digests());
  }

  /** Runs it. It can be ended between batches, and begun anew with another plan. */
  async run(onProgress: () => void = () => {}): Promise<Swept> {
    const { plan, signal } = this.#source;
    for (const batch of plan.going.flatMap(cut)) {
      signal.throwIfAborted();
      await this.#delete(batch);
      onProgress();
    }
    signal.throwIfAborted();
    const tags: TagVerdict[] = [];
    for (let at = 0; at < plan.tags.length; at += BATCH) {
      signal.throwIfAborted();
      tags.push(...await mapParallel(plan.tags.slice(at, at + BATCH), (verdict) => this.#end(verdict)));
    }
    return { tags, gone: this.#gone };
  }

  async #delete(batch: readonly Digest[]): Promise<void> {
    const { name, graph } = this.#source;
    let needed: ReadonlySet<Digest> = graph.reach(this.#roots);
    const unneeded = batch.filter((digest) => !needed.has(digest));
    const gone = await this.#registry.manifests.deleteUnneeded(name, unneeded, async () => {
      await this.#findNew(unneeded);
      return needed = graph.reach(this.#roots);
    });
    for (const digest of gone) {
      this.#gone.add(digest);
      this.#present.delete(digest);
    }
    // What stayed although nothing was known to need it is relied on by somebody, and so is what it lists.
    for (const digest of unneeded) {
      if (!this.#gone.has(digest) && !needed.has(digest)) this.#roots.add(digest);
    }
  }

  /** Looks what has come since the repository was read, as far as that may hold any of the batch. */
  async #findNew(batch: readonly Digest[]): Promise<void> {
    await this.#findNewManifests();
    const concerned = [...new Set(batch.flatMap((digest) => this.#groupOf.get(digest)!))];
    const relied = await mapParallel(concerned, (digest) => this.#isRelied(digest));
    for (const [index, digest] of concerned.entries()) if (relied[index]) this.#roots.add(digest);
  }

  async #findNewManifests(): Promise<void> {
    const { name, graph } = this.#source;
    const { manifests } = this.#registry;
    for await (const digests of manifests.pages(name)) {
      const fresh = digests.filter((digest) => !this.#present.has(digest));
      const found = await mapParallel(fresh, (digest) => manifests.get(name, { digest }));
      for (const stored of found.filter((item) => item !== undefined)) {
        graph.add({ stored, manifest: parseManifest(stored.bytes, stored.mediaType) });
        this.#present.add(stored.digest);
        this.#roots.add(stored.digest);
      }
    }
  }

  /** Whether somebody has tagged or pulled the manifest since the repository was read. */
  async #isRelied(digest: Digest): Promise<boolean> {
    const { name, timeMs } = this.#source;
    const { tags, pulls } = this.#registry;
    const recent = pulls.recent(name);
    const isPulled = (reference: string) => (recent.get(reference) ?? 0) >= timeMs;
    if (isPulled(digest)) return true;
    const pointing = await mapParallel([...(await tags.taggedAt(name, digest)).keys()], async (tag) => {
      const facts = await tags.stat(name, tag);
      return facts?.digest === digest && (isPulled(tag) || !this.#mayGo(tag, facts.etag));
    });
    return pointing.includes(true);
  }

  #mayGo(tag: Tag, etag: string): boolean {
    const judged = this.#judged.get(tag);
    if (!judged || judged.keep || judged.facts.etag !== etag) return false;
    return !this.#registry.rules.isImmutable(this.#source.name, tag);
  }

  /** Says what became of a tag. One whose manifest stays goes alone. */
  async #end(verdict: TagVerdict): Promise<TagVerdict> {
    const { tag, facts, keep } = verdict;
    if (keep || this.#gone.has(facts.digest)) return verdict;
    if (this.#groupOf.has(facts.digest)) return { ...verdict, keep: true, reason: NEEDED };
    try {
      const deleted = await this.#registry.tags.deleteIf(this.#source.name, tag, facts);
      return deleted ? verdict : { ...verdict, keep: true, reason: "it was set again meanwhile" };
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
      return { ...verdict, keep: true, reason: error.message };
    }
  }
}

function cut(digests: readonly Digest[]): (readonly Digest[])[] {
  const count = Math.ceil(digests.length / BATCH);
  return Array.from({ length: count }, (_, index) => digests.slice(index * BATCH, (index + 1) * BATCH));
}

const NEEDED = "it was pushed, tagged or pulled meanwhile, or something that belongs to it";
