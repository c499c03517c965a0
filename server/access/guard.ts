import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Reference } from "../oci/reference.ts";

/** What a request may want to do: one word a kind of request, named in the row of the route table. */
export type Action =
  | "get-api-version"
  | "start-upload"
  | "update-upload"
  | "complete-upload"
  | "get-upload"
  | "cancel-upload"
  | "get-blob"
  | "delete-blob"
  | "put-manifest"
  | "get-manifest"
  | "delete-manifest"
  | "get-referrers"
  | "list-catalog"
  | "list-tags";

/** A question of access. */
export interface AccessQuestion {
  readonly action: Action;
  /** The repository; `undefined` where the action is not about one. */
  readonly name?: RepositoryName;
  readonly digest?: Digest;
  readonly reference?: Reference;
}

/** The answer, and why. */
export interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
}

/** Decides who may do what. No endpoint runs, and no repository is read for another, without its answer. */
export type Guard = (question: AccessQuestion) => Promise<Decision>;

/** For a registry without identities and policies. */
export const allowEverything: Guard = () =>
  Promise.resolve({ allowed: true, reason: "no policy is configured" });
