/**
 * What is pushed: few blobs and few manifests, so that clients meet at them all the time. They come in families, and each
 * family in seasons: it is pushed, deleted, and left alone for about as long as collection takes to remove it; then all
 * come back to it at once.
 *
 * @module
 */

import { type ManifestModel, Model, type RepositoryModel } from "../crash/model.ts";
import type { Random } from "../crash/random.ts";
import { Register } from "../crash/register.ts";
import { digestOf } from "../support/image_layout.ts";
import type { Place } from "./manifest_requests.ts";

export const IMAGE = "application/vnd.oci.image.manifest.v1+json";
export const INDEX = "application/vnd.oci.image.index.v1+json";

/** A manifest that any repository may have. */
export type ManifestContent = Omit<ManifestModel, "owner" | "present">;

/** What goes on with a family. */
export type Season = "growing" | "culling" | "fallow";

/** Manifests that refer to the same blobs and to each other. */
export interface Family {
  readonly blobs: readonly string[];
  /** Digests of its manifests, children before their parents. */
  readonly manifests: readonly string[];
  readonly seasons: Seasons;
}

/** All that is pushed. */
export interface World {
  readonly model: Model;
  readonly families: readonly Family[];
  /** The repositories that have families and ballast. */
  readonly repositories: readonly RepositoryModel[];
  /** Digests of manifests that are pushed once and stay: the more there are, the longer collection has to look. */
  readonly ballast: readonly string[];
  /** What is pushed and deleted at the same time, each by one client. */
  readonly duels: readonly Place[];
  /** Blobs that come and go, each group by one client; and a repository that has nothing else. */
  readonly brinks: readonly (readonly string[])[];
  readonly brink: RepositoryModel;
}

/** What the world is made with. */
export interface WorldOptions {
  readonly random: Random;
  readonly graceMs: number;
}

const REPOSITORIES = ["garbage", "garbage/nested", "garbage-other"];
const BRINK = "garbage/brink";
const BRINKS = 3;
const BRINK_BLOBS = 40;
const FAMILIES = 6;
const BLOBS = 10;
const IMAGES = 5;
const REFERRERS = 3;
const BALLAST = 60;
const LARGE_BYTES = 300_000;
const SMALL_BYTES = 3_000;

/** Makes contents and the model of a registry that has none of them. */
export function createWorld({ random, graceMs }: WorldOptions): World {
  const model = new Model([...REPOSITORIES, BRINK]);
  const repositories = model.repositories.slice(0, -1);
  const blobs = Array.from({ length: FAMILIES }, () => createBlobs(model, random));
  const families = blobs.map((own, index) => {
    const manifests = createManifests(random, { own, others: blobs[(index + 1) % FAMILIES]!, model });
    for (const repository of repositories) settle(repository, manifests);
    return {
      blobs: own,
      manifests: manifests.map(({ digest }) => digest),
      seasons: new Seasons(random.fork(), graceMs),
    };
  });
  return {
    model,
    families,
    repositories,
    ballast: createBallast(model, { random, repositories }),
    duels: repositories.map((repository) => createDuel(model, { random, repository })),
    brinks: Array.from({ length: BRINKS }, () => createBlobs(model, random, BRINK_BLOBS)),
    brink: model.repositories.at(-1)!,
  };
}

function createBallast(
  model: Model,
  { random, repositories }: {
    readonly random: Random;
    readonly repositories: readonly RepositoryModel[];
  },
): string[] {
  const [config, layer] = createBlobs(model, random);
  const manifests = Array.from(
    { length: BALLAST },
    (_, index) => imageOf(model, [config!, layer!], { note: `${index}` }),
  );
  for (const repository of repositories) settle(repository, manifests);
  return manifests.map(({ digest }) => digest);
}

function createDuel(
  model: Model,
  { random, repository }: { readonly random: Random; readonly repository: RepositoryModel },
): Place {
  const blobs = createBlobs(model, random).slice(1, 3);
  const content = imageOf(model, blobs, { note: "duel" });
  settle(repository, [content]);
  return { repository, manifest: repository.manifests.get(content.digest)! };
}

