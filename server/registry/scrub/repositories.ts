import type { RepositoryName } from "../../oci/name.ts";
import { unlessConflict } from "../conditions.ts";
import { catalogKey, REPOSITORIES_PREFIX } from "../keys.ts";
import { checkUnknown } from "./entries.ts";
import { keyPages, mapFew } from "./key_pages.ts";
import { checkManifest } from "./manifest_checks.ts";
import { checkReferrer } from "./referrer_checks.ts";
import type { Mend, ScrubRun } from "./scrub_run.ts";
import { parseStoredKey } from "./stored_key.ts";
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
    await mapFew(keys, (key) => checkKey(run, key, { judge: isJudged(key) }));
    for (const [name, key] of firstManifests(keys.filter(isJudged))) {
      if (name !== last) run.report.checked.repositories++;
      last = name;
      await checkCatalog(run, name, key);
    }
    run.task.signal.throwIfAborted();
    if (isJudged(keys.at(-1)!)) run.reach(keys.at(-1)!);
  }
}

async function checkKey(run: ScrubRun, key: string, { judge }: { readonly judge: boolean }): Promise<void> {
  const found = parseStoredKey(key);
  if (found?.of === "manifest") await checkManifest(run, found, { judge });
  else if (!judge) return;
  else if (!found) await checkUnknown(run, key);
  else if (found.of === "tag") await checkTag(run, found);
  else if (found.of === "tagged") await checkTagged(run, found);
  else if (found.of === "referrer") await checkReferrer(run, found);
}

/** One manifest of each repository that has any among the keys. */
function firstManifests(keys: readonly string[]): Map<RepositoryName, string> {
  const first = new Map<RepositoryName, string>();
  for (const key of keys) {
    const found = parseStoredKey(key);
    if (found?.of === "manifest" && !first.has(found.name)) first.set(found.name, key);
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
