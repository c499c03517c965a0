import { askList, openClient, pathOf } from "../client.ts";
import { agrees } from "../consent.ts";
import { formatFacts, formatSize, formatTime, shortDigest, showTable } from "../format.ts";
import type { DeleteFlags, GlobalFlags } from "../frame.ts";
import { harmless, write, writeError, writeJson } from "../output.ts";
import { flag, list, number, object, optional, text } from "../shape.ts";

/** A tag of a repository. */
interface Named {
  readonly repository: string;
  readonly tag: string;
}

const TAG = object({
  tag: text,
  digest: text,
  media_type: optional(text),
  size: optional(number),
  pushed_at: optional(text),
  last_pulled_at: optional(text),
});

const HISTORY = object({
  history: list(object({ digest: text, set_at: text, by: optional(text), deleted: optional(flag) })),
});

/** Lists the tags of a repository. */
export async function listTags(repository: string, flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const tags = await askList(client, {
    name: "tags",
    item: TAG,
    path: pathOf`/admin/v1/repositories/${repository}/_tags`,
  });
  return await showTable({ tags }, {
    json: flags.json,
    headings: ["tag", "digest", "size", "pushed", "last pull"],
    rows: tags.map(({ tag, digest, size, pushed_at, last_pulled_at }) => [
      tag,
      shortDigest(digest),
      formatSize(size),
      formatTime(pushed_at),
      formatTime(last_pulled_at) || "never",
    ]),
    none: "The repository has no tag",
  });
}

/** Shows a tag. */
export async function showTag({ repository, tag }: Named, flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const found = await client.ask({
    path: pathOf`/admin/v1/repositories/${repository}/_tags/${tag}`,
    shape: TAG,
  });
  if (flags.json) {
    writeJson(found);
    return 0;
  }
  write(formatFacts([
    ["tag", `${repository}:${found.tag}`],
    ["digest", found.digest],
    ["media type", found.media_type],
    ["size", formatSize(found.size)],
    ["pushed", formatTime(found.pushed_at)],
    ["last pull", formatTime(found.last_pulled_at) || "never"],
  ]));
  return 0;
}

/** Shows what a tag has pointed to. */
export async function showHistory({ repository, tag }: Named, flags: GlobalFlags): Promise<number> {
  using client = await openClient(flags);
  const answer = await client.ask({
    path: pathOf`/admin/v1/repositories/${repository}/_tags/${tag}/history`,
    shape: HISTORY,
  });
  return await showTable(answer, {
    json: flags.json,
    headings: ["since", "digest", "by"],
    rows: answer.history.map(({ digest, set_at, by, deleted }) => [
      formatTime(set_at),
      deleted ? { text: "deleted", tone: "bad" } : shortDigest(digest),
      by ?? "",
    ]),
    none: "Nothing is known of where it has pointed",
  });
}

/** Deletes tags; goes on after one that cannot be deleted, and then fails. */
export async function deleteTags(
  { repository, tags }: { readonly repository: string; readonly tags: readonly string[] },
  flags: DeleteFlags,
): Promise<number> {
  const what = tags.length === 1
    ? `the tag ${tags[0]} of ${repository}`
    : `the tags ${tags.join(", ")} of ${repository}`;
  if (!await agrees(flags, what)) return 0;
  using client = await openClient(flags);
  const deleted: string[] = [];
  for (const tag of tags) {
    try {
      await client.ask({ method: "DELETE", path: pathOf`/admin/v1/repositories/${repository}/_tags/${tag}` });
      deleted.push(tag);
      if (!flags.json) write(`Deleted the tag ${harmless(tag)} of ${harmless(repository)}\n`);
    } catch (error) {
      writeError(harmless(`${tag}: ${(error as Error).message}`));
    }
  }
  if (flags.json) writeJson({ deleted });
  return deleted.length === tags.length ? 0 : 1;
}
