/** What the S3 API offers for objects, one function a request: what goes out, what came back, and what it means. */

import { PluginError, unlessConflict } from "../../contract/error.ts";
import type { Bytes, ByteSpan, LocatedUrl, ObjectFacts } from "../../contract/storage.ts";
import type { S3Answer, S3Request, Transport } from "./transport.ts";
import { keysOf, listOf, parseXml, textOf } from "./xml.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** What the bucket says of an object. */
export interface S3Facts extends ObjectFacts {
  readonly etag: string;
  /** Length of what has been appended, of an object that grows (`growing.ts`). */
  readonly grown: number | undefined;
  /** The write that made the object, where it was a conditional one, or a multipart upload that was given one. */
  readonly write: string | undefined;
}

/** An object that is being read. */
export interface S3Opened extends S3Facts {
  readonly body: Bytes;
}

/** How an object is put. */
export interface S3Put {
  readonly ifAbsent?: true | undefined;
  readonly ifMatch?: string | undefined;
  readonly withinMs?: number | undefined;
  /** What `S3Facts.grown` will be. */
  readonly grown?: number;
  /** What `S3Facts.note` will be. */
  readonly note?: string | undefined;
}

/** How an object is deleted. */
export interface S3Delete {
  readonly ifMatch?: string | undefined;
  readonly withinMs?: number | undefined;
}

const GROWN = "x-amz-meta-sreg-grown";
const NOTE = "x-amz-meta-sreg-note";
const WRITE = "x-amz-meta-sreg-write";
const LOCATED_MS = 60_000;
const KEYS_MAX = 1_000;

/** The objects of a bucket, by their full keys. */
export class Bucket {
  readonly #transport: Transport;
  readonly #name: string;

  /** `name`: the bucket's. */
  constructor(transport: Transport, { name }: { readonly name: string }) {
    this.#transport = transport;
    this.#name = name;
  }

  /** What is known of an object; `undefined` where there is none. */
  async head(key: string): Promise<S3Facts | undefined> {
    const answer = await this.#send({ method: "HEAD", key });
    await answer.body.cancel();
    if (answer.status === 404) return undefined;
    require(answer, "read the facts of", key);
    return this.#facts(answer, key);
  }

