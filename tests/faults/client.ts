/** A client that pushes and pulls, comes again after what may pass, and notes what it met and what it was told. */

import { audit } from "../crash/audit.ts";
import { type Answer, Connection, LostAnswer, type RequestParts } from "../crash/connection.ts";
import { type ManifestModel, Model, type RepositoryModel } from "../crash/model.ts";
import { Register } from "../crash/register.ts";
import { withQuery } from "../crash/uploads.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { digestOf, OCI_MANIFEST, randomContent } from "../support/client.ts";

/** What came in the place of a success. */
export interface Trouble {
  readonly request: string;
  /** `broken`: the connection ended within the answer, or before it. */
  readonly status: number | "broken";
  readonly retryAfter: string | null;
  readonly tookMs: number;
}

/** An image that was pushed. */
export interface Image {
  readonly tag: string;
  readonly digest: string;
  /** Digests: a small config, and a layer of two parts. */
  readonly blobs: readonly string[];
}

const REPOSITORY = "team/app";
const CONFIG_BYTES = 2_000;
/** More than one part of S3's, so that there is one part and a rest. */
const LAYER_BYTES = 5 * 1024 * 1024 + 50_000;
const PAUSE_MS = 100;
const PATIENCE_MS = 40_000;

/** One client of one registry. What it was told is held against what is there by `check`. */
export class Client implements Disposable {
  readonly model = new Model([REPOSITORY]);
  #connection: Connection;
  #troubles: Trouble[] = [];
  #tags = 0;

  /** `url`: the registry's base, without a slash at the end. */
  constructor(url: string) {
    this.#connection = new Connection(url);
  }

  /** From now on asks another server. */
  turnTo(url: string): void {
    this.#connection[Symbol.dispose]();
    this.#connection = new Connection(url);
  }

  /** What it met since this was asked last. */
  takeTroubles(): Trouble[] {
    const troubles = this.#troubles;
    this.#troubles = [];
    return troubles;
  }

