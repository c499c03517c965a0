import { type Digest, isDigest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/name.ts";
import type { Tag } from "../../oci/reference.ts";
import type { StoredValue } from "../../../plugins/contract/storage.ts";
import { readLine } from "../conditions.ts";
import { taggedKey, tagKey } from "../keys.ts";
import { readManifest } from "./manifest_read.ts";
import type { Moved } from "./quarantine.ts";
import type { Mend, ScrubRun } from "./scrub_run.ts";

const NOTHING = new Uint8Array(0);

/** A tag of a repository. */
interface Place {
  readonly name: RepositoryName;
  readonly tag: Tag;
}

interface Pointing extends Place {
  readonly digest: Digest;
  readonly value: StoredValue;
}

/** Whether a tag points to a manifest, and would be found by its deletion. */
export async function checkTag(run: ScrubRun, { name, tag }: Place): Promise<void> {
  const key = tagKey(name, tag);
  const value = await run.storage.get(key);
  if (!value) return;
  run.report.checked.tags++;
  if (!run.isOld(value)) return;
  const digest = readLine(value.bytes);
  if (!isDigest(digest)) {
    return await run.found(
      { kind: "unreadable-tag", key, repository: name, detail: "it holds no digest" },
      () => moveTag(run, { name, tag, value }),
    );
  }
  const pointing = { name, tag, digest, value };
  if (await run.hasManifest(name, digest)) await checkAnnounced(run, pointing);
  else await checkDangling(run, pointing);
}

async function checkDangling(run: ScrubRun, { name, tag, digest, value }: Pointing): Promise<void> {
  if (await run.isBeingDeleted(name, digest) || await run.hasManifest(name, digest)) return;
  const key = tagKey(name, tag);
  if ((await run.storage.get(key))?.etag !== value.etag) return;
  const detail = `it points to ${digest}, which the repository does not have`;
  await run.found({ kind: "dangling-tag", key, repository: name, digest, detail }, async () => {
    const moved = await moveTag(run, { name, tag, value });
    if (moved !== "overtaken") await moveTagged(run, { name, tag, digest });
    return moved;
  });
}

async function moveTag(
  run: ScrubRun,
  { name, tag, value }: Place & { readonly value: StoredValue },
): Promise<Moved> {
  await run.stamps.beginRemoving(name);
  const moved = await run.quarantine.moveValue(tagKey(name, tag), value);
  await run.stamps.endRemoving(name);
  return moved;
}

async function checkAnnounced(run: ScrubRun, { name, tag, digest, value }: Pointing): Promise<void> {
  const key = taggedKey(name, digest, tag);
  const isAnnounced = async () => {
    if (await run.storage.stat(key)) return true;
    const read = await readManifest(run, name, digest);
    // Of one that is damaged that has been told.
    return read?.state === "damaged" || read?.stored.tags.includes(tag);
  };
  if (await isAnnounced()) return;
  const isSame = async () => (await run.storage.get(tagKey(name, tag)))?.etag === value.etag;
  if (!await isSame() || await isAnnounced()) return;
  const mend: Mend = async () => {
    await run.storage.put(key, NOTHING);
    return { repaired: "noted it for its manifest" };
  };
  const detail = `the tag ${tag} would outlive its manifest`;
  await run.found({ kind: "missing-tagged", key, repository: name, digest, detail }, mend);
}

/** Whether there is the manifest to which a tag is said to point, or to have pointed. */
export async function checkTagged(run: ScrubRun, place: Place & { readonly digest: Digest }): Promise<void> {
  const { name, tag, digest } = place;
  if (await run.hasManifest(name, digest)) return;
  const key = taggedKey(name, digest, tag);
  const facts = await run.storage.stat(key);
  if (!facts || !run.isOld(facts) || await run.isBeingDeleted(name, digest)) return;
  const value = await run.storage.get(tagKey(name, tag));
  // A tag that dangles is told of, and mended, as one.
  const dangles = value && readLine(value.bytes) === digest;
  if (dangles || await run.hasManifest(name, digest)) return;
  const detail = `the tag ${tag} is said to have pointed to a manifest that is not there`;
  await run.found(
    { kind: "stray-tagged", key, repository: name, digest, detail },
    () => moveTagged(run, place),
  );
}

/** Moves a note away; a push that comes in that moment has it back. */
async function moveTagged(
  run: ScrubRun,
  { name, tag, digest }: Place & { readonly digest: Digest },
): Promise<Moved | undefined> {
  const key = taggedKey(name, digest, tag);
  const moved = await run.quarantine.move(key);
  if (typeof moved !== "object" || !await run.hasManifest(name, digest)) return moved;
  await run.quarantine.putBack(key);
  return "overtaken";
}
