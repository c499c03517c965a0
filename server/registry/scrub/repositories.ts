import { unlessConflict } from "../../../plugins/contract/error.ts";
import type { RepositoryName } from "../../oci/name.ts";
import { catalogKey, REPOSITORIES_PREFIX } from "../keys.ts";
import { checkUnknown } from "./entries.ts";
import { keyPages, mapFew } from "./key_pages.ts";
import { checkManifest } from "./manifest_checks.ts";
import { checkReferrer } from "./referrer_checks.ts";
import type { Mend, ScrubRun } from "./scrub_run.ts";
import { parseStoredKey, type StoredKey } from "./stored_key.ts";
import { checkTag, checkTagged } from "./tag_checks.ts";

const PAGE = 1_000;
const NOTHING = new Uint8Array(0);

/**
 * Walks the keys of repositories: notes what manifests refer to, and judges all that comes after the key `after`.
 * What comes before it, or everything where `after` is "all", was judged by an earlier run, which took its notes with it.
 */
export async function scrubRepositories(run: ScrubRun, after: string | "all" | undefined): Promise<void> {
  run.enter("repositories", { unit: "manifests", done: () => run.report.checked.manifests });
  const isJudged = (key: string) => after !== "all" && key > (after ?? "");
  let last: RepositoryName | undefined;
  for await (const keys of keyPages(run.storage, { prefix: REPOSITORIES_PREFIX, limit: PAGE })) {
    const entries = keys.map((key) => ({ key, found: parseStoredKey(key), judge: isJudged(key) }));
    // What belongs to a manifest is judged when that has been: it may have been moved away.
    const [manifests, others] = partition(entries, ({ found }) => found?.of === "manifest");
    for (const some of [manifests, others]) await mapFew(some, (entry) => checkEntry(run, entry));
    for (const [name, key] of firstManifests(manifests)) {
      if (name !== last) run.report.checked.repositories++;
      last = name;
      await checkCatalog(run, name, key);
    }
    run.task.signal.throwIfAborted();
    if (isJudged(keys.at(-1)!)) run.reach(keys.at(-1)!);
  }
}

interface Entry {
  readonly key: string;
  readonly found: StoredKey | undefined;
  readonly judge: boolean;
}

async function checkEntry(run: ScrubRun, { key, found, judge }: Entry): Promise<void> {
  if (found?.of === "manifest") await checkManifest(run, found, { judge });
  else if (!judge) return;
  else if (!found) await checkUnknown(run, key);
  else if (found.of === "tag") await checkTag(run, found);
  else if (found.of === "tagged") await checkTagged(run, found);
  else if (found.of === "referrer") await checkReferrer(run, found);
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): readonly [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

/** One manifest that is judged of each repository that has any here. */
function firstManifests(manifests: readonly Entry[]): Map<RepositoryName, string> {
  const first = new Map<RepositoryName, string>();
  for (const { key, found, judge } of manifests) {
    if (judge && found?.of === "manifest" && !first.has(found.name)) first.set(found.name, key);
  }
  return first;
}

async function checkCatalog(run: ScrubRun, name: RepositoryName, manifest: string): Promise<void> {
  const key = catalogKey(name);
  if (await run.storage.stat(key)) return;
  // The entry is made before the first manifest, and a repository's deletion may take both away.
  const facts = await run.storage.stat(manifest);
  if (!facts || !run.isOld(facts) || await run.storage.stat(key)) return;
  const mend: Mend = async () => {
    const put = await unlessConflict(run.storage.put(key, NOTHING, { ifAbsent: true }));
    return put ? { repaired: "listed it" } : "overtaken";
  };
  const detail = "it has manifests and is not in the catalog";
  await run.found({ kind: "missing-catalog-entry", key, repository: name, detail }, mend);
}
