/**
 * The ways of sending a blob, each of which a crash may cut short, and the way to go on with one that was.
 *
 * @module
 */

import type { Answer, Connection, RequestParts } from "./connection.ts";
import type { Model, RepositoryModel, UploadModel } from "./model.ts";
import type { Random } from "./random.ts";

/** Who sends what to whom. */
export interface Sender {
  readonly connection: Connection;
  readonly model: Model;
  readonly random: Random;
}

const PIECE_BYTES = 64 * 1024;

/** Sends a blob in a way of its choice; answers when the registry has acknowledged it. */
export async function sendBlob(sender: Sender, repository: RepositoryModel, digest: string): Promise<void> {
  const { model, random } = sender;
  const other = random.pick(model.repositories.filter((other) => other.blobs.has(digest)));
  if (other && random.chance(0.5)) return await mountBlob(sender, { repository, other, digest });
  if (random.chance(0.25)) return await sendWhole(sender, repository, digest);
  const upload = await beginUpload(sender, repository, digest);
  if (!upload) return;
  const pieces = random.below(4);
  for (let piece = 0; piece < pieces; piece++) {
    const left = upload.bytes.length - upload.received;
    await sendPiece(sender, upload, piece + 1 < pieces ? random.below(left + 1) : left);
  }
  await finishUpload(sender, upload);
}

/** Begins an upload; answers nothing where the registry refused, which the model notes. */
export async function beginUpload(
  { connection, model }: Sender,
  repository: RepositoryModel,
  digest: string,
): Promise<UploadModel | undefined> {
  model.namelessUploads++;
  const answer = await connection.send("POST", `/v2/${repository.name}/blobs/uploads/`);
  model.namelessUploads--;
  const location = answer.headers.get("location");
  if (answer.status !== 202 || !location) {
    model.complain(`POST of an upload was answered with ${answer.status}`);
    return undefined;
  }
  const bytes = model.contents.get(digest)!;
  const upload = { repository, location, bytes, digest, received: 0, finishing: false };
  model.uploads.add(upload);
  return upload;
}

/** Sends the next `length` bytes of an upload as a chunk. */
export async function sendPiece(sender: Sender, upload: UploadModel, length: number): Promise<void> {
  if (length === 0) return;
  const { connection, model, random } = sender;
  const start = upload.received;
  const part = upload.bytes.subarray(start, start + length);
  const isStreamed = start === 0 && random.chance(0.5);
  const chunk: RequestParts = isStreamed
    ? { body: stream(part) }
    : { body: part, headers: { "content-range": `${start}-${start + length - 1}` } };
  const answer = await connection.send("PATCH", upload.location, chunk);
  if (answer.status === 202) upload.received += length;
  else model.complain(`PATCH at ${start} was answered with ${answer.status} ${text(answer)}`);
}

/** Sends what is left of an upload and ends it. */
export async function finishUpload(sender: Sender, upload: UploadModel): Promise<void> {
  const { connection, model, random } = sender;
  const { repository, location, digest, bytes, received } = upload;
  const write = repository.blob(digest).begin(true);
  upload.finishing = true;
  const rest = bytes.subarray(received);
  const body = random.chance(0.5) ? rest : stream(rest);
  const answer = await connection.send("PUT", withQuery(location, { digest }), { body });
  model.uploads.delete(upload);
  if (answer.status === 201) write.acknowledge();
  else {
    write.conclude();
    model.complain(`PUT of an upload was answered with ${answer.status} ${text(answer)}`);
  }
}

/**
 * Goes on with an upload that a crash has cut short, from where the registry says that it ends. Answers `lost` where
 * the upload is gone and has not become a blob, though nobody has cancelled it.
 */
export async function resumeUpload(sender: Sender, upload: UploadModel): Promise<"done" | "lost"> {
  const { connection, model, random } = sender;
  const status = await connection.send("GET", upload.location);
  if (status.status === 404 && upload.finishing) {
    model.uploads.delete(upload);
    return upload.repository.blob(upload.digest).mayBe(true) ? "done" : "lost";
  }
  const last = Number(status.headers.get("range")?.match(/^0-(\d+)$/)?.[1]);
  // Nothing and one byte look alike.
  const size = last === 0 ? Math.min(upload.received, 1) : last + 1;
  if (status.status !== 204 || !(size >= upload.received && size <= upload.bytes.length)) {
    model.complain(`${upload.location} has ${status.status}, ${size} bytes, not ${upload.received} or more`);
  }
  upload.received = size;
  await sendPiece(sender, upload, random.below(upload.bytes.length - size + 1));
  await finishUpload(sender, upload);
  return "done";
}

/** Sends a blob in a single request. */
async function sendWhole(
  { connection, model }: Sender,
  repository: RepositoryModel,
  digest: string,
): Promise<void> {
  const write = repository.blob(digest).begin(true);
  model.namelessUploads++;
  const path = withQuery(`/v2/${repository.name}/blobs/uploads/`, { digest });
  const answer = await connection.send("POST", path, { body: stream(model.contents.get(digest)!) });
  model.namelessUploads--;
  if (answer.status === 201) write.acknowledge();
  else {
    write.conclude();
    model.complain(`POST of a blob was answered with ${answer.status} ${text(answer)}`);
  }
}

/** Asks for a blob of another repository, and sends it where that does not have it. */
async function mountBlob(
  sender: Sender,
  { repository, other, digest }: {
    readonly repository: RepositoryModel;
    readonly other: RepositoryModel;
    readonly digest: string;
  },
): Promise<void> {
  const { connection, model } = sender;
  const write = repository.blob(digest).begin(true);
  model.namelessUploads++;
  const path = withQuery(`/v2/${repository.name}/blobs/uploads/`, { mount: digest, from: other.name });
  const answer = await connection.send("POST", path);
  model.namelessUploads--;
  if (answer.status === 201) return write.acknowledge();
  write.withdraw();
  const location = answer.headers.get("location");
  if (answer.status !== 202 || !location) {
    return model.complain(`POST of a mount was answered with ${answer.status} ${text(answer)}`);
  }
  const bytes = model.contents.get(digest)!;
  const upload = { repository, location, bytes, digest, received: 0, finishing: false };
  model.uploads.add(upload);
  await finishUpload(sender, upload);
}

/** A path with further parameters. */
export function withQuery(path: string, parameters: Readonly<Record<string, string>>): string {
  return `${path}${path.includes("?") ? "&" : "?"}${new URLSearchParams(parameters)}`;
}

/** What an answer says. */
export function text({ bytes }: Answer): string {
  return new TextDecoder().decode(bytes);
}

/** A body without a length, in pieces. */
function stream(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (offset >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(offset, offset + PIECE_BYTES));
      offset += PIECE_BYTES;
    },
  }, { highWaterMark: 0 });
}
