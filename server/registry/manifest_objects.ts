import { unlessConflict } from "../../plugins/contract/error.ts";
import { Buffer } from "node:buffer";
import type { Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import { manifestKey } from "./keys.ts";

/** A manifest that the repository has. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly subject?: Digest;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The tags that the push which stored it was about to point to it; of others `_tagged` says so. */
  readonly tags: readonly Tag[];
  /** The push that stored it. */
  readonly push?: string;
  /** When it was pushed first, or the second time, or condemned or pardoned last, in milliseconds since the epoch. */
  readonly modifiedAtMs: number;
}

/** A manifest that is to be stored, in facts and bytes. */
export type NewManifest = Pick<StoredManifest, "digest" | "mediaType" | "subject" | "bytes" | "tags">;

/** A manifest as it is: what it is told from others by, the same pushed anew, or condemned later, among them. */
export interface FoundManifest {
  readonly manifest: StoredManifest;
  readonly etag: string;
}

interface Head {
  readonly mediaType: string;
  readonly subject?: Digest;
  readonly tags?: readonly Tag[];
  /** The push that made it: a text that no other has. */
  readonly push?: string;
  /** Whether another push of the same manifest was accepted since: then that one does not take it back. */
  readonly accepted?: true;
  /** A text that no other manifest has, while somebody wants to remove this one. */
  readonly condemned?: string;
}

interface Read {
  readonly head: Head;
  readonly etag: string;
  readonly manifest: StoredManifest;
}

const NEWLINE = 0x0a;

/**
 * The objects of manifests: a line of JSON that says as what it was pushed, then its bytes. So a manifest is there wholly
 * or not at all, and one read of the store answers for it. Like a link, one is condemned before it is removed without
 * its owner's order, and who relies on it takes that back.
 */
export class ManifestObjects {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  async get(name: RepositoryName, digest: Digest): Promise<StoredManifest | undefined> {
    return (await this.#read(name, digest))?.manifest;
  }

  /** The same, as it is now. */
  async find(name: RepositoryName, digest: Digest): Promise<FoundManifest | undefined> {
    return await this.#read(name, digest);
  }

  /**
   * Keeps a manifest for `push`. One that is there keeps the media type that it was pushed with first. Answers whether it
   * is new.
   */
  async put(name: RepositoryName, push: string, manifest: NewManifest): Promise<boolean> {
    const put = this.#storage.put(manifestKey(name, manifest.digest), encodeNew(push, manifest), {
      ifAbsent: true,
    });
    return await unlessConflict(put) !== undefined;
  }

  /** Whether the manifest is there, and not condemned any more: `pardoned` where it was. */
  async rely(name: RepositoryName, digest: Digest): Promise<"held" | "pardoned" | undefined> {
    for (;;) {
      const read = await this.#read(name, digest);
      if (!read) return undefined;
      if (read.head.condemned === undefined) return "held";
      if (await this.#replace(name, read, {})) return "pardoned";
    }
  }

  /**
   * The same for `push`, which is accepted where it is held: nobody else takes the manifest back then. One that another push has
   * stored, or that is about to be put in the place of what is damaged, is accepted once `requireWhole` does not throw: that other
   * push may find it lacking yet, or may have died. Answers the push that stored it; `undefined` where it is gone, or was condemned: what
   * it refers to may be gone.
   */
  async accept(
    name: RepositoryName,
    push: string,
    { requireWhole, ...manifest }: NewManifest & { readonly requireWhole: () => Promise<void> },
  ): Promise<string | undefined> {
    for (;;) {
      const read = await this.#read(name, manifest.digest);
      if (!read) return undefined;
      const isDamaged = Buffer.compare(read.manifest.bytes, manifest.bytes) !== 0;
      if (isDamaged || (read.head.push !== push && !read.head.accepted)) await requireWhole();
      if (isDamaged) {
        const tags = [...new Set([...read.manifest.tags, ...manifest.tags])];
        const whole = encodeNew(push, { ...manifest, tags });
        const key = manifestKey(name, manifest.digest);
        await unlessConflict(this.#storage.put(key, whole, { ifMatch: read.etag }));
        continue;
      }
      const { head } = read;
      const isCondemned = head.condemned !== undefined;
      const { push: owner = "" } = head;
      if (!isCondemned && (head.push === push || head.accepted)) return owner;
      if (await this.#replace(name, read, isCondemned ? {} : { accepted: true })) {
        return isCondemned ? undefined : owner;
      }
    }
  }

  /** Condemns the manifest, where there is one; with `push` only where nobody but that push has been told that there is. */
  async condemn(
    name: RepositoryName,
    digest: Digest,
    { push }: { readonly push?: string } = {},
  ): Promise<FoundManifest | undefined> {
    for (;;) {
      const read = await this.#read(name, digest);
      if (!read) return undefined;
      if (push !== undefined && (read.head.accepted || read.head.push !== push)) return undefined;
      const changed = await this.#replace(name, read, { condemned: crypto.randomUUID() });
      if (changed) return { manifest: read.manifest, etag: changed.etag };
    }
  }

  /** Takes it back that the manifest is condemned, where it still is as it was: another's doing is not undone. */
  async pardon(name: RepositoryName, { manifest, etag }: FoundManifest): Promise<void> {
    const read = await this.#read(name, manifest.digest);
    if (read?.etag === etag) await this.#replace(name, read, {});
  }

  #replace(
    name: RepositoryName,
    { head: { condemned: _, ...head }, etag, manifest }: Read,
    state: Pick<Head, "accepted" | "condemned">,
  ): Promise<{ readonly etag: string } | undefined> {
    const value = encode({ ...head, ...state }, manifest.bytes);
    return unlessConflict(this.#storage.put(manifestKey(name, manifest.digest), value, { ifMatch: etag }));
  }

  async #read(name: RepositoryName, digest: Digest): Promise<Read | undefined> {
    const value = await this.#storage.get(manifestKey(name, digest));
    if (!value) return undefined;
    const end = value.bytes.indexOf(NEWLINE);
    const head = JSON.parse(new TextDecoder().decode(value.bytes.subarray(0, end))) as Head;
    const { mediaType, subject, tags = [], push } = head;
    const manifest = {
      digest,
      mediaType,
      tags,
      ...(subject && { subject }),
      ...(push !== undefined && { push }),
      bytes: value.bytes.subarray(end + 1),
      modifiedAtMs: value.modifiedAtMs,
    };
    return { head, etag: value.etag, manifest };
  }
}

function encodeNew(push: string, { mediaType, subject, tags, bytes }: NewManifest): Uint8Array<ArrayBuffer> {
  return encode({ mediaType, ...(subject && { subject }), ...(tags.length > 0 && { tags }), push }, bytes);
}

function encode(head: Head, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const line = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
  const value = new Uint8Array(line.byteLength + bytes.byteLength);
  value.set(line);
  value.set(bytes, line.byteLength);
  return value;
}
