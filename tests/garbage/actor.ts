import { LostAnswer } from "../crash/connection.ts";
import type { ManifestModel, RepositoryModel } from "../crash/model.ts";
import { digestOf } from "../support/image_layout.ts";
import { askForBlob, beginUpload, deleteBlob, mountBlob, sendBlob, sendBytes } from "./blob_requests.ts";
import {
  deleteManifest,
  deleteTag,
  type Place,
  putManifest,
  readReferrers,
  readTag,
  readTagList,
} from "./manifest_requests.ts";
import { pull, push } from "./pushes.ts";
import type { Witness } from "./witness.ts";
import type { Family, World } from "./world.ts";

/** Where a step is taken. */
interface Spot {
  readonly repository: RepositoryModel;
  readonly family: Family;
}

type Step = (witness: Witness, spot: Spot) => Promise<void>;

const TAGS = ["latest", "stable", "v1", "v2", "v3"];
const IDLE_MS = 30;
const LITTER_BYTES = 500;

const GROWING: readonly Step[] = repeat([
  [10, pushSome],
  [2, pushBlindly],
  [2, pullSome],
  [2, pullTag],
  [1, listReferrers],
  [1, listTags],
  [1, mountSome],
  [1, sendSome],
  [1, litter],
  [1, abandonUpload],
  [1, removeTag],
  [1, removeManifest],
  [1, removeBlob],
]);

const CULLING: readonly Step[] = repeat([[10, removeManifest], [1, removeTag], [1, removeBlob], [
  1,
  pullSome,
]]);

/** A client that does what the season of a family says, until it is told to stop. What a kill cuts short it forgets. */
export async function act(
  witness: Witness,
  { families, repositories }: World,
  signal: AbortSignal,
): Promise<void> {
  const { random } = witness;
  while (!signal.aborted) {
    const family = random.pick(families)!;
    const season = family.seasons.at(performance.now());
    if (season === "fallow") {
      await new Promise((resolve) => setTimeout(resolve, random.below(IDLE_MS)));
      continue;
    }
    const step = random.pick(season === "growing" ? GROWING : CULLING)!;
    const repository = random.pick(repositories)!;
    await unlessLost(step(witness, { repository, family }));
    if (!hasAnything(repositories, family)) family.seasons.endCulling(performance.now());
  }
}

/** Waits for what a kill may cut short. */
export async function unlessLost(step: Promise<void>): Promise<void> {
  try {
    await step;
  } catch (error) {
    if (!(error instanceof LostAnswer)) throw error;
  }
}

/** Tags for a push: most often none or one. */
export function someTags({ random }: Witness): string[] {
  const tags = Array.from({ length: Math.max(0, random.below(4) - 1) }, () => random.pick(TAGS)!);
  return [...new Set(tags)];
}

function hasAnything(repositories: readonly RepositoryModel[], { manifests }: Family): boolean {
  return repositories.some((repository) =>
    manifests.some((digest) => repository.manifests.get(digest)!.present.mayBe(true))
  );
}

async function pushSome(witness: Witness, spot: Spot): Promise<void> {
  await push(witness, pick(witness, spot), someTags(witness));
}

/** Without a look at what is there. */
async function pushBlindly(witness: Witness, spot: Spot): Promise<void> {
  await putManifest(witness, pick(witness, spot), someTags(witness));
}

async function pullSome(witness: Witness, spot: Spot): Promise<void> {
  await pull(witness, pick(witness, spot, ({ present }) => present.mayBe(true)));
}

async function pullTag(witness: Witness, { repository }: Spot): Promise<void> {
  const manifest = await readTag(witness, repository, witness.random.pick(TAGS)!);
  if (manifest) await pull(witness, { repository, manifest });
}

async function listReferrers(witness: Witness, spot: Spot): Promise<void> {
  const { manifest, repository } = pick(witness, spot, ({ subject }) => subject !== undefined);
  const subject = repository.manifests.get(manifest.subject ?? manifest.digest)!;
  await readReferrers(witness, { repository, manifest: subject });
}

async function listTags(witness: Witness, { repository }: Spot): Promise<void> {
  await readTagList(witness, repository);
}

async function mountSome(witness: Witness, { repository, family }: Spot): Promise<void> {
  const { model, random } = witness;
  const from = random.pick(model.repositories.filter((other) => other !== repository))!;
  await mountBlob(witness, { repository, from, digest: random.pick(family.blobs)! });
}

async function sendSome(witness: Witness, { repository, family }: Spot): Promise<void> {
  const digest = witness.random.pick(family.blobs)!;
  await sendBlob(witness, repository, digest);
  await askForBlob(witness, { method: "GET", repository, digest });
}

/** A blob that nobody will ever refer to. */
async function litter(witness: Witness, { repository }: Spot): Promise<void> {
  const bytes = witness.random.bytes(LITTER_BYTES);
  const path = `/v2/${repository.name}/blobs/uploads/?digest=${digestOf(bytes)}`;
  await witness.cluster.send("POST", path, { body: bytes });
  witness.tally.add("blobs for nothing");
}

async function abandonUpload(witness: Witness, { repository }: Spot): Promise<void> {
  const location = await beginUpload(witness, repository);
  if (!location) return;
  await sendBytes(witness, location, witness.random.bytes(LITTER_BYTES));
  if (witness.random.chance(0.9)) await witness.cluster.send("DELETE", location);
}

async function removeTag(witness: Witness, { repository }: Spot): Promise<void> {
  await deleteTag(witness, repository, witness.random.pick(TAGS)!);
}

async function removeManifest(witness: Witness, spot: Spot): Promise<void> {
  await deleteManifest(witness, pick(witness, spot, ({ present }) => present.mayBe(true)));
}

async function removeBlob(witness: Witness, { repository, family }: Spot): Promise<void> {
  await deleteBlob(witness, repository, witness.random.pick(family.blobs)!);
}

/** One of the family's manifests, if possible one that is `liked`. */
function pick(
  { random }: Witness,
  { repository, family }: Spot,
  liked: (manifest: ManifestModel) => boolean = () => true,
): Place {
  const all = family.manifests.map((digest) => repository.manifests.get(digest)!);
  return { repository, manifest: random.pick(all.filter(liked)) ?? random.pick(all)! };
}

function repeat(weighed: readonly (readonly [number, Step])[]): Step[] {
  return weighed.flatMap(([weight, step]) => Array.from({ length: weight }, () => step));
}
