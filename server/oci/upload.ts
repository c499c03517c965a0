import { type Digest, formatDigest } from "./digest.ts";
import { OciError } from "./error.ts";

declare const uploadBrand: unique symbol;

/**
 * The identifier of an upload that is under way, the last part of its URL (distribution-spec, `<session>`): a UUID, and
 * where somebody began it a mark of who: only they can go on with it.
 */
export type UploadId = string & { readonly [uploadBrand]: true };

/** All that has arrived for an upload: bytes that are kept by their digest, not by the upload. */
export interface HeldBytes {
  readonly size: number;
  readonly digest: Digest;
}

/** An upload as its URL names it, which may say what has become of it so far. */
export interface UploadSession {
  readonly id: UploadId;
  /** What has arrived, and a proof that it has. */
  readonly held?: HeldBytes & { readonly seal: string };
  /** Whether what has arrived is kept by the upload. */
  readonly isStored?: true;
}

/** The bytes of a chunk in its upload: `first` to `last`, both inclusive. */
export interface ChunkRange {
  readonly first: number;
  readonly last: number;
}

const UPLOAD_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:-([0-9a-f]{32}))?$/;
const HELD = /^(0|[1-9][0-9]{0,14})\.([0-9a-f]{64})\.([0-9a-f]{32})$/;
const STORED = "s";
const CONTENT_RANGE = /^([0-9]{1,15})-([0-9]{1,15})$/;

/** A new identifier. `mark`: 32 hex digits that say who begins the upload; empty for the anonymous. */
export function createUploadId(mark = ""): UploadId {
  return (mark === "" ? crypto.randomUUID() : `${crypto.randomUUID()}-${mark}`) as string as UploadId;
}

/** The mark of who began the upload; empty for the anonymous. */
export function uploadMark(id: UploadId): string {
  return UPLOAD_ID.exec(id)?.[1] ?? "";
}

/** Whether `text` is an upload's identifier. */
export function isUploadId(text: string): text is UploadId {
  return UPLOAD_ID.test(text);
}

/** An identifier that tells when it was made, for which the mark is computed from its UUID (RFC 9562, section 5.7). */
export function createTimedUploadId(markOf: (uuid: string) => string): UploadId {
  const time = Date.now().toString(16).padStart(12, "0");
  const uuid = `${time.slice(0, 8)}-${time.slice(8)}-7${crypto.randomUUID().slice(15)}`;
  return `${uuid}-${markOf(uuid)}` as UploadId;
}

/** The UUID of an upload. */
export function uploadUuid(id: UploadId): string {
  return id.slice(0, 36);
}

/** When an identifier was made that tells so, in milliseconds since the epoch. */
export function uploadTime(id: UploadId): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The upload that the last part of its URL names; what cannot be one is BLOB_UPLOAD_UNKNOWN. */
export function parseUploadSession(text: string): UploadSession {
  const session = readUploadSession(text);
  if (session) return session;
  throw new OciError("BLOB_UPLOAD_UNKNOWN", "Cannot find the upload: it is no upload's identifier");
}

/** The same; `undefined` for what cannot be one. */
export function readUploadSession(text: string): UploadSession | undefined {
  const [id = "", ...rest] = text.split(".");
  if (!isUploadId(id)) return undefined;
  const state = rest.join(".");
  if (rest.length === 0) return { id };
  if (state === STORED) return { id, isStored: true };
  const [, size, encoded, seal] = HELD.exec(state) ?? [];
  return seal === undefined
    ? undefined
    : { id, held: { size: Number(size), digest: formatDigest("sha256", encoded!), seal } };
}

/** The last part of an upload's URL. */
export function formatUploadSession({ id, held, isStored }: UploadSession): string {
  if (held) return `${id}.${held.size}.${held.digest.slice("sha256:".length)}.${held.seal}`;
  return isStored ? `${id}.${STORED}` : id;
}

/** A chunk's `Content-Range: <first>-<last>` (distribution-spec, "Pushing a blob in chunks"), or BLOB_UPLOAD_INVALID. */
export function parseContentRange(text: string): ChunkRange {
  const [, first, last] = CONTENT_RANGE.exec(text) ?? [];
  if (first === undefined || last === undefined || Number(last) < Number(first)) {
    throw new OciError("BLOB_UPLOAD_INVALID", "Cannot read Content-Range: expected <first>-<last>");
  }
  return { first: Number(first), last: Number(last) };
}

/** An upload's `Range` header: the bytes there are, inclusive. Nothing yet is `0-0`, as every registry answers. */
export function formatUploadRange(size: number): string {
  return `0-${Math.max(size - 1, 0)}`;
}
