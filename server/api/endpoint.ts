import type { Bytes } from "../../plugins/contract/storage.ts";
import type { Caller } from "../access/caller.ts";
import type { Access } from "../access/access.ts";
import type { AccessRequest } from "../access/request.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Reference, Tag } from "../oci/reference.ts";
import type { UploadSession } from "../oci/upload.ts";
import type { Registry } from "../registry/registry.ts";
import type { Doer } from "../registry/tags.ts";

/** The words that stand in angle brackets in the paths of the route table, and what each is parsed into. */
export interface Words {
  readonly name: RepositoryName;
  readonly digest: Digest;
  readonly reference: Reference;
  readonly upload: UploadSession;
  /** The id of a personal or robot token. */
  readonly token: string;
  readonly tag: Tag;
  /** The id of an identity: any text. */
  readonly id: string;
  /** The name of a role: any text. */
  readonly role: string;
  /** The id of a binding. */
  readonly binding: string;
  /** The id of a job. */
  readonly job: string;
  /** The name of a plugin: any text. */
  readonly plugin: string;
}

/** A word in a path. */
export type Word = keyof Words;

/** The words of a path, as a type: `/v2/<name>/blobs/<digest>` has `name` and `digest`. */
export type WordsOf<Path extends string> = Path extends `${string}<${infer W}>${infer Rest}`
  ? (W extends Word ? W : never) | WordsOf<Rest>
  : never;

/** A request that was matched and allowed. */
export interface Call<W extends Word = never> {
  readonly words: Pick<Words, W>;
  readonly method: string;
  readonly headers: Headers;
  readonly path: string;
  readonly query: URLSearchParams;
  /** The body, bounded in time; `undefined` where there is none. */
  readonly body: Bytes | undefined;
  /** Who sent it, and what else they may do. */
  readonly caller: Caller;
  /** What `caller` was made of; for endpoints that are told of other credentials in their body. */
  readonly access: Access;
  readonly request: AccessRequest;
}

/** Serves the requests of one row of the route table. */
export type Endpoint<W extends Word = never> = (registry: Registry, call: Call<W>) => Promise<Response>;

/** Whoever sent a request, as what they do to tags is remembered by. */
export function doerOf({ caller }: Call): Doer {
  return caller.owner === "" ? {} : { by: caller.owner };
}
