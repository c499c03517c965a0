import {
  type Retention,
  RETENTION_IMAGES_MAX,
  type RetentionImage,
  type RetentionQuestion,
} from "../../plugins/contract/retention.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import { mapParallel } from "./parallel.ts";
import type { LastPulls } from "./pulls.ts";
import type { Registry } from "./registry.ts";
import { knownTime, RepositoryGraph } from "./repository_graph.ts";
import type { TagFacts } from "./tags.ts";

/** Says which images to keep. */
export interface Keeper {
  /** As the configuration names it. */
  readonly name: string;
  /** As a policy plugin does: an answer for each image, in their order, or none at all. */
  retain(question: RetentionQuestion): Promise<readonly Retention[]>;
}

/** A tag, and what is known of its image. */
export interface TaggedImage {
  readonly tag: Tag;
  readonly facts: TagFacts;
  /** `undefined`: the manifest that it points to is not there. */
  readonly image: RetentionImage | undefined;
}

/** All that a repository has, as it was read. */
export interface RepositoryImages {
  readonly graph: RepositoryGraph;
  readonly tags: readonly TaggedImage[];
  readonly pulls: LastPulls;
  /** When reading began, in milliseconds since the epoch. */
  readonly timeMs: number;
}

const TAGS_PAGE = 1_000;

/** Reads a repository. Fails where any of its manifests cannot be read: nobody knows what that holds. */
export async function readImages(registry: Registry, name: RepositoryName): Promise<RepositoryImages> {
  const timeMs = Date.now();
  const pulls = await registry.pulls.get(name);
  // Tags come first: the manifest of one that is set meanwhile is older than the tag, and so is found.
  const found = await readTags(registry, name);
  const graph = new RepositoryGraph();
  for await (const manifest of registry.manifests.scan(name)) graph.add(manifest);
  const tags = found.map(([tag, facts]) => ({ tag, facts, image: describe({ tag, facts, graph, pulls }) }));
  return { graph, tags, pulls, timeMs };
}

async function readTags(
  { tags }: Registry,
  name: RepositoryName,
): Promise<(readonly [tag: Tag, facts: TagFacts])[]> {
  const found: (readonly [Tag, TagFacts])[] = [];
  let last: Tag | undefined;
  for (;;) {
    const page = await tags.listStored(name, { limit: TAGS_PAGE, ...(last !== undefined && { last }) });
    const facts = await mapParallel(page.entries, (tag) => tags.stat(name, tag));
    for (const [index, tag] of page.entries.entries()) {
      if (facts[index]) found.push([tag, facts[index]]);
    }
    if (!page.more) return found;
    last = page.entries.at(-1);
  }
}

function describe({ tag, facts: { digest, setAtMs }, graph, pulls }: {
  readonly tag: Tag;
  readonly facts: TagFacts;
  readonly graph: RepositoryGraph;
  readonly pulls: LastPulls;
}): RetentionImage | undefined {
  const manifest = graph.get(digest);
  if (!manifest) return undefined;
  const pulledAtMs = Math.max(pulls.get(tag) ?? 0, pulls.get(digest) ?? 0);
  return {
    tag,
    digest,
    mediaType: manifest.mediaType,
    size: graph.size(digest),
    pushedAtMs: knownTime(setAtMs) ?? null,
    lastPulledAtMs: knownTime(pulledAtMs) ?? null,
  };
}

/** Asks all keepers about all images: what is to become of each. `undefined`: nobody has anything to say of any. */
export async function askKeepers(
  keepers: readonly Keeper[],
  { name, tags, timeMs }: RepositoryImages & { readonly name: RepositoryName },
): Promise<ReadonlyMap<Tag, Retention> | undefined> {
  const images = tags.map(({ image }) => image).filter((image) => image !== undefined);
  const lists = {
    lastPushed: latestFirst(images, ({ pushedAtMs }) => pushedAtMs),
    lastPulled: latestFirst(images, ({ lastPulledAtMs }) => lastPulledAtMs),
  };
  const answers = new Map<Tag, Retention>();
  for (const keeper of keepers) {
    const found = await askAll(keeper, { repository: name, images, ...lists, timeMs });
    for (const [index, answer] of found.entries()) {
      const tag = images[index]!.tag as Tag;
      if (!answers.get(tag)?.keep) answers.set(tag, answer);
    }
  }
  return images.length > 0 && answers.size === 0 ? undefined : answers;
}

/** Asks about more images than one question may have. */
async function askAll(keeper: Keeper, question: RetentionQuestion): Promise<Retention[]> {
  const answers: Retention[] = [];
  for (let at = 0; at < question.images.length; at += RETENTION_IMAGES_MAX) {
    const images = question.images.slice(at, at + RETENTION_IMAGES_MAX);
    const found = await ask(keeper, { question: { ...question, images }, isFirst: at === 0 });
    if (found.length === 0) break;
    answers.push(...found);
  }
  return answers;
}

async function ask(
  keeper: Keeper,
  { question, isFirst }: { readonly question: RetentionQuestion; readonly isFirst: boolean },
): Promise<readonly Retention[]> {
  const answers = await keeper.retain(question);
  const { images } = question;
  if (answers.length === images.length || (answers.length === 0 && isFirst)) return answers;
  throw new Error(`The policy ${keeper.name} answered for ${answers.length} of ${images.length} images`);
}

function latestFirst(
  images: readonly RetentionImage[],
  timeOf: (image: RetentionImage) => number | null,
): string[] {
  const known = images.filter((image) => timeOf(image) !== null);
  return known.sort((a, b) => timeOf(b)! - timeOf(a)! || (a.tag < b.tag ? -1 : 1)).map(({ tag }) => tag);
}
