import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import type { Retention } from "../../plugins/contract/retention.ts";
import { mapParallel } from "./parallel.ts";
import type { Registry } from "./registry.ts";
import { knownTime, type RepositoryGraph } from "./repository_graph.ts";
import type { RepositoryImages, TaggedImage } from "./retention_images.ts";
import type { TagFacts } from "./tags.ts";

/** Ages that a repository's contents must have before they go. */
export interface RetentionAges {
  /** What was pushed, tagged or asked for more recently stays, in milliseconds. */
  readonly minAgeMs: number;
  /** A manifest without tags goes when it is so old; `undefined`: it stays. */
  readonly untaggedAfterMs: number | undefined;
}

/** What becomes of a tag, and why. */
export interface TagVerdict extends Retention {
  readonly tag: Tag;
  readonly facts: TagFacts;
}

/** What is to become of a repository. */
export interface RetentionPlan {
  readonly tags: readonly TagVerdict[];
  /** Manifests to be deleted, in parts: an index before what it lists, and none in a part lists another. */
  readonly going: readonly (readonly Digest[])[];
  /** The same in groups that hold nothing of one another. */
  readonly groups: readonly (readonly Digest[])[];
}

/** What a plan is made of. */
export interface PlanSource extends RepositoryImages {
  readonly name: RepositoryName;
  readonly ages: RetentionAges;
  /** What the keepers say of each tag. */
  readonly answers: ReadonlyMap<Tag, Retention>;
}

/**
 * Decides what goes: tags that nothing keeps, and manifests that nothing kept holds, those without tags by their age. What belongs
 * together and is young in any part of it stays as a whole.
 */
export async function planRetention(registry: Registry, source: PlanSource): Promise<RetentionPlan> {
  const { graph } = source;
  const verdicts = source.tags.map((tagged) => judgeTag(registry, tagged, source));
  const attached = attachTags(graph, source.tags);
  const kept = await findKept(registry, source, verdicts);
  const groups = graph.groups(new Set(graph.digests().filter((digest) => !kept.has(digest))));
  const isYoung = await mapParallel(groups, (group) => hasYoung(registry, source, group));
  const postponed = new Set(groups.filter((_, index) => isYoung[index]).flat());
  const old = groups.filter((_, index) => !isYoung[index]);
  return {
    tags: verdicts.map((verdict) => {
      const { tag, facts: { digest }, keep } = verdict;
      const subject = attached.get(tag);
      if (keep) return verdict;
      if (subject && kept.has(subject)) {
        return { ...verdict, keep: true, reason: `it is about ${subject}, which is kept` };
      }
      return postponed.has(digest) ? { ...verdict, keep: true, reason: YOUNG } : verdict;
    }),
    going: graph.parentsFirst(old.flat()),
    groups: old,
  };
}

const YOUNG = "something that belongs to it was pushed, tagged or pulled too recently";

function judgeTag(
  { rules }: Registry,
  { tag, facts, image }: TaggedImage,
  { name, ages, answers, timeMs }: PlanSource,
): TagVerdict {
  const stays = (reason: string) => ({ tag, facts, keep: true, reason });
  if (!rules.allowsDelete(name)) return stays("deletes are switched off");
  if (rules.isImmutable(name, tag)) return stays("the tag is immutable");
  if (!image) return stays("the manifest that it points to is missing");
  const answer = answers.get(tag);
  if (!answer) return stays("no policy says anything of it");
  if (answer.keep) return { tag, facts, ...answer };
  if (image.pushedAtMs === null) return stays("it is not known when it was pushed");
  if (timeMs - image.pushedAtMs < ages.minAgeMs) return stays("it was pushed too recently");
  return { tag, facts, ...answer };
}

/** Tags by which clients find what is about a manifest, in registries that know no referrers: `sha256-<hex>.sig`. */
const ABOUT = /^(sha256|sha512)-([0-9a-f]{64,128})(?:\..*)?$/;

/** Attaches what such tags point to to what they are about. Answers that, by tag. */
function attachTags(graph: RepositoryGraph, tags: readonly TaggedImage[]): ReadonlyMap<Tag, Digest> {
  const about = new Map<Tag, Digest>();
  for (const { tag, facts } of tags) {
    const [, algorithm, encoded] = ABOUT.exec(tag) ?? [];
    const subject = `${algorithm}:${encoded}` as Digest;
    if (!graph.get(subject)) continue;
    about.set(tag, subject);
    graph.attach(subject, facts.digest);
  }
  return about;
}

/** The manifests that stay whatever their age: held by what is kept, or without tags while those stay. */
async function findKept(
  registry: Registry,
  source: PlanSource,
  verdicts: readonly TagVerdict[],
): Promise<ReadonlySet<Digest>> {
  const { graph, name, ages: { untaggedAfterMs } } = source;
  if (!registry.rules.allowsDelete(name)) return new Set(graph.digests());
  const digestsOf = (keep: boolean) =>
    verdicts.filter((verdict) => verdict.keep === keep).map(({ facts }) => facts.digest);
  const kept = graph.reach(digestsOf(true));
  // What only goes because of its tags takes along what it holds.
  const dropped = graph.reach(digestsOf(false).filter((digest) => !kept.has(digest)));
  const loose = graph.digests().filter((digest) => !kept.has(digest) && !dropped.has(digest));
  const isOld = untaggedAfterMs === undefined
    ? []
    : await mapParallel(loose, (digest) => isOlder(registry, source, { digest, ageMs: untaggedAfterMs }));
  return kept.union(graph.reach(loose.filter((_, index) => !isOld[index])));
}

async function hasYoung(registry: Registry, source: PlanSource, group: readonly Digest[]): Promise<boolean> {
  const { minAgeMs: ageMs } = source.ages;
  for (const digest of group) if (!await isOlder(registry, source, { digest, ageMs })) return true;
  return false;
}

/** Whether so much time has passed since the manifest was last pushed, tagged or pulled; `false` where nobody knows. */
async function isOlder(
  { tags }: Registry,
  { name, graph, pulls, timeMs }: PlanSource,
  { digest, ageMs }: { readonly digest: Digest; readonly ageMs: number },
): Promise<boolean> {
  const pushedAtMs = graph.get(digest)?.pushedAtMs;
  const isOld = (atMs: number) => timeMs - atMs >= ageMs;
  if (pushedAtMs === undefined || !isOld(pushedAtMs) || !isOld(pulls.get(digest) ?? 0)) return false;
  const taggedAtMs = [...(await tags.taggedAt(name, digest)).values()].map(knownTime);
  return taggedAtMs.every((atMs) => atMs !== undefined && isOld(atMs));
}
