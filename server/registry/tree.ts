import type { Digest } from "../oci/digest.ts";
import { type Descriptor, type Manifest, parseManifest } from "../oci/manifest.ts";
import { isManifestMediaType, isNonDistributable } from "../oci/media_type.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import type { StoredManifest } from "./manifests.ts";
import { mapParallel } from "./parallel.ts";
import type { Registry } from "./registry.ts";

/** What an image's part runs on (image-spec, image-index.md). */
export type Platform = Readonly<Record<string, string>>;

/** Something that a manifest names. */
export interface TreePart extends Descriptor {
  /** Whether the repository lacks it. Layers that are meant to be had elsewhere never are. */
  readonly isMissing: boolean;
}

/**
 * Why a manifest that is there is not described: it is within itself (`cycle`), too deep (`depth`), or the tree is as
 * large as it may be (`size`).
 */
export type TreeCut = "cycle" | "depth" | "size";

/** What an index lists: a manifest, unless it is missing or cut off; or else a blob. */
export interface TreeChild extends TreePart {
  readonly platform?: Platform;
  readonly manifest?: Tree;
  readonly cut?: TreeCut;
}

/** A manifest with all that belongs to it. */
export interface Tree {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly tags: readonly Tag[];
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly config?: TreePart;
  readonly layers: readonly TreePart[];
  readonly manifests: readonly TreeChild[];
  /** The manifests that name this one as their subject, in order of their digests. */
  readonly referrers: readonly Tree[];
  /** Whether some referrers were left out. */
  readonly hasMoreReferrers: boolean;
}

const DEPTH_MAX = 8;
const MANIFESTS_MAX = 1_000;
const BYTES_MAX = 8 * 1024 * 1024;
const PARTS_MAX = 20_000;
const REFERRERS_MAX = 100;
const TAGS_MAX = 100;
const SIZED_MAX = 200;

/** What is left of what a tree may take. */
interface Budget {
  manifests: number;
  bytes: number;
  parts: number;
}

/** A manifest that is about to be described. */
interface Place {
  readonly name: RepositoryName;
  readonly budget: Budget;
  /** What it is within. */
  readonly above: readonly Digest[];
}

/** The tree of a manifest, in bounds: eight levels, a thousand manifests. Looking at what is there does not keep it. */
export async function readTree(
  registry: Registry,
  name: RepositoryName,
  root: StoredManifest,
): Promise<Tree> {
  const budget = { manifests: MANIFESTS_MAX, bytes: BYTES_MAX, parts: PARTS_MAX };
  const found = takeFrom(budget, root);
  return await describe(registry, found, { name, budget, above: [] });
}

/** What sizes may cost before they are many: manifests that are read for them, and their bytes. */
const SIZING = { manifests: 1_000, bytes: 16 * 1024 * 1024 };

/** Says how large images are, for one answer: what they share is read once. */
export interface ImageSizer {
  /** Bytes of a manifest, of what it lists and of all their blobs, each once. Of very large indexes some count as nothing. */
  sizeOf(root: StoredManifest): Promise<number>;
  /** Whether so much has been read that the answer had better end. */
  isSpent(): boolean;
}

/** A sizer of a repository's images. */
export function imageSizer({ manifests }: Pick<Registry, "manifests">, name: RepositoryName): ImageSizer {
  const left = { ...SIZING };
  const parts = new Map<Digest, Promise<SizedParts | undefined>>();
  const sizes = new Map<Digest, Promise<number>>();
  const read = async (digest: Digest) => {
    left.manifests--;
    const stored = await manifests.get(name, { digest });
    left.bytes -= stored?.bytes.byteLength ?? 0;
    return stored && partsOf(stored);
  };
  const readOnce = (digest: Digest) => parts.get(digest) ?? setIn(parts, digest, read(digest));
  return {
    sizeOf: (root) => sizes.get(root.digest) ?? setIn(sizes, root.digest, sumParts(root, readOnce)),
    isSpent: () => left.manifests <= 0 || left.bytes <= 0,
  };
}

/** What a manifest names: sizes by digests, and which of them are manifests. */
interface SizedParts {
  readonly sizes: readonly (readonly [Digest, number])[];
  readonly children: readonly Digest[];
}

function partsOf({ bytes, mediaType }: StoredManifest): SizedParts {
  const { blobs, children } = parseManifest(bytes, mediaType);
  const sizes = [...blobs, ...children].map(({ digest, size }) => [digest, size] as const);
  return { sizes, children: children.map(({ digest }) => digest) };
}

function setIn<K, V>(map: Map<K, V>, key: K, value: V): V {
  map.set(key, value);
  return value;
}

