import type { Digest } from "../../oci/digest.ts";
import { blobKey, BLOBS_PREFIX, dueBytesKey, LINKS_PREFIX, linksPrefix, sharedPath } from "../keys.ts";
import { checkBytes } from "./blob_bytes.ts";
import { checkUnknown } from "./entries.ts";
import { keyPages, KeyStream, mapFew } from "./key_pages.ts";
import { type LinkPlace, OrphanLinks } from "./orphan_links.ts";
import type { ScrubRun } from "./scrub_run.ts";
import { parseStoredKey } from "./stored_key.ts";

const PAGE = 2_000;
const BATCH = 1_000;

/** Sorts after every name. */
const END = "~";

/** A blob or a link, as the two lists side by side say it; whoever finds anything wrong looks again. */
type Item =
  | { readonly of: "blob"; readonly digest: Digest; readonly hasLink: boolean }
  | ({ readonly of: "link" } & LinkPlace)
  | { readonly of: "unknown"; readonly key: string };

/** An item, and the path of the digest with which all before it is done: `undefined` in the middle of one. */
interface Step {
  readonly item: Item;
  readonly done: string | undefined;
}

/** Walks blobs and links side by side: both sort by digest, so neither needs to be held. `after`: the path of a digest. */
export async function scrubBlobs(run: ScrubRun, after: string | undefined): Promise<void> {
  const total = await countBlobs(run);
  run.enter("blobs", { unit: "blobs", done: () => run.report.checked.blobs, total });
  let batch: Item[] = [];
  for await (const { item, done } of merge(run, after)) {
    if (batch.length >= BATCH) {
      await judge(run, batch);
      batch = [];
      run.task.signal.throwIfAborted();
      if (done !== undefined) run.reach(done);
    }
    batch.push(item);
  }
  await judge(run, batch);
}

/** Listing the keys costs little beside looking at each. */
async function countBlobs(run: ScrubRun): Promise<number> {
  let count = 0;
  for await (const keys of keyPages(run.storage, { prefix: BLOBS_PREFIX, limit: PAGE })) {
    count += keys.length;
    run.task.signal.throwIfAborted();
  }
  return count;
}

async function* merge(run: ScrubRun, after: string | undefined): AsyncGenerator<Step> {
  const blobs = new KeyStream(run.storage, {
    prefix: BLOBS_PREFIX,
    after: after && BLOBS_PREFIX + after,
    limit: PAGE,
  });
  const links = new KeyStream(run.storage, {
    prefix: LINKS_PREFIX,
    after: after && `${LINKS_PREFIX}${after}/${END}`,
    limit: PAGE,
  });
  let path = after;
  for (;;) {
    const [blob, link] = [await blobs.peek(), await links.peek()];
    if (blob === undefined && link === undefined) return;
    const blobPath = blob && sharedPath(blob);
    const linkPath = link && sharedPath(link);
    const isBlob = blobPath !== undefined && (linkPath === undefined || blobPath <= linkPath);
    (isBlob ? blobs : links).skip();
    const next = isBlob ? blobPath : linkPath!;
    const item = itemOf(isBlob ? blob! : link!, { hasLink: blobPath === linkPath });
    yield { item, done: next === path ? undefined : path };
    path = next;
  }
}

function itemOf(key: string, { hasLink }: { readonly hasLink: boolean }): Item {
  const found = parseStoredKey(key);
  if (found?.of === "blob") return { of: "blob", digest: found.digest, hasLink };
  if (found?.of === "link") return { of: "link", name: found.name, digest: found.digest };
  return { of: "unknown", key };
}

async function judge(run: ScrubRun, items: readonly Item[]): Promise<void> {
  const orphans = new OrphanLinks(run);
  await mapFew(items, async (item) => {
    if (item.of === "unknown") return await checkUnknown(run, item.key);
    if (item.of === "blob") return await checkBlob(run, item);
    run.report.checked.links++;
    await orphans.consider(item);
  });
  await orphans.judge();
}

async function checkBlob(
  run: ScrubRun,
  { digest, hasLink }: { readonly digest: Digest; readonly hasLink: boolean },
): Promise<void> {
  const facts = await run.storage.stat(blobKey(digest));
  if (!facts) return;
  run.report.checked.blobs++;
  run.report.checked.bytes += facts.size;
  const isRead = run.options.rehash || facts.size === 0;
  if (isRead && await checkBytes(run, digest) === "wrong") return;
  if (!hasLink) await checkOrphan(run, digest);
}

async function checkOrphan(run: ScrubRun, digest: Digest): Promise<void> {
  const key = blobKey(digest);
  // In the order in which a collector works: what it does between two of these looks is seen by a later one.
  if ((await run.storage.list(linksPrefix(digest), { limit: 1 })).length > 0) return;
  if (await run.storage.stat(dueBytesKey(digest))) return;
  const facts = await run.storage.stat(key);
  if (!facts || !run.isOld(facts)) return;
  const detail = `no repository has a link to its ${facts.size} bytes, and no collector knows`;
  await run.found({ kind: "orphan-blob", key, digest, detail }, async () => {
    await run.due.addBytes(digest);
    return { repaired: "noted it for collection" };
  });
}