  /** An object's bytes, or a span of them that is not empty. */
  async open(key: string, span?: ByteSpan): Promise<S3Opened | undefined> {
    const headers = span && { range: `bytes=${span.offset}-${span.offset + span.length - 1}` };
    const answer = await this.#send({ method: "GET", key, ...(headers && { headers }) });
    if (answer.status === 404) {
      await answer.body.cancel();
      return undefined;
    }
    require(answer, "read", key);
    try {
      return { ...this.#facts(answer, key), body: answer.body };
    } catch (error) {
      await answer.body.cancel();
      throw error;
    }
  }

  /** Puts an object whole. Answers its etag; `undefined` where the condition does not hold. */
  async put(key: string, body: readonly Chunk[], put: S3Put = {}): Promise<string | undefined> {
    const { ifAbsent, ifMatch, withinMs, grown, note } = put;
    const isConditional = ifAbsent || ifMatch !== undefined;
    const write = isConditional ? crypto.randomUUID() : undefined;
    const sent = this.#send({
      method: "PUT",
      key,
      body,
      headers: {
        ...(ifAbsent && { "if-none-match": "*" }),
        ...(ifMatch !== undefined && { "if-match": ifMatch }),
        ...(write && { [WRITE]: write }),
        ...(grown !== undefined && { [GROWN]: `${grown}` }),
        ...(note !== undefined && { [NOTE]: note }),
      },
      ...(withinMs !== undefined && { withinMs }),
      // A store that refuses a write before it has read the body may lose its answer with the connection, each time.
      ...(isConditional && { isWorthwhile: async () => (await this.head(key))?.etag === ifMatch }),
    });
    const answer = await unlessConflict(sent);
    if (!answer) return await this.#findWrite(key, write!);
    await answer.body.cancel();
    if (answer.status === 412 || (answer.status === 404 && ifMatch !== undefined)) {
      return answer.isRepeated ? await this.#findWrite(key, write!) : undefined;
    }
    require(answer, "put", key);
    return etagOf(answer, key);
  }

  /** Deletes an object. Answers `false` where the condition does not hold; of what is not there the store may say either. */
  async delete(key: string, { ifMatch, withinMs }: S3Delete = {}): Promise<boolean> {
    const answer = await this.#send({
      method: "DELETE",
      key,
      ...(ifMatch !== undefined && { headers: { "if-match": ifMatch } }),
      ...(withinMs !== undefined && { withinMs }),
    });
    await answer.body.cancel();
    if (answer.status === 412) return false;
    if (answer.status === 404) return ifMatch === undefined || answer.isRepeated;
    require(answer, "delete", key);
    return true;
  }

  /** Has the store copy the bytes of an object of at most 5 GiB, and nothing that is kept with them. Answers whether there was one. */
  async copy(from: string, to: string): Promise<boolean> {
    const answer = await this.#send({
      method: "PUT",
      key: to,
      isWork: true,
      headers: { ...this.#sourceHeaders(from), "x-amz-metadata-directive": "REPLACE" },
    });
    if (answer.status === 404) {
      await answer.body.cancel();
      // A try whose answer was lost may have copied it before it went.
      return answer.isRepeated && await this.head(to) !== undefined;
    }
    await requireDone(answer, `copy ${from} to`, to);
    return true;
  }

  /** A page of the keys that begin with `prefix`, after `after`, in byte order; fewer than the limit, of at most 1,000, are the last. */
  async list(
    prefix: string,
    { after, limit }: { readonly after: string | undefined; readonly limit: number },
  ): Promise<{ readonly keys: readonly string[]; readonly more: boolean }> {
    const answer = await this.#send({
      method: "GET",
      query: {
        "list-type": "2",
        prefix,
        "max-keys": `${Math.min(limit, KEYS_MAX)}`,
        ...(after !== undefined && { "start-after": after }),
      },
    });
    require(answer, "list", prefix);
    const body = await answer.text();
    const isTruncated = /<IsTruncated>(true|false)<\/IsTruncated>/.exec(body)?.[1];
    if (isTruncated === undefined) {
      throw new PluginError("unavailable", `Cannot list ${prefix}: the store's answer is no list`);
    }
    const keys = keysOf(body);
    const more = isTruncated === "true";
    if (more && keys.length === 0) {
      throw new PluginError(
        "unavailable",
        `Cannot list ${prefix}: the store says that there are more keys, and names none`,
      );
    }
    return { keys, more };
  }

  /** A URL at which anybody can read the object for a while. */
  url(key: string, options: { readonly lifetimeMs: number; readonly mediaType: string }): Promise<string> {
    const { lifetimeMs, mediaType } = options;
    const query = { "response-content-type": mediaType };
    return this.#transport.url(key, { lifetimeMs, query, isPublic: true });
  }

  /** Where this server reads an object that does not grow. */
  locate(key: string): Promise<LocatedUrl> {
    const url = this.#transport.url(key, { lifetimeMs: LOCATED_MS, isPublic: false });
    return url.then((url) => ({ url, unless: GROWN }));
  }

  /** Begins a multipart upload; `write` is what `S3Facts.write` will be. Answers its id. */
  async createMultipart(key: string, write?: string): Promise<string> {
    const headers = write === undefined ? {} : { [WRITE]: write };
    const answer = await this.#send({ method: "POST", key, query: { uploads: "" }, headers });
    const id = textOf(await requireDone(answer, "begin a multipart upload of", key), "UploadId");
    if (!id) {
      throw new PluginError("unavailable", `Cannot begin a multipart upload of ${key}: it was given no id`);
    }
    return id;
  }

  /** Uploads a part. Answers its etag. */
  async putPart({ key, id, number }: PartPlace, body: readonly Chunk[]): Promise<string> {
    const query = { partNumber: `${number}`, uploadId: id };
    // A store that refuses a part before it has read it may lose its answer with the connection, each time.
    const isWorthwhile = () => this.#mayHaveUpload(key, id);
    const answer = await this.#send({ method: "PUT", key, query, body, isWorthwhile });
    await answer.body.cancel();
    requireUpload(answer, key);
    require(answer, `upload part ${number} of`, key);
    return etagOf(answer, key);
  }

  /** Whether the store does not say that the upload has ended: who may add to it need not have the right to ask. */
  async #mayHaveUpload(key: string, id: string): Promise<boolean> {
    const asked = this.#send({ method: "GET", key, query: { uploadId: id, "max-parts": "1" } });
    const answer = await asked.catch(unlessFailed);
    await answer?.body.cancel();
    return !answer || !isUnknownUpload(answer);
  }

  /** Has the store copy a span of another object as a part. Answers its etag. */
  async copyPart({ key, id, number }: PartPlace, from: string, span: ByteSpan): Promise<string> {
    const query = { partNumber: `${number}`, uploadId: id };
    const range = `bytes=${span.offset}-${span.offset + span.length - 1}`;
    const headers = { ...this.#sourceHeaders(from), "x-amz-copy-source-range": range };
    const answer = await this.#send({ method: "PUT", key, query, headers, isWork: true });
    requireUpload(answer, key);
    const etag = textOf(await requireDone(answer, `copy part ${number} of`, key), "ETag");
    if (!etag) throw new PluginError("unavailable", `Cannot copy part ${number} of ${key}: it has no etag`);
    return etag;
  }

  /** Makes the parts an object. Answers `false` where there is no upload of these parts: it was completed before, or aborted. */
  async completeMultipart(key: string, id: string, etags: readonly string[]): Promise<boolean> {
    const parts = etags.map((etag, index) =>
      `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag.replaceAll('"', "&quot;")}</ETag></Part>`
    );
    const body = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
    const answer = await this.#send({
      method: "POST",
      key,
      query: { uploadId: id },
      isWork: true,
      body: [new TextEncoder().encode(body)],
    });
    // Some stores say so of an upload that is no more.
    if (isUnknownUpload(answer) || answer.code === "InvalidPart") {
      await answer.body.cancel();
      return false;
    }
    await requireDone(answer, "complete the multipart upload of", key);
    return true;
  }

  /** Ends a multipart upload, if there is one, and forgets its parts. */
  async abortMultipart(key: string, id: string): Promise<void> {
    const answer = await this.#send({ method: "DELETE", key, query: { uploadId: id } });
    await answer.body.cancel();
    if (!isUnknownUpload(answer)) require(answer, "abort the multipart upload of", key);
  }

  /** Multipart uploads under way of keys that begin with `prefix`: some of them. */
  async listMultiparts(
    prefix: string,
  ): Promise<readonly { readonly key: string; readonly id: string; readonly ageMs: number }[]> {
    const answer = await this.#send({ method: "GET", query: { uploads: "", prefix } });
    require(answer, "list the multipart uploads of", prefix);
    const page = parseXml(await answer.text()) ?? {};
    return listOf(page, "Upload").map((upload) => ({
      key: textOf(upload, "Key") ?? "",
      id: textOf(upload, "UploadId") ?? "",
      ageMs: Date.now() - this.#localTime(textOf(upload, "Initiated")),
    }));
  }

  #send(request: S3Request): Promise<S3Answer> {
    return this.#transport.request(request);
  }

  #sourceHeaders(from: string): Record<string, string> {
    return { "x-amz-copy-source": `/${this.#name}/${from.split("/").map(encodeURIComponent).join("/")}` };
  }

  #facts({ headers }: S3Answer, key: string): S3Facts {
    const grown = headers.get(GROWN);
    const note = headers.get(NOTE);
    return {
      size: sizeOf(headers, key),
      modifiedAtMs: this.#localTime(headers.get("last-modified")),
      etag: headers.get("etag") ?? "",
      grown: grown === null ? undefined : Number(grown),
      ...(note !== null && { note }),
      write: headers.get(WRITE) ?? undefined,
    };
  }

  /** A time of the store's as our own clock would have told it. */
  #localTime(time: string | null | undefined): number {
    return Date.parse(time ?? "") - this.#transport.clockOffsetMs;
  }

  /** The etag of what a write whose answer was lost has put after all. */
  async #findWrite(key: string, write: string): Promise<string | undefined> {
    const facts = await this.head(key);
    return facts?.write === write ? facts.etag : undefined;
  }
}

