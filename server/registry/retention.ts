import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import type { Registry } from "./registry.ts";
import { askKeepers, type Keeper, readImages } from "./retention_images.ts";
import { planRetention, type RetentionAges, type RetentionPlan, type TagVerdict } from "./retention_plan.ts";
import { RetentionSweep } from "./retention_sweep.ts";
import type { Task } from "./task.ts";

export type { Keeper } from "./retention_images.ts";

/** What an operator says of a repository's retention. */
export interface RetentionTerms extends RetentionAges {
  /** Those to ask. What any of them keeps is kept; where one fails nothing is deleted. */
  readonly keepers: readonly Keeper[];
}

/** How retention is run. */
export interface RetentionOptions {
  /** What holds for a repository; asked anew for each. `undefined`: nothing does. */
  readonly termsOf: (name: RepositoryName) => RetentionTerms | undefined;
  /** Whether to change nothing, and only tell what would be. */
  readonly dryRun: boolean;
  /** The only repository to look at; `undefined`: all. */
  readonly repository?: RepositoryName | undefined;
}

/** What a run of retention came to. A dry run says what would have been. */
export interface RetentionReport {
  /** Repositories that were judged. */
  repositories: number;
  readonly tags: { kept: number; deleted: number };
  readonly manifests: { kept: number; deleted: number };
  /** Repositories that were left alone because they could not be judged, or left in the middle, and why. */
  readonly failed: { readonly repository: RepositoryName; readonly reason: string }[];
}

/** What a run says of each tag, and of each manifest without tags that goes. */
export interface RetentionLine {
  readonly repository: RepositoryName;
  /** `null`: the manifest has none. */
  readonly tag: Tag | null;
  readonly digest: Digest;
  readonly kept: boolean;
  /** The rule that keeps it. */
  readonly rule?: string;
  readonly reason: string;
}

const NAMES_PAGE = 1_000;

/**
 * Deletes the tags that no rule keeps, and the manifests that nothing kept holds, repository by repository. The memory it takes
 * is that of the largest repository's names and digests. What cannot be judged is left alone. It can be ended at any time, and goes
 * on behind the last repository that it has ended.
 */
export async function runRetention(
  registry: Registry,
  options: RetentionOptions,
  task: Task,
): Promise<RetentionReport> {
  const report: RetentionReport = {
    repositories: 0,
    tags: { kept: 0, deleted: 0 },
    manifests: { kept: 0, deleted: 0 },
    failed: [],
  };
  const run = new RetentionRun(registry, { options, task, report });
  const names = options.repository === undefined
    ? namesAfter(registry, task.cursor)
    : onlyExisting(registry, options.repository);
  for await (const name of names) {
    task.signal.throwIfAborted();
    await run.visit(name);
  }
  return report;
}

async function* namesAfter(
  { catalog }: Registry,
  cursor: string | undefined,
): AsyncGenerator<RepositoryName> {
  for (let last = cursor;;) {
    const page = await catalog.list({ limit: NAMES_PAGE, ...(last !== undefined && { last }) });
    yield* page.entries;
    if (!page.more) return;
    last = page.entries.at(-1);
  }
}

async function* onlyExisting({ catalog }: Registry, name: RepositoryName): AsyncGenerator<RepositoryName> {
  if (await catalog.has(name)) yield name;
}

class RetentionRun {
  readonly #registry: Registry;
  readonly #options: RetentionOptions;
  readonly #task: Task;
  readonly #report: RetentionReport;
  #cursor: string | undefined;

  constructor(registry: Registry, parts: {
    readonly options: RetentionOptions;
    readonly task: Task;
    readonly report: RetentionReport;
  }) {
    this.#registry = registry;
    this.#options = parts.options;
    this.#task = parts.task;
    this.#report = parts.report;
    this.#cursor = parts.task.cursor;
  }

  /** Judges a repository, and deletes from it what goes. */
  async visit(name: RepositoryName): Promise<void> {
    const terms = this.#options.termsOf(name);
    if (terms && terms.keepers.length > 0) {
      try {
        await this.#visitWith(name, terms);
      } catch (error) {
        this.#task.signal.throwIfAborted();
        this.#report.failed.push({ repository: name, reason: (error as Error).message });
      }
    }
    this.#cursor = name;
    this.#progress();
  }

  async #visitWith(name: RepositoryName, terms: RetentionTerms): Promise<void> {
    const images = await readImages(this.#registry, name);
    const answers = await askKeepers(terms.keepers, { ...images, name });
    this.#task.signal.throwIfAborted();
    if (!answers) return;
    const source = { ...images, name, ages: terms, answers };
    const plan = await planRetention(this.#registry, source);
    const outcome = this.#options.dryRun
      ? { tags: plan.tags, gone: new Set(plan.going.flat()) }
      : await new RetentionSweep(this.#registry, { ...images, name, plan, signal: this.#task.signal })
        .run(() => this.#progress());
    this.#count(outcome, images.graph.digests().length);
    await this.#tell(name, { plan, ...outcome });
  }

  #count(
    { tags, gone }: { readonly tags: readonly TagVerdict[]; readonly gone: ReadonlySet<Digest> },
    all: number,
  ): void {
    const report = this.#report;
    const keptTags = tags.filter(({ keep }) => keep).length;
    report.repositories++;
    report.tags.kept += keptTags;
    report.tags.deleted += tags.length - keptTags;
    report.manifests.kept += all - gone.size;
    report.manifests.deleted += gone.size;
  }

  async #tell(name: RepositoryName, { plan, tags, gone }: {
    readonly plan: RetentionPlan;
    readonly tags: readonly TagVerdict[];
    readonly gone: ReadonlySet<Digest>;
  }): Promise<void> {
    for (const { tag, facts: { digest }, keep, rule, reason } of tags) {
      const line = { repository: name, tag, digest, kept: keep, ...(rule !== undefined && { rule }), reason };
      await this.#task.line(line satisfies RetentionLine);
    }
    const tagged = new Set(tags.map(({ facts }) => facts.digest));
    for (const digest of plan.going.flat()) {
      if (tagged.has(digest) || !gone.has(digest)) continue;
      const line = { repository: name, tag: null, digest, kept: false, reason: UNTAGGED };
      await this.#task.line(line satisfies RetentionLine);
    }
  }

  #progress(): void {
    const { manifests } = this.#report;
    this.#task.report({
      phase: "retain",
      done: manifests.kept + manifests.deleted,
      unit: "manifests",
      ...(this.#cursor !== undefined && { cursor: this.#cursor }),
    });
  }
}

const UNTAGGED = "it has no tag, and nothing that is kept holds it";
