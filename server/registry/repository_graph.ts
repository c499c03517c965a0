import type { Digest } from "../oci/digest.ts";
import type { ScannedManifest } from "./manifests.ts";

/** A manifest, as far as its relations go. */
interface Node {
  readonly mediaType: string;
  /** When it was pushed, in milliseconds since the epoch; `undefined`: that is not known. */
  readonly pushedAtMs: number | undefined;
  /** Bytes of the manifest and its blobs, each once. */
  readonly size: number;
  readonly children: readonly Sized[];
  readonly subject: Digest | undefined;
}

interface Sized {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * The manifests of a repository and how they hold each other: an index its children, and a manifest and what names it as its
 * subject one another.
 */
export class RepositoryGraph {
  readonly #nodes = new Map<Digest, Node>();
  readonly #belongings = new Map<Digest, Digest[]>();

  /** Adds a manifest. */
  add({ stored, manifest }: ScannedManifest): void {
    const { digest, mediaType, modifiedAtMs, bytes } = stored;
    const subject = manifest.subject?.digest;
    this.#nodes.set(digest, {
      mediaType,
      pushedAtMs: knownTime(modifiedAtMs),
      size: bytes.byteLength + sumOnce(manifest.blobs),
      children: manifest.children.map(({ digest, size }) => ({ digest, size })),
      subject,
    });
    if (subject) this.attach(subject, digest);
  }

  /** Says that `digest` is about `subject`, and stays as long as that does. */
  attach(subject: Digest, digest: Digest): void {
    const belongings = this.#belongings.get(subject);
    if (belongings) belongings.push(digest);
    else this.#belongings.set(subject, [digest]);
  }

  get(digest: Digest): Pick<Node, "mediaType" | "pushedAtMs"> | undefined {
    return this.#nodes.get(digest);
  }

  digests(): Digest[] {
    return [...this.#nodes.keys()];
  }

  /** Those of `roots` that are there, and all that they hold, and what that holds. */
  reach(roots: Iterable<Digest>): Set<Digest> {
    const reached = new Set<Digest>();
    const open = [...roots];
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      const node = this.#nodes.get(digest);
      if (!node || reached.has(digest)) continue;
      reached.add(digest);
      open.push(...this.#heldBy(digest, node));
    }
    return reached;
  }

  /** Bytes of a manifest, of what it lists and of their blobs; what is listed twice counts once. */
  size(digest: Digest): number {
    const counted = new Set<Digest>();
    const open: Sized[] = [{ digest, size: 0 }];
    let sum = 0;
    for (let item = open.pop(); item !== undefined; item = open.pop()) {
      if (counted.has(item.digest)) continue;
      counted.add(item.digest);
      const node = this.#nodes.get(item.digest);
      sum += node?.size ?? item.size;
      open.push(...node?.children ?? []);
    }
    return sum;
  }

  /** Splits `digests` into groups that hold nothing of one another. */
  groups(digests: ReadonlySet<Digest>): Digest[][] {
    const neighbours = new Map<Digest, Digest[]>([...digests].map((digest) => [digest, []]));
    for (const digest of digests) {
      for (const held of this.#heldBy(digest, this.#nodes.get(digest))) {
        neighbours.get(held)?.push(digest);
        if (neighbours.has(held)) neighbours.get(digest)!.push(held);
      }
    }
    const seen = new Set<Digest>();
    return [...digests].flatMap((digest) => seen.has(digest) ? [] : [gather(digest, neighbours, seen)]);
  }

  /** Splits `digests` so that an index comes before what it lists, and none in a part lists another. */
  parentsFirst(digests: readonly Digest[]): Digest[][] {
    const childrenOf = (digest: Digest) => this.#nodes.get(digest)?.children ?? [];
    const parents = new Map(digests.map((digest) => [digest, 0]));
    const listed = digests.flatMap((digest) => childrenOf(digest).map((child) => child.digest));
    for (const child of listed) if (parents.has(child)) parents.set(child, parents.get(child)! + 1);
    const parts = [digests.filter((digest) => parents.get(digest) === 0)];
    for (const part of parts) {
      const next: Digest[] = [];
      for (const { digest } of part.flatMap(childrenOf)) {
        const left = (parents.get(digest) ?? 0) - 1;
        parents.set(digest, left);
        if (left === 0) next.push(digest);
      }
      if (next.length > 0) parts.push(next);
    }
    return parts;
  }

  #heldBy(digest: Digest, node: Node | undefined): Digest[] {
    return [
      ...node?.children.map((child) => child.digest) ?? [],
      ...node?.subject ? [node.subject] : [],
      ...this.#belongings.get(digest) ?? [],
    ];
  }
}

function gather(
  first: Digest,
  neighbours: ReadonlyMap<Digest, readonly Digest[]>,
  seen: Set<Digest>,
): Digest[] {
  seen.add(first);
  const group = [first];
  for (const digest of group) {
    for (const neighbour of neighbours.get(digest)!) {
      if (seen.has(neighbour)) continue;
      seen.add(neighbour);
      group.push(neighbour);
    }
  }
  return group;
}

/** A store that knows no time says 0: that is no time at which anything was pushed. */
export function knownTime(ms: number): number | undefined {
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

function sumOnce(items: readonly Sized[]): number {
  const sizes = new Map(items.map(({ digest, size }) => [digest, size]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
