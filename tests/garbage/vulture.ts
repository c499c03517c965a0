import type { ManifestModel } from "../crash/model.ts";
import { someTags, unlessLost } from "./actor.ts";
import {
  askForBlob,
  beginUpload,
  deleteBlob,
  endUpload,
  mountBlob,
  sendBlob,
  sendBytes,
} from "./blob_requests.ts";
import type { Doomed, Lookout } from "./lookout.ts";
import { putManifest } from "./manifest_requests.ts";
import { push } from "./pushes.ts";
import type { Witness } from "./witness.ts";

type Step = (witness: Witness, doomed: Doomed, lookout: Lookout) => Promise<void>;

const LOOK_EVERY_MS = 15;
const AMBUSH_MAX_MS = 1_500;
const HESITATION_MAX_MS = 40;
const LATE_MAX_MS = 150;
const INTEREST = 0.4;

const STEPS: readonly Step[] = [
  pushWithIt,
  pushWithIt,
  pushBlindly,
  askThenPush,
  askThenPush,
  mountElsewhere,
  ambush,
  ambush,
  ambush,
  deleteIt,
];

/** Clients that come back to what collection is about to remove, or is removing, until they are told to stop. */
export async function circle(
  witness: Witness,
  { lookout, clients }: { readonly lookout: Lookout; readonly clients: number },
  signal: AbortSignal,
): Promise<void> {
  const { random } = witness;
  const busy = new Set<Promise<void>>();
  let failure: unknown;
  while (!signal.aborted && failure === undefined) {
    for (const doomed of lookout.look()) {
      if (busy.size >= clients || !random.chance(INTEREST)) continue;
      const step = unlessLost(come(witness, doomed, lookout))
        .catch((error) => failure = error)
        .finally(() => busy.delete(step));
      busy.add(step);
    }
    await pause(LOOK_EVERY_MS);
  }
  await Promise.all(busy);
  if (failure !== undefined) throw failure;
}

/** At the first moment at which it may be removed, or somewhat later. */
async function come(witness: Witness, doomed: Doomed, lookout: Lookout): Promise<void> {
  const { random } = witness;
  if (random.chance(0.7)) await pause(random.below(LATE_MAX_MS));
  await random.pick(STEPS)!(witness, doomed, lookout);
}

async function pushWithIt(witness: Witness, { repository, digest }: Doomed): Promise<void> {
  const manifest = pickReferrer(witness, { repository, digest });
  if (manifest) await push(witness, { repository, manifest }, someTags(witness));
}

async function pushBlindly(witness: Witness, { repository, digest }: Doomed): Promise<void> {
  const manifest = pickReferrer(witness, { repository, digest });
  if (manifest) await putManifest(witness, { repository, manifest }, someTags(witness));
}

/** With as long a pause before the push as the grace time allows, or a shorter one. */
async function askThenPush(witness: Witness, { repository, digest }: Doomed): Promise<void> {
  const manifest = pickReferrer(witness, { repository, digest });
  if (!manifest) return;
  for (const blob of manifest.blobs) {
    if (!await askForBlob(witness, { method: "HEAD", repository, digest: blob })) {
      await sendBlob(witness, repository, blob);
    }
  }
  await pause(witness.random.below(witness.promises.graceMs));
  await putManifest(witness, { repository, manifest }, someTags(witness));
}

async function mountElsewhere(witness: Witness, { repository, digest }: Doomed): Promise<void> {
  const { model, random } = witness;
  const other = random.pick(model.repositories.filter((other) => other !== repository))!;
  await mountBlob(witness, { repository: other, from: repository, digest });
  await askForBlob(witness, { method: "GET", repository: other, digest });
}

/** Has all bytes sent beforehand, and ends the upload when the link has just gone, or the bytes have. */
async function ambush(witness: Witness, doomed: Doomed, lookout: Lookout): Promise<void> {
  const { random, model, tally } = witness;
  const { digest } = doomed;
  const repository = random.chance(0.6) ? doomed.repository : random.pick(model.repositories)!;
  const location = await beginUpload(witness, repository);
  if (!location) return;
  await sendBytes(witness, location, model.contents.get(digest)!);
  if (!await lookout.waitUntil(() => lookout.isGone(doomed), AMBUSH_MAX_MS)) {
    await witness.cluster.send("DELETE", location);
    return;
  }
  if (random.chance(0.5)) await pause(random.below(HESITATION_MAX_MS));
  else await lookout.waitUntil(() => lookout.isAside(digest), 4 * HESITATION_MAX_MS);
  await endUpload(witness, { location, repository, digest });
  tally.add("ambushes");
  await askForBlob(witness, { method: "GET", repository, digest });
  await pushWithIt(witness, { repository, digest });
}

async function deleteIt(witness: Witness, { repository, digest }: Doomed): Promise<void> {
  await Promise.all([
    deleteBlob(witness, repository, digest),
    pushBlindly(witness, { repository, digest }),
  ]);
}

/** One of the repository's manifests that refer to the blob. */
function pickReferrer({ random }: Witness, { repository, digest }: Doomed): ManifestModel | undefined {
  return random.pick([...repository.manifests.values()].filter(({ blobs }) => blobs.includes(digest)));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
