import type { Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import { unlessConflict } from "./conditions.ts";
import { manifestKey } from "./keys.ts";

/** A manifest that the repository has. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly subject?: Digest;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** When it was pushed first, or condemned or pardoned last, in milliseconds since the epoch. */
  readonly modifiedAtMs: number;
}

/** A manifest that is to be stored, in facts and bytes. */
export type NewManifest = Pick<StoredManifest, "digest" | "mediaType" | "subject" | "bytes">;

/** A manifest that somebody wants to remove: what it is told from others by, the same condemned later among them. */
export interface CondemnedManifest {
  readonly manifest: StoredManifest;
  readonly etag: string;
}

interface Head {
  readonly mediaType: string;
  readonly subject?: Digest;
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

  /** Keeps a manifest. One that is there keeps the media type that it was pushed with first. Answers whether it is new. */
  async put(name: RepositoryName, manifest: NewManifest): Promise<boolean> {
    const { mediaType, subject } = manifest;
    const value = encode({ mediaType, ...(subject && { subject }) }, manifest.bytes);
    const put = this.#storage.put(manifestKey(name, manifest.digest), value, { ifAbsent: true });
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

  /** Condemns the manifest, where there is one. */
  async condemn(name: RepositoryName, digest: Digest): Promise<CondemnedManifest | undefined> {
    for (;;) {
      const read = await this.#read(name, digest);
      if (!read) return undefined;
      const changed = await this.#replace(name, read, { condemned: crypto.randomUUID() });
      if (changed) return { manifest: read.manifest, etag: changed.etag };
    }
  }

  /** Takes it back that the manifest is condemned, where it still is as it was: another's doing is not undone. */
  async pardon(name: RepositoryName, { manifest, etag }: CondemnedManifest): Promise<void> {
    const read = await this.#read(name, manifest.digest);
    if (read?.etag === etag) await this.#replace(name, read, {});
  }

  #replace(
    name: RepositoryName,
    { head: { mediaType, subject }, etag, manifest }: Read,
    state: Pick<Head, "condemned">,
  ): Promise<{ readonly etag: string } | undefined> {
    const value = encode({ mediaType, ...(subject && { subject }), ...state }, manifest.bytes);
    return unlessConflict(this.#storage.put(manifestKey(name, manifest.digest), value, { ifMatch: etag }));
  }

  async #read(name: RepositoryName, digest: Digest): Promise<Read | undefined> {
    const value = await this.#storage.get(manifestKey(name, digest));
    if (!value) return undefined;
    const end = value.bytes.indexOf(NEWLINE);
    const head = JSON.parse(new TextDecoder().decode(value.bytes.subarray(0, end))) as Head;
    const { mediaType, subject } = head;
    const manifest = {
      digest,
      mediaType,
      ...(subject && { subject }),
      bytes: value.bytes.subarray(end + 1),
      modifiedAtMs: value.modifiedAtMs,
    };
    return { head, etag: value.etag, manifest };
  }
}

function encode(head: Head, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const line = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
  const value = new Uint8Array(line.byteLength + bytes.byteLength);
  value.set(line);
  value.set(bytes, line.byteLength);
  return value;
}
