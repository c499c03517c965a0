import type { Bytes } from "../../plugins/contract/storage.ts";
import type { Digest, DigestAlgorithm } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Listed, Page } from "../oci/page.ts";
import type { UploadId, UploadSession } from "../oci/upload.ts";
import type { OpenUpload, UploadFilter } from "./upload_list.ts";

/** Over a store that is another machine what is no longer is read into memory whole, here or when it ends. */
export const SHORT_BYTES_MAX: number = 5 * 1024 * 1024;

/** Bytes for an upload. */
export interface Chunk {
  readonly body: Bytes;
  /** Where the client believes the upload to end; `undefined`: wherever it does. */
  readonly offset?: number | undefined;
  /** How many bytes the client has announced. */
  readonly length?: number | undefined;
}

/** How an upload ends. */
export interface UploadEnd {
  /** What the client says that its bytes are. */
  readonly digest: Digest;
  /** The last bytes. */
  readonly chunk?: Chunk | undefined;
}

/** What became of a chunk: taken, or refused because the upload is not as long as the client believes. */
export interface ChunkAnswer {
  readonly accepted: boolean;
  /** How many bytes have arrived. */
  readonly size: number;
  /** As what the upload goes on. */
  readonly session: UploadSession;
}

/** How an upload begins. */
export interface UploadStart {
  /** What its digest will be computed by, as far as is known. */
  readonly algorithm?: DigestAlgorithm | undefined;
  /** Who begins it: an identity's id; empty for the anonymous. */
  readonly owner?: string;
}

/** Uploads under way. */
export interface Uploads {
  /** Begins an upload into the repository; TOOMANYREQUESTS while it has as many as it may. */
  create(name: RepositoryName, start?: UploadStart): Promise<UploadSession>;

  /** BLOB_UPLOAD_UNKNOWN unless it was `owner` who began the upload, and what it says of itself was said here. */
  requireOwner(name: RepositoryName, session: UploadSession, owner: string): void;

  /** How many bytes have arrived; BLOB_UPLOAD_UNKNOWN where the repository has no such upload. */
  size(name: RepositoryName, session: UploadSession): Promise<number>;

  /** Adds a chunk. TOOMANYREQUESTS, as with `create`, where an upload is only kept from now on. */
  append(name: RepositoryName, session: UploadSession, chunk: Chunk): Promise<ChunkAnswer>;

  /**
   * Adds the last chunk, if any, and makes the upload a blob. DIGEST_INVALID, and the upload is gone, where its bytes do
   * not have this digest. Asked again after it succeeded, it answers the same.
   */
  finish(name: RepositoryName, session: UploadSession, end: UploadEnd): Promise<ChunkAnswer>;

  /** Ends an upload and forgets its bytes; BLOB_UPLOAD_UNKNOWN where there is none. */
  cancel(name: RepositoryName, session: UploadSession): Promise<void>;

  /** Forgets what is kept of an upload that no client was told of: nobody could go on with it. */
  abandon(name: RepositoryName, session: UploadSession): Promise<void>;

  /** Ends one of those that `list` answers. Answers whether there was one. */
  discard(name: RepositoryName, id: UploadId): Promise<boolean>;

  /** The uploads under way whose bytes are kept, by repository. Pages end by `<repository>/<upload>`. */
  list(page: Page, filter: UploadFilter): Promise<Listed<OpenUpload>>;

  /** Removes the uploads to which nothing was added for `idleMs`. Answers how many. */
  expire(idleMs: number): Promise<number>;
}

/** The answer to whoever names an upload that is not there. */
export function unknownUpload(): OciError {
  return new OciError("BLOB_UPLOAD_UNKNOWN", "Cannot find the upload: it has ended, expired, or never began");
}

/** The answer to whoever says that an upload has a digest that it has not. */
export function wrongDigest(digest: Digest, computed: Digest): OciError {
  return new OciError("DIGEST_INVALID", "Cannot finish the upload: its bytes have another digest", {
    detail: { digest, computed },
  });
}