/** `undefined` for what the store will not do; any other failure goes on. */
export function unlessFailed(error: unknown): undefined {
  if (!(error instanceof PluginError) || error.code !== "failed") throw error;
}

/** A part of a multipart upload. */
export interface PartPlace {
  readonly key: string;
  readonly id: string;
  /** From 1. */
  readonly number: number;
}

function etagOf({ headers }: S3Answer, key: string): string {
  const etag = headers.get("etag");
  if (!etag) throw new PluginError("unavailable", `Cannot put ${key}: the store's answer has no etag`);
  return etag;
}

/** The body of an answer that must be a success: some come with status 200 and an error in the body. */
async function requireDone(answer: S3Answer, action: string, key: string) {
  require(answer, action, key);
  const body = parseXml(await answer.text());
  const code = textOf(body, "Code");
  if (body && code === undefined) return body;
  throw new PluginError("unavailable", `Cannot ${action} ${key}: the store says ${code ?? "nothing"}`);
}

function require({ status, code }: S3Answer, action: string, key: string): void {
  if (status < 300) return;
  throw new PluginError(
    "failed",
    `Cannot ${action} ${key}: the store answers ${status} ${code ?? ""}`.trimEnd(),
  );
}

/** The size of the whole object, in bytes. Something before the store may leave it out: that is no empty object. */
function sizeOf(headers: Headers, key: string): number {
  const text = headers.get("content-range")?.split("/")[1] ?? headers.get("content-length") ?? "";
  if (/^\d+$/.test(text)) return Number(text);
  throw new PluginError("failed", `Cannot read ${key}: the store does not say how long it is`);
}

function isUnknownUpload({ status, code }: S3Answer): boolean {
  return status === 404 || code === "NoSuchUpload";
}

/** Who loses the upload under its hands has met somebody who ended it. */
function requireUpload(answer: S3Answer, key: string): void {
  if (isUnknownUpload(answer)) {
    throw new PluginError("conflict", `Cannot add to ${key}: its upload has ended`);
  }
}
