import type { RepositoryName } from "../oci/name.ts";
import {
  createTimedUploadId,
  type HeldBytes,
  readUploadSession,
  type UploadId,
  uploadMark,
  type UploadSession,
  uploadUuid,
} from "../oci/upload.ts";
import type { Seals } from "./seals.ts";

/** What the URLs of uploads say, under seals: who began an upload into which repository, and what is held for it. */
export class UploadSessions {
  readonly #seals: Seals;

  constructor(seals: Seals) {
    this.#seals = seals;
  }

  /** A new upload of this owner's. */
  create(name: RepositoryName, owner: string): UploadSession {
    return { id: createTimedUploadId((uuid) => this.#seals.seal("upload", name, uuid, owner)) };
  }

  /** The upload, for which these bytes are held. */
  hold(name: RepositoryName, id: UploadId, { size, digest }: HeldBytes): UploadSession {
    const seal = this.#seals.seal(...textOf(name, id, { size, digest }));
    return { id, held: { size, digest, seal } };
  }

  /** Whether the upload was begun here, by this owner, and what it says to be held is. */
  isOwn(name: RepositoryName, session: UploadSession, owner: string): boolean {
    const { id } = session;
    return this.#seals.isSeal(uploadMark(id), "upload", name, uploadUuid(id), owner) &&
      this.#isTrue(name, session);
  }

  /** What somebody has written of the upload where others may write, if it is true. */
  read(name: RepositoryName, id: UploadId, text: string): UploadSession | undefined {
    const session = readUploadSession(text);
    return session?.id === id && this.#isTrue(name, session) ? session : undefined;
  }

  #isTrue(name: RepositoryName, { id, held }: UploadSession): boolean {
    return held === undefined || this.#seals.isSeal(held.seal, ...textOf(name, id, held));
  }
}

function textOf(name: RepositoryName, id: UploadId, { size, digest }: HeldBytes): string[] {
  return ["held", name, id, String(size), digest];
}
