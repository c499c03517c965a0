import type { Digest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/name.ts";
import { blobKey, deletionsPrefix, dueKey, lastDigest, linkKey, manifestsPrefix } from "../keys.ts";
import { keyPages, mapFew } from "./key_pages.ts";
import { readManifest } from "./manifest_read.ts";
import type { ScrubRun } from "./scrub_run.ts";

const PAGE = 1_000;

/** By what a link is known. */
export interface LinkPlace {
  readonly name: RepositoryName;
  readonly digest: Digest;
}

/**
 * Links that no manifest refers to and no collector knows. That a manifest refers to a link is known without a look at
 * it; of the others, which are few, the manifests of their repositories are read again.
 */
export class OrphanLinks {
  readonly #run: ScrubRun;
  readonly #candidates: LinkPlace[] = [];

  constructor(run: ScrubRun) {
    this.#run = run;
  }

  /** Takes a link among those to be judged, unless it is needed, young, or known to a collector. */
  async consider({ name, digest }: LinkPlace): Promise<void> {
    if (this.#run.references.mayHave(name, digest)) return;
    if (await isForgotten(this.#run, { name, digest })) this.#candidates.push({ name, digest });
  }

  /** Judges all that were taken. */
  async judge(): Promise<void> {
    for (const [name, links] of Map.groupBy(this.#candidates, ({ name }) => name)) {
      this.#run.task.signal.throwIfAborted();
      const unneeded = await findUnneeded(this.#run, name, links);
      await mapFew([...unneeded], (digest) => tell(this.#run, { name, digest }));
    }
  }
}

async function isForgotten(run: ScrubRun, { name, digest }: LinkPlace): Promise<boolean> {
  if (await run.storage.stat(dueKey(name, digest))) return false;
  const facts = await run.storage.stat(linkKey(name, digest));
  return facts !== undefined && run.isOld(facts);
}

/** Those of the links that no manifest of the repository refers to; none where one of them cannot be read. */
async function findUnneeded(
  run: ScrubRun,
  name: RepositoryName,
  links: readonly LinkPlace[],
): Promise<ReadonlySet<Digest>> {
  const unneeded = new Set(links.map(({ digest }) => digest));
  for await (const keys of keyPages(run.storage, { prefix: manifestsPrefix(name), limit: PAGE })) {
    const digests = keys.map(lastDigest).filter((digest) => digest !== undefined);
    for (const read of await mapFew(digests, (digest) => readManifest(run, name, digest))) {
      if (!read) continue;
      if (read.state !== "good") return NONE;
      for (const { digest } of [...read.manifest.blobs, ...read.manifest.children]) unneeded.delete(digest);
    }
    if (unneeded.size === 0) break;
  }
  // What a manifest needed that is being deleted is noted for the collector before the deletion's own note goes.
  const deletions = await run.storage.list(deletionsPrefix(name), { limit: 1 });
  return deletions.length > 0 ? NONE : unneeded;
}

const NONE: ReadonlySet<Digest> = new Set();

async function tell(run: ScrubRun, place: LinkPlace): Promise<void> {
  const { name, digest } = place;
  const hasBytes = await run.storage.stat(blobKey(digest)) !== undefined || await run.isAside(digest);
  if (!await isForgotten(run, place)) return;
  const detail = hasBytes
    ? "none of the repository's manifests refers to it, and no collector knows"
    : "there are no bytes behind it, and none of the repository's manifests refers to it";
  await run.found(
    {
      kind: hasBytes ? "orphan-link" : "link-without-blob",
      key: linkKey(name, digest),
      repository: name,
      digest,
      detail,
    },
    async () => {
      await run.due.add(name, digest);
      return { repaired: "noted it for collection" };
    },
  );
}
