import { type Digest, parseDigest, parseDigestAlgorithm } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { parseRepositoryName, type RepositoryName } from "../oci/name.ts";
import {
  formatUploadRange,
  formatUploadSession,
  parseContentRange,
  type UploadSession,
} from "../oci/upload.ts";
import { exactBytes } from "../registry/bytes.ts";
import type { Registry } from "../registry/registry.ts";
import type { Chunk } from "../registry/uploads.ts";
import { emptyAnswer, onlyValue } from "./answer.ts";
import type { Call } from "./endpoint.ts";

type UploadCall = Call<"name" | "upload">;

/**
 * `POST /v2/<name>/blobs/uploads/`: begins an upload (202); or, with `?mount=` and perhaps `?from=`, takes over a blob
 * that another repository has, and with `?digest=` and a body, stores a whole blob (201). What cannot be mounted is
 * uploaded (distribution-spec, "Pushing blobs", "Mounting a blob from another repository").
 */
export async function start(registry: Registry, call: Call<"name">): Promise<Response> {
  const { name } = call.words;
  const mount = readDigest(call.query, "mount");
  const from = onlyValue(call.query, "from", () => parseError("from"));
  const digest = readDigest(call.query, "digest");
  const algorithm = onlyValue(call.query, "digest-algorithm", () => parseError("digest-algorithm"));
  const source = {
    from: from === undefined ? undefined : parseRepositoryName(from),
    mayRead: (other: RepositoryName) => call.caller.may({ action: "get-blob", name: other, digest: mount! }),
  };
  const session = {
    algorithm: algorithm === undefined ? undefined : parseDigestAlgorithm(algorithm),
    owner: call.caller.owner,
  };
  if (mount && await registry.blobs.mount(name, mount, source)) return created(name, mount);
  const upload = await registry.uploads.create(name, session);
  if (!digest || !call.body) return progress(202, { name, session: upload, size: 0 });
  try {
    return await end(registry, { ...call, words: { name, upload } }, digest);
  } catch (error) {
    // Where it is gone already, so much the better.
    await registry.uploads.abandon(name, upload).catch(() => {});
    throw error;
  }
}

/** `GET /v2/<name>/blobs/uploads/<upload>`: how much has arrived. */
export async function status({ uploads }: Registry, { words }: UploadCall): Promise<Response> {
  const size = await uploads.size(words.name, words.upload);
  return progress(204, { name: words.name, session: words.upload, size });
}

/** `PATCH /v2/<name>/blobs/uploads/<upload>`: a chunk, or with no `Content-Range` whatever there is. */
export async function append({ uploads }: Registry, call: UploadCall): Promise<Response> {
  const { name, upload } = call.words;
  const chunk = readChunk(call);
  const answer = chunk
    ? await uploads.append(name, upload, chunk)
    : { accepted: true, size: await uploads.size(name, upload), session: upload };
  if (!answer.accepted) throw outOfOrder({ name, ...answer });
  return progress(202, { name, ...answer });
}

/** `PUT /v2/<name>/blobs/uploads/<upload>?digest=`: the end of the upload, perhaps with its last chunk. */
export async function finish(registry: Registry, call: UploadCall): Promise<Response> {
  const digest = readDigest(call.query, "digest");
  if (!digest) throw new OciError("DIGEST_INVALID", "Cannot finish the upload: ?digest= is missing");
  return await end(registry, call, digest);
}

/** `DELETE /v2/<name>/blobs/uploads/<upload>`. */
export async function cancel({ uploads }: Registry, { words }: UploadCall): Promise<Response> {
  await uploads.cancel(words.name, words.upload);
  return emptyAnswer(204, {});
}

async function end({ uploads }: Registry, call: UploadCall, digest: Digest): Promise<Response> {
  const { name, upload } = call.words;
  const answer = await uploads.finish(name, upload, { digest, chunk: readChunk(call) });
  if (!answer.accepted) throw outOfOrder({ name, ...answer });
  return created(name, digest);
}

/** The body as a chunk. What `Content-Range` and `Content-Length` say of it must agree. */
function readChunk({ headers, body }: UploadCall): Chunk | undefined {
  const contentRange = headers.get("Content-Range");
  if (contentRange === null) return body && { body, length: readLength(headers) };
  const { first, last } = parseContentRange(contentRange);
  const length = last - first + 1;
  const declared = headers.get("Content-Length");
  if (!body || (declared !== null && Number(declared) !== length)) {
    throw new OciError("SIZE_INVALID", `Cannot take the chunk: Content-Range says ${length} bytes`, {
      status: 400,
    });
  }
  return { body: exactBytes(body, length, wrongLength), offset: first, length };
}

/** Over HTTP/2 the header may stand there twice: that says nothing. */
function readLength(headers: Headers): number | undefined {
  const length = headers.get("Content-Length") ?? "";
  return /^[0-9]{1,15}$/.test(length) ? Number(length) : undefined;
}

function wrongLength(): OciError {
  return new OciError("SIZE_INVALID", "Cannot take the chunk: it is not as long as its Content-Range", {
    status: 400,
  });
}

function readDigest(query: URLSearchParams, parameter: string): Digest | undefined {
  const text = onlyValue(query, parameter, () => parseError(parameter));
  return text === undefined ? undefined : parseDigest(text);
}

function parseError(parameter: string): OciError {
  return new OciError("DIGEST_INVALID", `Cannot read the request: ?${parameter}= is given twice`);
}

interface Progress {
  readonly name: RepositoryName;
  readonly session: UploadSession;
  readonly size: number;
}

function progressHeaders({ name, session, size }: Progress): Record<string, string> {
  return {
    "Location": `/v2/${name}/blobs/uploads/${formatUploadSession(session)}`,
    "Range": formatUploadRange(size),
    "Docker-Upload-UUID": session.id,
  };
}

function progress(status: number, upload: Progress): Response {
  return emptyAnswer(status, progressHeaders(upload));
}

function outOfOrder(upload: Progress): OciError {
  return new OciError(
    "BLOB_UPLOAD_INVALID",
    "Cannot take the chunk: it does not begin where the upload ends",
    {
      status: 416,
      headers: progressHeaders(upload),
    },
  );
}

function created(name: RepositoryName, digest: Digest): Response {
  return emptyAnswer(201, { "Location": `/v2/${name}/blobs/${digest}`, "Docker-Content-Digest": digest });
}
