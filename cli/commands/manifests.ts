import { openClient, pathOf } from "../client.ts";
import { formatFacts, formatSize } from "../format.ts";
import type { GlobalFlags } from "../frame.ts";
import { write, writeJson } from "../output.ts";
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
import { type Branch, drawTree } from "../tree.ts";

interface Descriptor {
  readonly digest: string;
  readonly media_type: string | Absent;
  readonly size: number | Absent;
}

/** A descriptor of something that may not be there. */
interface Part extends Descriptor {
  readonly missing: boolean | Absent;
}

interface Child extends Part {
  /** Why what is below it is not told: it is too deep, too much, or within itself. */
  readonly cut: string | Absent;
  readonly platform: Platform | Absent;
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
  readonly config: Part | Absent;
  readonly layers: readonly Part[] | Absent;
  readonly manifests: readonly Child[] | Absent;
  readonly referrers: readonly Tree[] | Absent;
  readonly more_referrers: boolean | Absent;
  readonly total_size: number | Absent;
}

const DEPTH_MAX = 16;

const DESCRIPTOR = { digest: text, media_type: optional(text), size: optional(number) };
const PART = { ...DESCRIPTOR, missing: optional(flag) };
const PLATFORM = object({ os: optional(text), architecture: optional(text), variant: optional(text) });

const TREE: Shape<Tree> = nested<Tree>((tree) =>
  object({
    ...DESCRIPTOR,
    tags: optional(list(text)),
    artifact_type: optional(text),
    annotations: optional(dictionary(text)),
    config: optional(object(PART)),
    layers: optional(list(object(PART))),
    manifests: optional(list(object({
      ...DESCRIPTOR,
      platform: optional(PLATFORM),
      missing: optional(flag),
      cut: optional(text),
      manifest: optional(tree),
    }))),
    referrers: optional(list(tree)),
    more_referrers: optional(flag),
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
        ? [{
          name: tree.more_referrers ? "referrers (there are more)" : "referrers",
          branches: referrers.map(referrerBranch),
        }]
        : []),
    ],
  };
}

function leaf(name: string, { digest, size, media_type, missing }: Part): Branch {
  const note = missing ? "is missing" : shortType(media_type);
  return { name, digest, size, note, isBad: missing === true, branches: [] };
}

function childBranch(child: Child): Branch {
  const name = child.platform ? formatPlatform(child.platform) : shortType(child.media_type) || "manifest";
  if (child.manifest) return branchOf(child.manifest, { name });
  if (child.cut) return { ...leaf(name, child), note: `cut: ${child.cut}` };
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
