/**
 * What clients make of requests: whole pushes and whole pulls.
 *
 * @module
 */

import type { RepositoryModel } from "../crash/model.ts";
import { askForBlob, mountBlob, sendBlob } from "./blob_requests.ts";
import { type Place, putManifest, readManifest } from "./manifest_requests.ts";
import type { Witness } from "./witness.ts";

const ATTEMPTS_MAX = 3;

/** Pushes a manifest as clients do: what it refers to, where that is not there, then itself. */
export async function push(witness: Witness, place: Place, tags: readonly string[]): Promise<void> {
  const { repository, manifest } = place;
  await whenAllAreOver(manifest.blobs.map((digest) => bringBlob(witness, repository, digest)));
  for (const child of manifest.children) {
    const inner = { repository, manifest: repository.manifests.get(child)! };
    if (!await readManifest(witness, inner)) await push(witness, inner, []);
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const missing = await putManifest(witness, place, tags);
    if (missing === undefined) return;
    await bring(witness, place, missing);
  }
}

async function bring(witness: Witness, { repository, manifest }: Place, digest: string): Promise<void> {
  if (manifest.blobs.includes(digest)) return await sendBlob(witness, repository, digest);
  await push(witness, { repository, manifest: repository.manifests.get(digest)! }, []);
}

/** Sends a blob, or asks for it from another repository, unless the repository has it. */
export async function bringBlob(
  witness: Witness,
  repository: RepositoryModel,
  digest: string,
): Promise<void> {
  const { model, random } = witness;
  if (await askForBlob(witness, { method: "HEAD", repository, digest })) return;
  const from = random.pick(model.repositories.filter((other) => other !== repository))!;
  if (random.chance(0.4) && await mountBlob(witness, { repository, from, digest })) return;
  await sendBlob(witness, repository, digest);
}

/** Pulls a manifest and all that it refers to. What it refers to may go as soon as it goes itself. */
export async function pull(witness: Witness, place: Place): Promise<void> {
  const { repository, manifest } = place;
  if (!await readManifest(witness, place)) return;
  await whenAllAreOver(manifest.blobs.map(async (digest) => {
    await askForBlob(witness, { method: "GET", repository, digest });
  }));
  for (const child of manifest.children) {
    await pull(witness, { repository, manifest: repository.manifests.get(child)! });
  }
}

/** Fails as the first that failed, but not before the last is over. */
async function whenAllAreOver(tasks: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(tasks);
  await Promise.all(tasks);
}
