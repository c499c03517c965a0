import { openClient, pathOf } from "../client.ts";
import { formatFacts, formatSize, shortDigest } from "../format.ts";
import type { GlobalFlags } from "../frame.ts";
import { harmless, outputColumns, paint, write, writeJson } from "../output.ts";
import {
  type Absent,
  dictionary,
  flag,
  list,
  nested,
  number,
  object,
  optional,
  type Shape,
  text,
} from "../shape.ts";
import { clip, widthOf } from "../table.ts";

interface Descriptor {
  readonly digest: string;
  readonly media_type: string | Absent;
  readonly size: number | Absent;
}

interface Child extends Descriptor {
  readonly platform: Platform | Absent;
  readonly missing: boolean | Absent;
  readonly manifest: Tree | Absent;
}

interface Platform {
  readonly os: string | Absent;
  readonly architecture: string | Absent;
  readonly variant: string | Absent;
}

/** A manifest with all that belongs to it. */
interface Tree extends Descriptor {
  readonly tags: readonly string[] | Absent;
  readonly artifact_type: string | Absent;
  readonly annotations: Readonly<Record<string, string>> | Absent;
  readonly config: Descriptor | Absent;
  readonly layers: readonly Descriptor[] | Absent;
  readonly manifests: readonly Child[] | Absent;
  readonly referrers: readonly Tree[] | Absent;
  readonly total_size: number | Absent;
}

/** A line of the drawing, and what hangs below it. */
interface Branch {
  readonly name: string;
  readonly digest?: string;
  readonly size?: number | Absent;
  readonly note?: string | undefined;
  readonly isBad?: boolean;
  readonly branches: readonly Branch[];
}

const DEPTH_MAX = 16;

const DESCRIPTOR = { digest: text, media_type: optional(text), size: optional(number) };
const PLATFORM = object({ os: optional(text), architecture: optional(text), variant: optional(text) });

const TREE: Shape<Tree> = nested<Tree>((tree) =>
  object({
    ...DESCRIPTOR,
    tags: optional(list(text)),
    artifact_type: optional(text),
    annotations: optional(dictionary(text)),
    config: optional(object(DESCRIPTOR)),
    layers: optional(list(object(DESCRIPTOR))),
    manifests: optional(list(object({
      ...DESCRIPTOR,
      platform: optional(PLATFORM),
      missing: optional(flag),
      manifest: optional(tree),
    }))),
    referrers: optional(list(tree)),
    total_size: optional(number),
  }), DEPTH_MAX);

/** Draws a manifest. */
export async function showManifest(
  { repository, reference }: { readonly repository: string; readonly reference: string },
  flags: GlobalFlags,
): Promise<number> {
  using client = await openClient(flags);
  const tree = await client.ask({
    path: pathOf`/admin/v1/repositories/${repository}/_manifests/${reference}`,
    shape: TREE,
  });
  if (flags.json) {
    writeJson(tree);
    return 0;
  }
  const { digest, media_type, artifact_type, tags, annotations, total_size } = tree;
  write(formatFacts([
    ["digest", digest],
    ["media type", media_type],
    ["artifact type", artifact_type],
    ["tags", tags?.join(", ")],
    ["in all", formatSize(total_size)],
    ...Object.entries(annotations ?? {}),
  ]));
  write(`\n${drawTree(branchOf(tree, { name: nameOf(tree) }))}`);
  return 0;
}

function branchOf(
  tree: Tree,
  { name, note }: { readonly name: string; readonly note?: string | undefined },
): Branch {
  const { digest, size, config, layers, manifests, referrers } = tree;
  const leaf = (name: string, item: Descriptor): Branch => ({
    name,
    digest: item.digest,
    size: item.size,
    note: shortType(item.media_type),
    branches: [],
  });
  return {
    name,
    digest,
    size,
    note,
    branches: [
      ...(manifests ?? []).map(childBranch),
      ...(config ? [leaf("config", config)] : []),
      ...(layers ?? []).map((layer, index) => leaf(`layer ${index + 1}`, layer)),
      ...(referrers && referrers.length > 0
        ? [{ name: "referrers", branches: referrers.map(referrerBranch) }]
        : []),
    ],
  };
}

function childBranch(child: Child): Branch {
  const name = child.platform ? formatPlatform(child.platform) : shortType(child.media_type) || "manifest";
  if (child.manifest) return branchOf(child.manifest, { name });
  const { digest, size, missing } = child;
  return { name, digest, size, branches: [], ...(missing && { note: "is missing", isBad: true }) };
}

function referrerBranch(tree: Tree): Branch {
  return branchOf(tree, { name: tree.artifact_type ?? nameOf(tree) });
}

function nameOf({ manifests, media_type }: Tree): string {
  return manifests && manifests.length > 0 ? "index" : shortType(media_type) || "manifest";
}

function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join("/") ||
    "any platform";
}

/** The word of a media type that tells it from others. */
function shortType(type: string | Absent): string {
  const [, word] =
    /^application\/vnd\.(?:oci|docker)\.(?:image\.|distribution\.|container\.)?(.+)$/.exec(type ?? "") ?? [];
  return (word ?? type ?? "").replace(/\.v\d(?=\.|\+|$)/, "").replace(/^rootfs\./, "").replace(/\+json$/, "");
}

const DIGEST_COLUMNS = 19;
const SIZE_COLUMNS = 9;

function drawTree(root: Branch): string {
  const lines = linesOf(root, { first: "", rest: "" });
  const columns = outputColumns();
  const nameColumns = Math.min(
    Math.max(...lines.map(({ label }) => widthOf(label))),
    columns - DIGEST_COLUMNS - SIZE_COLUMNS - 4,
  );
  return lines.map(({ label, branch }) => {
    const { digest, size, note = "", isBad = false } = branch;
    const name = clip(label, nameColumns);
    const fixed = [
      name + " ".repeat(nameColumns - widthOf(name)),
      (digest === undefined ? "" : harmless(shortDigest(digest)).slice(0, DIGEST_COLUMNS)).padEnd(
        DIGEST_COLUMNS,
      ),
      formatSize(size).padStart(SIZE_COLUMNS),
    ].join("  ");
    const room = columns - widthOf(fixed) - 2;
    const end = note !== "" && room > 3
      ? `  ${paint(clip(harmless(note), room), isBad ? "bad" : "faint")}`
      : "";
    return `${(fixed + end).trimEnd()}\n`;
  }).join("");
}

interface Line {
  readonly label: string;
  readonly branch: Branch;
}

function linesOf(branch: Branch, { first, rest }: { readonly first: string; readonly rest: string }): Line[] {
  const below = branch.branches.flatMap((child, index) => {
    const isLast = index === branch.branches.length - 1;
    return linesOf(child, { first: rest + (isLast ? "└─ " : "├─ "), rest: rest + (isLast ? "   " : "│  ") });
  });
  return [{ label: first + harmless(branch.name), branch }, ...below];
}
