import type { RepositoryModel } from "../crash/model.ts";
import { unlessLost } from "./actor.ts";
import { askForBlob, beginUpload, deleteBlob, endUpload, sendBlob, sendBytes } from "./blob_requests.ts";
import type { Lookout } from "./lookout.ts";
import { deleteManifest, type Place, putManifest, readTagList } from "./manifest_requests.ts";
import { bringBlob, pull } from "./pushes.ts";
import type { Witness } from "./witness.ts";

const COMES_BACK_WITHIN_MS = 300;
const DUEL_LEAD_MAX_MS = 6;
const DUEL_TAG = "duel";

/**
 * Brings blobs and deletes them, so that the next collection takes their bytes, and brings them again at that time: the
 * uploads are ready but for their end. They are many, so that collection has much to do at once, and this client's own.
 */
export async function stayOnTheBrink(
  witness: Witness,
  { repository, blobs, lookout }: {
    readonly repository: RepositoryModel;
    readonly blobs: readonly string[];
    readonly lookout: Lookout;
  },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await forEach(blobs, async (digest) => {
      if (!repository.blob(digest).mayBe(true)) await sendBlob(witness, repository, digest);
    });
    const ready: { readonly digest: string; readonly location: string }[] = [];
    await forEach(blobs, async (digest) => {
      const location = await beginUpload(witness, repository);
      if (!location) return;
      await sendBytes(witness, location, witness.model.contents.get(digest)!);
      ready.push({ digest, location });
    });
    await forEach(blobs, (digest) => deleteBlob(witness, repository, digest));
    if (witness.random.chance(0.2)) await lookout.waitUntil(() => lookout.isAside(), COMES_BACK_WITHIN_MS);
    await forEach(ready, async ({ digest, location }) => {
      await pause(witness.random.below(COMES_BACK_WITHIN_MS));
      await endUpload(witness, { location, repository, digest });
      await askForBlob(witness, { method: "GET", repository, digest });
    });
    await forEach(blobs, async (digest) => {
      await askForBlob(witness, { method: "GET", repository, digest });
    });
    witness.tally.add("returns from the brink", blobs.length);
  }
}

/**
 * Pushes a manifest and deletes one of its blobs at the same time, or itself: one of the two has to be refused, or to come
 * first.
 */
export async function duel(witness: Witness, place: Place, signal: AbortSignal): Promise<void> {
  const { random, tally } = witness;
  const { repository, manifest } = place;
  while (!signal.aborted) {
    await forEach(manifest.blobs, (digest) => bringBlob(witness, repository, digest));
    const digest = random.pick(manifest.blobs)!;
    const pushIt = async () => void await putManifest(witness, place, [DUEL_TAG]);
    const takeIt = random.chance(0.5)
      ? () => deleteBlob(witness, repository, digest)
      : () => deleteManifest(witness, place);
    await forEach([pushIt, takeIt], async (act) => {
      await pause(random.below(DUEL_LEAD_MAX_MS));
      await act();
    });
    await unlessLost(readTagList(witness, repository));
    await unlessLost(pull(witness, place));
    await unlessLost(deleteManifest(witness, place));
    tally.add("duels");
  }
}

/** Does the same to all at the same time. What a kill cuts short is forgotten. */
async function forEach<Thing>(
  things: readonly Thing[],
  step: (thing: Thing) => Promise<void>,
): Promise<void> {
  const results = await Promise.allSettled(things.map((thing) => unlessLost(step(thing))));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
