import { OciError } from "./error.ts";

declare const uploadBrand: unique symbol;

/**
 * The identifier of an upload that is under way, the last part of its URL (distribution-spec, `<session>`): a UUID, and
 * where somebody began it a mark of who: only they can go on with it.
 */
export type UploadId = string & { readonly [uploadBrand]: true };

/** The bytes of a chunk in its upload: `first` to `last`, both inclusive. */
export interface ChunkRange {
  readonly first: number;
  readonly last: number;
}

const UPLOAD_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:-([0-9a-f]{32}))?$/;
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

/** The identifier that `text` is; what cannot be one is BLOB_UPLOAD_UNKNOWN. */
export function parseUploadId(text: string): UploadId {
  if (isUploadId(text)) return text;
  throw new OciError("BLOB_UPLOAD_UNKNOWN", "Cannot find the upload: it is no upload's identifier");
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