async function sumParts(
  root: StoredManifest,
  read: (digest: Digest) => Promise<SizedParts | undefined>,
): Promise<number> {
  const sizes = new Map<Digest, number>([[root.digest, root.bytes.byteLength]]);
  const open = [partsOf(root)];
  for (let count = 1, found = open.pop(); found !== undefined; found = open.pop()) {
    const others = new Set(found.children.filter((digest) => !sizes.has(digest)));
    for (const [digest, size] of found.sizes) if (!sizes.has(digest)) sizes.set(digest, size);
    const digests = [...others].slice(0, SIZED_MAX - count);
    count += digests.length;
    open.push(...(await mapParallel(digests, read)).filter((below) => below !== undefined));
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** Bytes of a tree: of its manifests, as far as it describes them, and of all that they name, each once; not its referrers'. */
export function treeSize(tree: Tree): number {
  const sizes = new Map<Digest, number>();
  const open: Tree[] = [tree];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { digest, size, config, layers, manifests } = item;
    const parts = [{ digest, size }, ...config ? [config] : [], ...layers, ...manifests];
    for (const part of parts) sizes.set(part.digest, part.size);
    open.push(...manifests.flatMap(({ manifest }) => manifest ?? []));
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

interface Found {
  readonly stored: StoredManifest;
  readonly manifest: Manifest;
}

function takeFrom(budget: Budget, stored: StoredManifest): Found {
  const manifest = parseManifest(stored.bytes, stored.mediaType);
  budget.manifests--;
  budget.bytes -= stored.bytes.byteLength;
  budget.parts -= manifest.blobs.length + manifest.children.length;
  return { stored, manifest };
}

function isSpent({ manifests, bytes, parts }: Budget): boolean {
  return manifests <= 0 || bytes <= 0 || parts <= 0;
}

async function describe(registry: Registry, { stored, manifest }: Found, place: Place): Promise<Tree> {
  const { digest, mediaType, bytes } = stored;
  const { name, above } = place;
  const within = { ...place, above: [...above, digest] };
  const { artifactType, annotations } = manifest;
  const [tags, blobs] = await Promise.all([
    registry.tags.listOf(name, digest, TAGS_MAX),
    mapParallel(manifest.blobs, (blob) => describePart(registry, name, blob)),
  ]);
  const isImage = manifest.kind === "image";
  return {
    digest,
    mediaType,
    size: bytes.byteLength,
    tags,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations && { annotations }),
    ...(isImage && { config: blobs[0]! }),
    layers: isImage ? blobs.slice(1) : blobs,
    manifests: await describeChildren(registry, { stored, manifest }, within),
    ...await describeReferrers(registry, digest, within),
  };
}

async function describePart(registry: Registry, name: RepositoryName, part: Descriptor): Promise<TreePart> {
  const isHere = isNonDistributable(part.mediaType) || await registry.blobs.isThere(name, part.digest);
  return { ...part, isMissing: !isHere };
}

async function describeChildren(
  registry: Registry,
  { stored, manifest }: Found,
  place: Place,
): Promise<TreeChild[]> {
  const platforms = readPlatforms(stored);
  const children: TreeChild[] = [];
  for (const [index, child] of manifest.children.entries()) {
    const platform = platforms[index];
    children.push({ ...await describeChild(registry, child, place), ...(platform && { platform }) });
  }
  return children;
}

async function describeChild(registry: Registry, child: Descriptor, place: Place): Promise<TreeChild> {
  if (place.above.includes(child.digest)) return { ...child, isMissing: false, cut: "cycle" };
  if (isSpent(place.budget)) return { ...child, isMissing: false, cut: "size" };
  const stored = await registry.manifests.get(place.name, { digest: child.digest });
  if (!stored && !isManifestMediaType(child.mediaType)) return describePart(registry, place.name, child);
  if (!stored) return { ...child, isMissing: true };
  if (place.above.length >= DEPTH_MAX) return { ...child, isMissing: false, cut: "depth" };
  const found = takeFrom(place.budget, stored);
  return { ...child, isMissing: false, manifest: await describe(registry, found, place) };
}

async function describeReferrers(
  registry: Registry,
  subject: Digest,
  place: Place,
): Promise<Pick<Tree, "referrers" | "hasMoreReferrers">> {
  const { name, budget, above } = place;
  const page = await registry.referrers.list(name, subject, { limit: REFERRERS_MAX });
  const referrers: Tree[] = [];
  let hasMore = page.more;
  for (const { digest } of page.entries) {
    const isCut = above.length >= DEPTH_MAX || isSpent(budget) || above.includes(digest);
    // One that only a fallback tag lists need not be there.
    const stored = isCut ? undefined : await registry.manifests.get(name, { digest });
    hasMore ||= isCut;
    if (stored) referrers.push(await describe(registry, takeFrom(budget, stored), place));
  }
  return { referrers, hasMoreReferrers: hasMore };
}

/** The platforms of an index's children, in their order: members that are texts, the rest is nobody's business here. */
function readPlatforms({ bytes }: StoredManifest): (Platform | undefined)[] {
  const { manifests } = JSON.parse(new TextDecoder().decode(bytes)) as {
    readonly manifests?: readonly { readonly platform?: unknown }[] | null;
  };
  return (manifests ?? []).map(({ platform }) => {
    if (typeof platform !== "object" || platform === null) return undefined;
    const texts = Object.entries(platform).filter(([, value]) => typeof value === "string");
    return texts.length > 0 ? Object.fromEntries(texts) as Platform : undefined;
  });
}
