import type { Digest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/name.ts";
import { Deletions } from "../deletions.ts";
import {
  BLOBS_PREFIX,
  dueBytesKey,
  LINKS_PREFIX,
  manifestsPrefix,
  QUARANTINE_PREFIX,
  REPOSITORIES_PREFIX,
  SECRETS_PREFIX,
} from "../keys.ts";
import { SharedMutex } from "../mutex.ts";
import { Referrers } from "../referrers.ts";
import { Tags } from "../tags.ts";
import type { FoundThing } from "./findings.ts";
import { mapFew } from "./key_pages.ts";
import type { ScrubRun } from "./scrub_run.ts";
import { parseStoredKey } from "./stored_key.ts";

const PAGE = 1_000;

/** Sorts after every key that begins with what stands before it: no key has this character. */
const END = "\x7f";

/** What has phases of its own, or is none of a scrub's business. */
const PASSED_OVER = [BLOBS_PREFIX, LINKS_PREFIX, QUARANTINE_PREFIX, REPOSITORIES_PREFIX, SECRETS_PREFIX];

/**
 * Walks all keys but those of blobs, links and repositories: uploads, notes of what is being done, the catalog, and what the
 * registry does not know. `others`: the beginnings of keys that others keep in the store.
 */
export async function scrubEntries(
  run: ScrubRun,
  { after, others }: { readonly after: string | undefined; readonly others: readonly string[] },
): Promise<void> {
  let keys = 0;
  run.enter("entries", { unit: "keys", done: () => keys });
  const passedOver = [...PASSED_OVER, ...others];
  for (let last = after;;) {
    const page = await run.storage.list("", { ...(last !== undefined && { after: last }), limit: PAGE });
    const end = page.findIndex((key) => passedOver.some((prefix) => key.startsWith(prefix)));
    const judged = end < 0 ? page : page.slice(0, end);
    await judgeKeys(run, judged);
    keys += judged.length;
    if (end < 0 && page.length < PAGE) return;
    last = end < 0 ? page.at(-1)! : passedOver.find((prefix) => page[end]!.startsWith(prefix))! + END;
    run.reach(last);
  }
}

async function judgeKeys(run: ScrubRun, keys: readonly string[]): Promise<void> {
  const deletions: string[] = [];
  await mapFew(keys, async (key) => {
    const found = parseStoredKey(key);
    if (!found) await checkUnknown(run, key);
    else if (found.of === "aside") await checkAside(run, key, found.digest);
    else if (found.of === "catalog") await countEmpty(run, found.name);
    else if (found.of === "upload") await checkUpload(run, key, found.name);
    else if (found.of === "deletion") deletions.push(key);
  });
  await checkDeletions(run, deletions);
}

/** Tells of a key that the registry does not write. */
export async function checkUnknown(run: ScrubRun, key: string): Promise<void> {
  const facts = await run.storage.stat(key);
  if (!facts || !run.isOld(facts)) return;
  await run.found(
    { kind: "unknown-key", key, detail: `the registry does not write it; it has ${facts.size} bytes` },
    () => run.quarantine.move(key),
  );
}

async function checkAside(run: ScrubRun, key: string, digest: Digest): Promise<void> {
  const isOld = async () => {
    const facts = await run.storage.stat(key);
    return facts !== undefined && run.isOld(facts);
  };
  if (!await isOld() || await run.storage.stat(dueBytesKey(digest)) || !await isOld()) return;
  await run.found(
    { kind: "left-aside", key, digest, detail: "a collector has taken it aside and left it there" },
    async () => {
      await run.due.addBytes(digest);
      return { repaired: "noted it for collection" };
    },
  );
}

/** A repository whose last manifest was deleted stays in the catalog: that is no finding. */
async function countEmpty(run: ScrubRun, name: RepositoryName): Promise<void> {
  const manifests = await run.storage.list(manifestsPrefix(name), { limit: 1 });
  if (manifests.length === 0) run.report.empty_repositories++;
}

async function checkUpload(run: ScrubRun, key: string, repository: RepositoryName): Promise<void> {
  // Servers look for such uploads now and then only, so there is some time more.
  const idleMs = run.options.uploadIdleMs + run.options.graceMs;
  const isStale = async () => {
    const facts = await run.storage.stat(key);
    return facts && run.isOld(facts) && facts.modifiedAtMs <= Date.now() - idleMs ? facts : undefined;
  };
  const facts = await isStale();
  if (!facts) return;
  const since = new Date(facts.modifiedAtMs).toISOString();
  await run.found(
    {
      kind: "stale-upload",
      key,
      repository,
      detail: `nothing was added to its ${facts.size} bytes since ${since}`,
    },
    async () => await isStale() ? await run.quarantine.move(key) : "overtaken",
  );
}

interface OldNote {
  readonly key: string;
  readonly thing: Omit<FoundThing, "kind" | "detail">;
}

/** Deletions that were begun long ago have been cut short; they are ended as at the start of a server. */
async function checkDeletions(run: ScrubRun, keys: readonly string[]): Promise<void> {
  const notes = (await mapFew(keys, (key) => readNote(run, key))).filter((note) => note !== undefined);
  if (notes.length === 0) return;
  if (run.options.repair) await deletionsOf(run).recover();
  for (const { key, thing } of notes) {
    await run.found(
      { kind: "unfinished-deletion", ...thing, detail: "a crash has cut it short" },
      async () => await run.storage.stat(key) ? undefined : { repaired: "ended it" },
    );
  }
}

/** An old note, if it can be read; of one that cannot it tells. */
async function readNote(run: ScrubRun, key: string): Promise<OldNote | undefined> {
  const parsed = parseStoredKey(key);
  const value = await run.storage.get(key);
  if (parsed?.of !== "deletion" || !value || !run.isOld(value)) return undefined;
  const thing = { key, repository: parsed.name, digest: parsed.digest };
  if (isNote(value.bytes)) return { key, thing };
  await run.found(
    { kind: "unreadable-deletion", ...thing, detail: "what is to be deleted cannot be read" },
    () => run.quarantine.moveValue(key, value),
  );
  return undefined;
}

function isNote(bytes: Uint8Array): boolean {
  try {
    const note = JSON.parse(new TextDecoder().decode(bytes)) as { readonly blobs?: unknown } | null;
    return Array.isArray(note?.blobs);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Ends deletions without a registry, whose start would change the store. */
function deletionsOf({ storage, stamps, manifests, due }: ScrubRun): Deletions {
  const rules = { isImmutable: () => false, hasImmutable: () => false, allowsDelete: () => true };
  return new Deletions(storage, {
    tags: new Tags(storage, { changes: new SharedMutex(), rules, stamps }),
    referrers: new Referrers(storage, () => Promise.resolve([])),
    objects: manifests,
    due,
  });
}
