import { PluginError } from "../../plugins/contract/error.ts";
import type { OpenedObject, Storage, UrlRequest } from "../../plugins/contract/storage.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Span } from "../oci/range.ts";
import type { Asides } from "./asides.ts";
import { unlessConflict } from "./conditions.ts";
import type { Due } from "./due.ts";
import { blobKey } from "./keys.ts";
import type { Links } from "./links.ts";

const HOLDERS_ASKED_MAX = 100;

/** The blobs of repositories: bytes that are kept once, and links by which a repository has them. */
export class Blobs {
  readonly #storage: Storage;
  readonly #links: Links;
  readonly #due: Due;
  readonly #asides: Asides;

  constructor(
    storage: Storage,
    { links, due, asides }: { readonly links: Links; readonly due: Due; readonly asides: Asides },
  ) {
    this.#storage = storage;
    this.#asides = asides;
    this.#links = links;
    this.#due = due;
  }

  /** The size in bytes of a blob that the repository has. What it has been told of stays for the grace time. */
  async stat(name: RepositoryName, digest: Digest): Promise<{ readonly size: number } | undefined> {
    const [linked, blob] = await Promise.all([
      this.#links.rely(name, digest),
      this.#storage.stat(blobKey(digest)),
    ]);
    if (!linked) return undefined;
    return blob ?? await this.#asides.bringBack(digest);
  }

  /** Whether the repository has the blob. */
  async has(name: RepositoryName, digest: Digest): Promise<boolean> {
    return await this.stat(name, digest) !== undefined;
  }

  /** Whether the repository has the blob now, which does not keep it: for whoever only looks. */
  async isThere(name: RepositoryName, digest: Digest): Promise<boolean> {
    const [link, blob] = await Promise.all([
      this.#links.get(name, digest),
      this.#storage.stat(blobKey(digest)),
    ]);
    return link !== undefined && blob !== undefined;
  }

  /** The bytes, or a part of them, of a blob that `stat` has found. */
  async open(digest: Digest, span?: Span): Promise<OpenedObject | undefined> {
    for (;;) {
      const opened = await this.#storage.open(blobKey(digest), span);
      if (opened || !await this.#asides.bringBack(digest)) return opened;
    }
  }

  /** Where this client may read a blob that `stat` has found by itself; `undefined`: it is served from here. */
  async url(digest: Digest, request: UrlRequest): Promise<string | undefined> {
    const answered = await this.#storage.url?.(blobKey(digest), request);
    if (answered === undefined) return undefined;
    const url = URL.parse(answered);
    // What it says instead may be half a signature: it stands in no message.
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new PluginError(
        "failed",
        `Cannot send a client to ${blobKey(digest)}: the store's URL is none of HTTP`,
      );
    }
    return url.href;
  }

  /** Announces that the repository is about to have the blob, so that it is found should nothing come to need it. */
  announce(name: RepositoryName, digest: Digest): Promise<void> {
    return this.#due.add(name, digest);
  }

  /**
   * Makes the upload's bytes, so many of which the digest has been computed of, a blob of the repository that was announced. The
   * link comes first: until the bytes are there it means nothing, and a crash leaves either the upload or the blob.
   * `undefined` where more has been added to the upload meanwhile.
   */
  async take(
    name: RepositoryName,
    digest: Digest,
    { key, size }: { readonly key: string; readonly size: number },
  ): Promise<boolean | undefined> {
    await this.#links.hold(name, digest);
    return await unlessConflict(this.#storage.move(key, blobKey(digest), { ifSize: size }));
  }

  /**
   * Gives the repository a blob of another one: of `from`, or of any that `mayRead` allows. Answers whether it has it
   * now (distribution-spec, "Mounting a blob from another repository").
   */
  async mount(name: RepositoryName, digest: Digest, source: {
    readonly from: RepositoryName | undefined;
    readonly mayRead: (name: RepositoryName) => Promise<boolean>;
  }): Promise<boolean> {
    const holders = source.from ? [source.from] : await this.#links.holders(digest, HOLDERS_ASKED_MAX);
    for (const holder of holders) {
      if (!await source.mayRead(holder) || !await this.has(holder, digest)) continue;
      await this.announce(name, digest);
      await this.#links.hold(name, digest);
      // The bytes were there before the link; only from now on does it keep them.
      return await this.has(name, digest);
    }
    return false;
  }

  /**
   * Takes the blob from the repository, unless `requireUnneeded` throws once it is condemned. Answers whether it had it.
   * The bytes stay until they are collected.
   */
  async delete(
    name: RepositoryName,
    digest: Digest,
    requireUnneeded: () => Promise<void>,
  ): Promise<boolean> {
    for (;;) {
      const condemned = await this.#links.condemn(name, digest);
      if (!condemned) return false;
      try {
        await requireUnneeded();
      } catch (error) {
        await this.#links.pardon(name, digest, condemned);
        throw error;
      }
      if (await this.#links.remove(name, digest, { condemned })) return true;
    }
  }
}
