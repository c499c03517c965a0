import type { Model, RepositoryModel } from "../crash/model.ts";
import { type Moment, moment } from "../crash/register.ts";
import type { Digest } from "../../server/oci/digest.ts";
import type { RepositoryName } from "../../server/oci/name.ts";
import { blobKey, dueBytesKey, dueKey, linkKey, linksPrefix } from "../../server/registry/keys.ts";

/**
 * Looks in the store's folder for what nothing needs and no due list has: collection would never come to it, though
 * whoever brings it again would hide that. Whatever is seen in two looks, one after the other, was so all the time.
 */
export class LeakWatch {
  readonly #model: Model;
  readonly #folder: string;
  /** By what looked forgotten in the last look: since when. */
  #suspects = new Map<string, Moment>();

  constructor(model: Model, folder: string) {
    this.#model = model;
    this.#folder = folder;
  }

  /** Complains of what was forgotten. */
  look(): void {
    const suspects = new Map<string, Moment>();
    const note = (suspect: string, isForgotten: (since: Moment) => boolean) => {
      const since = this.#suspects.get(suspect) ?? moment();
      if (!isForgotten(since)) return;
      suspects.set(suspect, since);
      if (this.#suspects.has(suspect)) {
        this.#model.complain(`${suspect} is needed by nothing, and never looked at`);
      }
    };
    for (const repository of this.#model.repositories) {
      for (const digest of repository.blobs.keys()) {
        note(
          `the link of ${repository.name} to ${digest}`,
          (since) =>
            !mayBeNeeded(repository, digest, since) && this.#isForgottenLink(repository, digest as Digest),
        );
      }
    }
    for (const digest of this.#model.contents.keys()) {
      note(`the blob ${digest}`, () => this.#areForgottenBytes(digest as Digest));
    }
    this.#suspects = suspects;
  }

  #isForgottenLink({ name }: RepositoryModel, digest: Digest): boolean {
    const link = linkKey(name as RepositoryName, digest);
    return this.#isSteady(link, () => !this.#stat(dueKey(name as RepositoryName, digest)));
  }

  #areForgottenBytes(digest: Digest): boolean {
    const isUnlinked = () => !this.#stat(linksPrefix(digest));
    // Bytes that were stored before any link are found by the entry of the repository that was to have them.
    const isDue = () =>
      this.#stat(dueBytesKey(digest)) !== undefined ||
      this.#model.repositories.some(({ name }) => this.#stat(dueKey(name as RepositoryName, digest)));
    return this.#isSteady(
      blobKey(digest),
      () => isUnlinked() && !isDue() && isUnlinked() && !isDue(),
    );
  }

  /** Whether the object is there, the same before and after it `is` so. */
  #isSteady(key: string, is: () => boolean): boolean {
    const before = this.#stat(key);
    if (!before || !is()) return false;
    const after = this.#stat(key);
    return after?.ino === before.ino && after?.mtime?.getTime() === before.mtime?.getTime();
  }

  #stat(key: string): Deno.FileInfo | undefined {
    try {
      return Deno.statSync(`${this.#folder}/${key}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }
}

function mayBeNeeded(repository: RepositoryModel, digest: string, since: Moment): boolean {
  return [...repository.manifests.values()].some(({ blobs, present }) =>
    blobs.includes(digest) && present.mayBe(true, since)
  );
}
