import { askList, type Client, openClient, pageFollower, pathOf, Refusal } from "../client.ts";
import { requireConsent } from "../consent.ts";
import { formatBytes, formatFacts, formatSize, formatTime, showTable } from "../format.ts";
import type { DeleteFlags, GlobalFlags } from "../frame.ts";
import { count, harmless, write, writeJson, writeNote } from "../output.ts";
import { anything, dictionary, flag, list, number, object, optional, type Shaped, text } from "../shape.ts";
import { formatTable } from "../table.ts";

const LISTED = object({ name: text, tags: number, manifests: number, last_pushed_at: optional(text) });

const REPOSITORY = object({
  name: text,
  tags: number,
  manifests: number,
  blobs: number,
  bytes: number,
  last_pushed_at: optional(text),
  last_pulled_at: optional(text),
  rules: optional(dictionary(anything)),
});

const DELETED = object({
  deleted: object({ manifests: number, tags: number, blobs: number, uploads: number }),
  dry_run: optional(flag),
});

const USAGE = object({
  repositories: list(object({ name: text, bytes: number, unique_bytes: number, blobs: number })),
  next: optional(text),
  total: object({
    bytes: number,
    bytes_not_deduplicated: number,
    blobs: number,
    uploads_bytes: optional(number),
    garbage_bytes: optional(number),
  }),
});

type Usage = Shaped<typeof USAGE>;

/** Lists repositories. */
export async function listRepositories(
  flags: GlobalFlags & { readonly filter?: string | undefined },
): Promise<number> {
  using client = await openClient(flags);
  const repositories = await askList(client, {
    name: "repositories",
    item: LISTED,
    path: "/admin/v1/repositories",
    query: { filter: flags.filter },
  });
  return await showTable({ repositories }, {
    json: flags.json,
    headings: ["repository", "tags", "manifests", "last push"],
    rows: repositories.map(({ name, tags, manifests, last_pushed_at }) => [
      name,
      String(tags),
      String(manifests),
      formatTime(last_pushed_at),
    ]),
    none: "There is no repository",
  });
}

/** Shows a repository. */
export async function showRepository(name: string, flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const found = await client.ask({ path: pathOf`/admin/v1/repositories/${name}`, shape: REPOSITORY });
  if (flags.json) {
    writeJson(found);
    return 0;
  }
  write(formatFacts([
    ["repository", found.name],
    ["tags", String(found.tags)],
    ["manifests", String(found.manifests)],
    ["blobs", `${found.blobs}, ${formatBytes(found.bytes)}`],
    ["last push", formatTime(found.last_pushed_at) || "never"],
    ["last pull", formatTime(found.last_pulled_at) || "never"],
    ...Object.entries(found.rules ?? {}).map(([rule, value]) =>
      [rule.replaceAll("_", " "), formatRule(value)] as const
    ),
  ]));
  return 0;
}

/** Deletes a repository, once it is agreed how much that is. */
export async function deleteRepository(name: string, flags: DeleteFlags): Promise<number> {
  const { yes, dryRun, json } = flags;
  using client = await openClient(flags);
  const ask = (dry_run: boolean) =>
    client.ask({
      method: "DELETE",
      path: pathOf`/admin/v1/repositories/${name}`,
      query: { dry_run: dry_run ? "true" : undefined },
      shape: DELETED,
    });
  if (!dryRun) {
    await requireConsent(
      { yes },
      `Delete ${name} with all that is in it?`,
      async () => `Delete ${name} with ${formatContent(await ask(true))}?`,
    );
  }
  const answer = await ask(dryRun === true);
  if (json) writeJson(answer);
  else write(`${dryRun ? "Would delete" : "Deleted"} ${harmless(name)} with ${formatContent(answer)}\n`);
  return 0;
}

/** Shows what takes the space. */
export async function showUsage(flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const usage = await askUsage(client);
  if (flags.json) {
    writeJson(usage);
    return 0;
  }
  const rows = usage.repositories.toSorted((a, b) => b.bytes - a.bytes).map((repository) => [
    repository.name,
    String(repository.blobs),
    formatBytes(repository.bytes),
    formatBytes(repository.unique_bytes),
  ]);
  if (rows.length > 0) write(`${await formatTable(["repository", "blobs", "size", "unique"], rows)}\n`);
  write(formatFacts(totalsOf(usage.total)));
  return 0;
}

/** How long to wait for a large store to be counted. */
const COUNTING_PATIENCE_MS = 10 * 60_000;
const COUNTING_INTERVAL_MS = 3_000;

/** What takes the space, all pages of it. */
async function askUsage(client: Client): Promise<Usage> {
  const usage = await askUsagePage(client, undefined);
  const repositories = [...usage.repositories];
  const follow = pageFollower(client);
  for (let last = follow(usage.next, repositories.length); last !== undefined;) {
    const page = await askUsagePage(client, last);
    last = follow(page.next, page.repositories.length);
    for (const repository of page.repositories) repositories.push(repository);
  }
  return { ...usage, next: undefined, repositories };
}

/** A page. A server that has not counted yet is asked again. */
async function askUsagePage(client: Client, last: string | undefined): Promise<Usage> {
  for (const giveUpAtMs = Date.now() + COUNTING_PATIENCE_MS;;) {
    try {
      return await client.ask({ path: "/admin/v1/usage", query: { n: "1000", last }, shape: USAGE });
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 503 || Date.now() > giveUpAtMs) throw error;
      writeNote(harmless(error.message));
    }
    await new Promise((resolve) => setTimeout(resolve, COUNTING_INTERVAL_MS));
  }
}

function totalsOf({ bytes, bytes_not_deduplicated, blobs, ...total }: Usage["total"]) {
  return [
    ["on disk", `${formatBytes(bytes)} in ${count(blobs, "blob")}`],
    ["without deduplication", formatBytes(bytes_not_deduplicated)],
    ["uploads under way", formatSize(total.uploads_bytes)],
    ["garbage", formatSize(total.garbage_bytes)],
  ] as const;
}

function formatContent({ deleted }: Shaped<typeof DELETED>): string {
  const { tags, manifests, blobs, uploads } = deleted;
  return [count(tags, "tag"), count(manifests, "manifest"), count(blobs, "blob"), count(uploads, "upload")]
    .join(", ");
}

function formatRule(value: unknown): string {
  if (Array.isArray(value)) return value.map(formatRule).join(", ") || "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}