  /** Pushes an image under a new tag, or another one, however often it must come again. */
  async push(layerBytes: number = LAYER_BYTES, tag = `v${++this.#tags}`): Promise<Image> {
    const blobs = [await this.pushBlob(CONFIG_BYTES), await this.pushBlob(layerBytes)];
    const manifest = this.#manifestOf(blobs, `${tag} ${blobs[0]}`);
    const { digest, present, bytes } = manifest;
    const writes = [present.begin(true), this.#repository.tag(tag).begin(digest)];
    const sent = { headers: { "content-type": OCI_MANIFEST }, body: bytes };
    await this.#insist("PUT", `/v2/${REPOSITORY}/manifests/${tag}`, { ...sent, success: [201] });
    for (const write of writes) write.acknowledge();
    return { tag, digest, blobs };
  }

  /** Pushes a blob in the chunks that it takes. Answers its digest. */
  async pushBlob(length: number): Promise<string> {
    const digest = this.model.addContent(randomContent(length).bytes);
    await this.pushAgain(digest);
    return digest;
  }

  /** Pushes a blob that has been here before. */
  async pushAgain(digest: string): Promise<void> {
    while (!await this.#upload(this.#bytes(digest), digest));
  }

  /** From now on nobody needs the blob, which no manifest names: it may be collected. */
  letGo(digest: string): void {
    this.#repository.blob(digest).begin(false).conclude();
  }

  /** Deletes a tag; answers the status at last: 404 where a deletion whose answer was lost was carried out. */
  async deleteTag(tag: string): Promise<number> {
    const write = this.#repository.tag(tag).begin(undefined);
    const path = `/v2/${REPOSITORY}/manifests/${tag}`;
    const { status } = await this.#insist("DELETE", path, { success: [202, 404] });
    write.acknowledge();
    return status;
  }

  /** Reads an image whole, as a client that has nothing of it. */
  async pull({ tag, digest, blobs }: Image): Promise<void> {
    const manifest = await this.#insist("GET", `/v2/${REPOSITORY}/manifests/${tag}`, { success: [200] });
    assertEquals(digestOf(manifest.bytes), digest);
    for (const blob of blobs) await this.pullBlob(blob);
  }

  /** Reads a blob whole. */
  async pullBlob(digest: string): Promise<void> {
    const answer = await this.#insist("GET", blobPath(digest), { success: [200] });
    assertEquals([answer.bytes.length, digestOf(answer.bytes)], [this.#bytes(digest).length, digest]);
  }

  /** Sends one request, once. What is no success is a trouble. */
  async ask(method: string, path: string, parts: RequestParts = {}): Promise<Answer | undefined> {
    const beganAt = performance.now();
    const note = (status: Trouble["status"], retryAfter: string | null = null) =>
      this.#troubles.push({
        request: `${method} ${path.split("?")[0]}`,
        status,
        retryAfter,
        tookMs: performance.now() - beganAt,
      });
    try {
      const answer = await this.#connection.send(method, path, parts);
      if (answer.status >= 500) note(answer.status, answer.headers.get("retry-after"));
      return answer;
    } catch (error) {
      if (!(error instanceof LostAnswer)) throw error;
      note("broken");
      return undefined;
    }
  }

  /** Asks once for a blob. */
  askForBlob(digest: string): Promise<Answer | undefined> {
    return this.ask("GET", blobPath(digest));
  }

  /** Holds all that there is against what was acknowledged. */
  async check(): Promise<void> {
    await audit(this.#connection, this.model);
    assertEquals(this.model.violations, []);
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  get #repository(): RepositoryModel {
    return this.model.repositories[0]!;
  }

  #bytes(digest: string): Uint8Array<ArrayBuffer> {
    return this.model.contents.get(digest)!;
  }

  /** Asks again until there is an answer that is no trouble. */
  async #insist(
    method: string,
    path: string,
    { success, ...parts }: RequestParts & { readonly success: readonly number[] },
  ): Promise<Answer> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const answer = await this.ask(method, path, parts);
      if (answer && answer.status < 500) {
        const text = new TextDecoder().decode(answer.bytes.subarray(0, 500));
        assert(
          success.includes(answer.status),
          `${method} ${path} was answered with ${answer.status} ${text}`,
        );
        return answer;
      }
      assert(performance.now() < deadline, `${method} ${path}: ${JSON.stringify(this.#troubles.at(-1))}`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** Sends a blob from where the registry says that it has it. Answers whether it is there; else it must be begun anew. */
  async #upload(bytes: Uint8Array<ArrayBuffer>, digest: string): Promise<boolean> {
    const begun = await this.#insist("POST", `/v2/${REPOSITORY}/blobs/uploads/`, { success: [202] });
    const location = begun.headers.get("location")!;
    const write = this.#repository.blob(digest).begin(true);
    for (let size: number | undefined = 0; size !== undefined; size = await this.#sizeOf(location)) {
      if (size < bytes.length) {
        const headers = { "content-range": `${size}-${bytes.length - 1}` };
        const sent = await this.ask("PATCH", location, { headers, body: bytes.subarray(size) });
        if (isPassing(sent, 202)) continue;
      }
      const ended = await this.ask("PUT", withQuery(location, { digest }));
      if (isPassing(ended, 201)) continue;
      write.acknowledge();
      return true;
    }
    const { status } = await this.#insist("HEAD", blobPath(digest), { success: [200, 404] });
    if (status === 200) write.acknowledge();
    else write.conclude();
    return status === 200;
  }

  /** How far an upload has come; `undefined`: there is none. */
  async #sizeOf(location: string): Promise<number | undefined> {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const { status, headers } = await this.#insist("GET", location, { success: [204, 404] });
    if (status === 404) return undefined;
    const [, last] = /^0-(\d+)$/.exec(headers.get("range") ?? "")!;
    // Nothing and one byte look alike, and nobody here sends one.
    return last === "0" ? 0 : Number(last) + 1;
  }

  #manifestOf(blobs: readonly string[], title: string): ManifestModel {
    const [config, ...layers] = blobs.map((digest) => ({
      mediaType: "application/octet-stream",
      digest,
      size: this.#bytes(digest).length,
    }));
    const document = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers, annotations: { title } };
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    const manifest = {
      digest: digestOf(bytes),
      bytes,
      mediaType: OCI_MANIFEST,
      blobs,
      children: [],
      subject: undefined,
      owner: 0,
      present: new Register(false),
    };
    this.#repository.manifests.set(manifest.digest, manifest);
    return manifest;
  }
}

/** Whether a request is to be made again; it fails where it would not help. */
function isPassing(answer: Answer | undefined, success: number): boolean {
  if (answer === undefined || answer.status >= 500) return true;
  // Another length than the client believes, or the upload has become a blob: it asks.
  if (answer.status === 416 || answer.status === 404) return true;
  assertEquals(answer.status, success, new TextDecoder().decode(answer.bytes));
  return false;
}

/** Where a blob of its repository is. */
export function blobPath(digest: string): string {
  return `/v2/${REPOSITORY}/blobs/${digest}`;
}
