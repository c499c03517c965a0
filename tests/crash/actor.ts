import { digestOf } from "../support/image_layout.ts";
import { LostAnswer } from "./connection.ts";
import type { ManifestModel, RepositoryModel } from "./model.ts";
import { Register, type Write } from "./register.ts";
import { beginUpload, sendBlob, type Sender, sendPiece, text } from "./uploads.ts";

const IMAGE = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const SHARED_TAG = "latest";
const LARGE_BYTES = 2 * 1024 * 1024;
const SMALL_BYTES = 24 * 1024;
const POOL_SIZE = 12;

/**
 * A client that pushes, deletes and reads at random, and notes in the model what it was told. Manifests, and all tags
 * but one, are each client's own; blobs, repositories and that one tag they share.
 */
export class Actor {
  readonly #sender: Sender;
  readonly #id: number;
  readonly #steps = [
    { weight: 8, run: (repository: RepositoryModel) => this.#pushImage(repository) },
    { weight: 2, run: (repository: RepositoryModel) => this.#pushIndex(repository) },
    { weight: 1, run: (repository: RepositoryModel) => this.#pushAgain(repository) },
    { weight: 2, run: (repository: RepositoryModel) => this.#leaveUpload(repository) },
    { weight: 2, run: (repository: RepositoryModel) => this.#deleteTag(repository) },
    { weight: 3, run: (repository: RepositoryModel) => this.#deleteManifest(repository) },
    { weight: 3, run: (repository: RepositoryModel) => this.#deleteBlob(repository) },
    { weight: 2, run: (repository: RepositoryModel) => this.#read(repository) },
  ].flatMap(({ weight, run }) => Array.from({ length: weight }, () => run));

  /** `id`: which of the clients. */
  constructor(sender: Sender, id: number) {
    this.#sender = sender;
    this.#id = id;
  }

  /** Takes step after step for as long as the server lives. */
  async run(): Promise<void> {
    const { random, model } = this.#sender;
    try {
      for (;;) await random.pick(this.#steps)!(random.pick(model.repositories)!);
    } catch (error) {
      if (!(error instanceof LostAnswer)) throw error;
    }
  }

  /** Now and then with a layer that it does not send: one that may have been deleted, or cut short by a crash. */
  async #pushImage(repository: RepositoryModel): Promise<void> {
    const { random } = this.#sender;
    const sent = [this.#newBlob(), ...Array.from({ length: random.below(4) }, () => this.#someBlob())];
    await whenAllAreOver(sent.map((digest) => sendBlob(this.#sender, repository, digest)));
    const doubtful = [...repository.blobs].filter(([, register]) => register.mayBe(false));
    const [unsent] = random.chance(0.2) ? random.pick(doubtful) ?? [] : [];
    const blobs = unsent === undefined ? sent : [...sent, unsent];
    const [config, ...layers] = blobs.map((digest) => this.#describe(digest));
    const own = repository.manifestsOf(this.#id);
    const subject = random.chance(0.3) ? random.pick(own) : undefined;
    await this.#pushManifest(repository, {
      mediaType: IMAGE,
      blobs,
      children: [],
      subject: subject?.digest,
      document: { config, layers, ...(subject && { subject: describeManifest(subject) }) },
    });
  }

  async #pushIndex(repository: RepositoryModel): Promise<void> {
    const children = repository.manifestsOf(this.#id).filter(({ mediaType }) => mediaType === IMAGE).slice(
      -2,
    );
    await this.#pushManifest(repository, {
      mediaType: INDEX,
      blobs: [],
      children: children.map(({ digest }) => digest),
      subject: undefined,
      document: { manifests: children.map(describeManifest) },
    });
  }

  async #pushAgain(repository: RepositoryModel): Promise<void> {
    const own = [...repository.manifests.values()].filter(({ owner }) => owner === this.#id);
    const manifest = this.#sender.random.pick(own);
    if (manifest) await this.#put(repository, manifest);
  }

  async #pushManifest(
    repository: RepositoryModel,
    { document, ...parts }: Pick<ManifestModel, "mediaType" | "blobs" | "children" | "subject"> & {
      readonly document: object;
    },
  ): Promise<void> {
    const annotations = { by: `${this.#id}-${this.#sender.random.below(2 ** 32)}` };
    const json = JSON.stringify({ schemaVersion: 2, mediaType: parts.mediaType, ...document, annotations });
    const bytes = new TextEncoder().encode(json);
    const manifest = {
      ...parts,
      bytes,
      digest: digestOf(bytes),
      owner: this.#id,
      present: new Register(false),
    };
    repository.manifests.set(manifest.digest, manifest);
    await this.#put(repository, manifest);
  }

  /** By a tag, or by digest with some tags or none. */
  async #put(
    repository: RepositoryModel,
    { digest, bytes, mediaType, present }: ManifestModel,
  ): Promise<void> {
    const { connection, model, random } = this.#sender;
    const own = Array.from({ length: random.below(3) }, () => `own-${this.#id}-${random.below(4)}`);
    const tags = [...new Set(random.chance(0.4) ? [...own, SHARED_TAG] : own)];
    const isByTag = tags.length === 1;
    const parameters = isByTag
      ? ""
      : tags.map((tag, index) => `${index === 0 ? "?" : "&"}tag=${tag}`).join("");
    const path = `/v2/${repository.name}/manifests/${isByTag ? tags[0] : digest}${parameters}`;
    const writes = [present.begin(true), ...tags.map((tag) => repository.tag(tag).begin(digest))];
    const answer = await connection.send("PUT", path, {
      headers: { "content-type": mediaType },
      body: bytes,
    });
    if (answer.status === 201) return acknowledge(writes);
    for (const write of writes) write.withdraw();
    // Another client may have deleted a blob in between.
    if (answer.status === 404 && text(answer).includes("MANIFEST_BLOB_UNKNOWN")) return;
    model.complain(`PUT of a manifest was answered with ${answer.status} ${text(answer)}`);
  }

  async #leaveUpload(repository: RepositoryModel): Promise<void> {
    const upload = await beginUpload(this.#sender, repository, this.#newBlob());
    if (!upload) return;
    await sendPiece(this.#sender, upload, this.#sender.random.below(upload.bytes.length + 1));
    if (this.#sender.random.chance(0.7)) return;
    const { connection, model } = this.#sender;
    model.uploads.delete(upload);
    model.namelessUploads++;
    const { status } = await connection.send("DELETE", upload.location);
    model.namelessUploads--;
    if (status !== 204) model.complain(`DELETE of an upload was answered with ${status}`);
  }

  async #deleteTag(repository: RepositoryModel): Promise<void> {
    const tag = this.#sender.random.pick([...repository.tags.keys()].filter((tag) => this.#isOwn(tag)));
    if (tag === undefined) return;
    const wasThere = !repository.tag(tag).mayBe(undefined);
    const writes = [repository.tag(tag).begin(undefined)];
    await this.#delete(`/v2/${repository.name}/manifests/${tag}`, { writes, wasThere, refusal: undefined });
  }

  /** Its tags go with it, all or none. The shared tag may be there, if another client moves it at the same time. */
  async #deleteManifest(repository: RepositoryModel): Promise<void> {
    const manifest = this.#sender.random.pick(repository.manifestsOf(this.#id));
    if (!manifest) return;
    const { digest, present } = manifest;
    const wasThere = !present.mayBe(false);
    repository.condemned.add(digest);
    const pointing = [...repository.tags].filter(([, register]) => register.mayBe(digest));
    const shared = pointing.filter(([tag]) => !this.#isOwn(tag)).map(([, register]) =>
      register.begin(undefined)
    );
    const own = pointing.filter(([tag]) => this.#isOwn(tag)).map(([, register]) => register.begin(undefined));
    const writes = [present.begin(false), ...own];
    const path = `/v2/${repository.name}/manifests/${digest}`;
    const tags = pointing.map(([tag]) => tag).filter((tag) => this.#isOwn(tag));
    const deletion = { repository, manifest, tags };
    this.#sender.model.deletions.add(deletion);
    await this.#delete(path, { writes, wasThere, refusal: undefined });
    this.#sender.model.deletions.delete(deletion);
    for (const write of shared) write.conclude();
  }

  async #deleteBlob(repository: RepositoryModel): Promise<void> {
    const digest = this.#sender.random.pick([...repository.blobs.keys()]);
    if (digest === undefined) return;
    const writes = [repository.blob(digest).begin(false)];
    const path = `/v2/${repository.name}/blobs/${digest}`;
    // A manifest refers to it.
    await this.#delete(path, { writes, wasThere: false, refusal: 405 });
  }

  async #delete(
    path: string,
    { writes, wasThere, refusal }: {
      readonly writes: readonly Write[];
      /** Whether a 404 would be wrong. */
      readonly wasThere: boolean;
      /** A status by which the registry may refuse. */
      readonly refusal: number | undefined;
    },
  ): Promise<void> {
    const { connection, model } = this.#sender;
    const answer = await connection.send("DELETE", path);
    if (answer.status === 202) return acknowledge(writes);
    for (const write of writes) write.withdraw();
    if (answer.status === refusal || (answer.status === 404 && !wasThere)) return;
    model.complain(`DELETE ${path} was answered with ${answer.status} ${text(answer)}`);
  }

  /** What is read while others write is whole, or not there. */
  async #read(repository: RepositoryModel): Promise<void> {
    const { connection, model, random } = this.#sender;
    const digest = random.pick([...repository.blobs.keys()]);
    if (digest === undefined) return;
    const answer = await connection.send("GET", `/v2/${repository.name}/blobs/${digest}`);
    if (answer.status === 404 && repository.blob(digest).mayBe(false)) return;
    if (answer.status === 200 && digestOf(answer.bytes) === digest) return;
    model.complain(`GET of ${digest} was answered with ${answer.status}, ${answer.bytes.length} bytes`);
  }

  #isOwn(tag: string): boolean {
    return tag.startsWith(`own-${this.#id}-`);
  }

  /** A blob that nobody has pushed yet; rarely a large one, sometimes an empty one. */
  #newBlob(): string {
    const { model, random } = this.#sender;
    const limit = random.chance(0.08) ? LARGE_BYTES : SMALL_BYTES;
    return model.addContent(random.bytes(random.chance(0.03) ? 0 : random.below(limit)));
  }

  /** A new blob, or one that other clients push as well. */
  #someBlob(): string {
    const { model, random } = this.#sender;
    if (random.chance(0.5)) return this.#newBlob();
    return model.addContent(new TextEncoder().encode(`shared ${random.below(POOL_SIZE)} `.repeat(500)));
  }

  #describe(digest: string): object {
    const { length } = this.#sender.model.contents.get(digest)!;
    return { mediaType: "application/octet-stream", digest, size: length };
  }
}

/** Fails as the first that failed, but not before the last is over. */
async function whenAllAreOver(tasks: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(tasks);
  await Promise.all(tasks);
}

function describeManifest({ mediaType, digest, bytes }: ManifestModel): object {
  return { mediaType, digest, size: bytes.length };
}

function acknowledge(writes: readonly Write[]): void {
  for (const write of writes) write.acknowledge();
}
