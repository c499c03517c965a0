/**
 * What a registry must hold, kept in the test's process: every acknowledged write, and every one whose answer was lost.
 *
 * @module
 */

import { digestOf } from "../support/image_layout.ts";
import { Register } from "./register.ts";

/** A manifest that was pushed, or begun to be. */
export interface ManifestModel {
  readonly digest: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mediaType: string;
  /** Digests of config and layers. */
  readonly blobs: readonly string[];
  /** Digests of an index's manifests. */
  readonly children: readonly string[];
  readonly subject: string | undefined;
  /** The client that alone pushes and deletes it. */
  readonly owner: number;
  readonly present: Register<boolean>;
}

/** An upload that was begun and not ended. */
export interface UploadModel {
  readonly repository: RepositoryModel;
  /** Its path. */
  readonly location: string;
  /** All of the blob. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: string;
  /** So many bytes were acknowledged. */
  received: number;
  /** Whether its last request was sent, so that it may have become a blob. */
  finishing: boolean;
}

/** A manifest's deletion that was not answered. */
export interface DeletionModel {
  readonly repository: RepositoryModel;
  readonly manifest: ManifestModel;
  /** Tags that pointed to it and that nobody else moves. */
  readonly tags: readonly string[];
}

/** A repository. */
export class RepositoryModel {
  readonly name: string;
  /** By digest. */
  readonly blobs = new Map<string, Register<boolean>>();
  /** By digest. */
  readonly manifests = new Map<string, ManifestModel>();
  /** By tag: the digest that it points to. */
  readonly tags = new Map<string, Register<string | undefined>>();
  /** Manifests whose deletion was asked for, ever: an index that lists one may be without it. */
  readonly condemned = new Set<string>();

  constructor(name: string) {
    this.name = name;
  }

  /** Whether the blob is here. */
  blob(digest: string): Register<boolean> {
    return getOrSet(this.blobs, digest, () => new Register<boolean>(false));
  }

  /** What the tag points to. */
  tag(tag: string): Register<string | undefined> {
    return getOrSet(this.tags, tag, () => new Register<string | undefined>(undefined));
  }

  /** The manifests of a client that may be here. */
  manifestsOf(owner: number): ManifestModel[] {
    return [...this.manifests.values()].filter((manifest) =>
      manifest.owner === owner && manifest.present.mayBe(true)
    );
  }
}

/** A registry. */
export class Model {
  readonly repositories: readonly RepositoryModel[];
  /** The bytes of all blobs, by digest. */
  readonly contents = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly uploads = new Set<UploadModel>();
  readonly deletions = new Set<DeletionModel>();
  /** How many uploads may have been begun whose name no client was told. */
  namelessUploads = 0;
  /** What the registry did that it must not do. */
  readonly violations: string[] = [];

  constructor(names: readonly string[]) {
    this.repositories = names.map((name) => new RepositoryModel(name));
  }

  /** Keeps the bytes of a blob. */
  addContent(bytes: Uint8Array<ArrayBuffer>): string {
    const digest = digestOf(bytes);
    this.contents.set(digest, bytes);
    return digest;
  }

  /** Notes what the registry must not do. */
  complain(violation: string): void {
    this.violations.push(violation);
  }
}

function getOrSet<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  const found = map.get(key);
  if (found !== undefined) return found;
  const created = create();
  map.set(key, created);
  return created;
}