/** Where a family is in its year. */
export class Seasons {
  readonly #random: Random;
  readonly #graceMs: number;
  #season: Season = "fallow";
  #endsAtMs = 0;

  constructor(random: Random, graceMs: number) {
    this.#random = random;
    this.#graceMs = graceMs;
  }

  /** The season at the time, in milliseconds. Times only grow. */
  at(nowMs: number): Season {
    if (nowMs >= this.#endsAtMs) this.#turn(nowMs);
    return this.#season;
  }

  /** Ends the culling: nothing is left. */
  endCulling(nowMs: number): void {
    if (this.#season === "culling") this.#turn(nowMs);
  }

  #turn(nowMs: number): void {
    const [season, least, most] = this.#next();
    const share = least + (most - least) * this.#random.below(1_000) / 1_000;
    this.#season = season;
    this.#endsAtMs = nowMs + share * this.#graceMs;
  }

  /** What comes, and how long it takes, in grace times. What was left alone for two of them is removed. */
  #next(): readonly [Season, number, number] {
    if (this.#season === "fallow") return ["growing", 0.3, 1];
    return this.#season === "growing" ? ["culling", 1, 1] : ["fallow", 0.9, 3.2];
  }
}

function settle(repository: RepositoryModel, manifests: readonly ManifestContent[]): void {
  for (const content of manifests) {
    repository.manifests.set(content.digest, { ...content, owner: 0, present: new Register<boolean>(false) });
    for (const digest of content.blobs) repository.blob(digest);
  }
}

function createBlobs(model: Model, random: Random, length: number = BLOBS): string[] {
  return Array.from({ length }, (_, index) => {
    const limit = index === 0 && length === BLOBS ? LARGE_BYTES : SMALL_BYTES;
    return model.addContent(random.bytes(limit / 2 + random.below(limit / 2)));
  });
}

function createManifests(
  random: Random,
  { own, others, model }: {
    readonly own: readonly string[];
    readonly others: readonly string[];
    readonly model: Model;
  },
): ManifestContent[] {
  const some = () => random.chance(0.15) ? random.pick(others)! : random.pick(own)!;
  const blobs = () => [...new Set(Array.from({ length: 2 + random.below(4) }, some))];
  const images = Array.from({ length: IMAGES }, () => imageOf(model, blobs(), { note: note(random) }));
  const lower = indexOf(images.slice(0, 2), note(random));
  const upper = indexOf([lower, images[2]!], note(random));
  const subjects = [images[0]!, images[3]!, upper];
  const referrers = Array.from(
    { length: REFERRERS },
    (_, index) => imageOf(model, blobs(), { note: note(random), subject: subjects[index]! }),
  );
  return [...images, lower, upper, ...referrers];
}

function note(random: Random): string {
  return String(random.below(2 ** 32));
}

function imageOf(
  model: Model,
  blobs: readonly string[],
  { note, subject }: { readonly note: string; readonly subject?: ManifestContent },
): ManifestContent {
  const [config, ...layers] = blobs.map((digest) => ({
    mediaType: "application/octet-stream",
    digest,
    size: model.contents.get(digest)!.length,
  }));
  const document = { config, layers, ...(subject && { subject: describeManifest(subject) }) };
  return contentOf(IMAGE, document, { note, blobs, children: [], subject: subject?.digest });
}

function indexOf(children: readonly ManifestContent[], note: string): ManifestContent {
  const document = { manifests: children.map(describeManifest) };
  const digests = children.map(({ digest }) => digest);
  return contentOf(INDEX, document, { note, blobs: [], children: digests, subject: undefined });
}

function contentOf(
  mediaType: string,
  document: object,
  { note, ...parts }: Pick<ManifestContent, "blobs" | "children" | "subject"> & { readonly note: string },
): ManifestContent {
  const json = JSON.stringify({ schemaVersion: 2, mediaType, ...document, annotations: { note } });
  const bytes = new TextEncoder().encode(json);
  return { mediaType, bytes, digest: digestOf(bytes), ...parts };
}

function describeManifest({ mediaType, digest, bytes }: ManifestContent): object {
  return { mediaType, digest, size: bytes.length };
}
