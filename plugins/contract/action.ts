/**
 * What requests may want to do: one word a kind of request. The core names it in the rows of its route table, policies decide about it.
 *
 * @module
 */

/** Every action; those of the administration begin with `admin.`. */
export const ACTIONS = [
  "get-api-version",
  "get-token",
  "start-upload",
  "update-upload",
  "complete-upload",
  "get-upload",
  "cancel-upload",
  "get-blob",
  "delete-blob",
  "put-manifest",
  "get-manifest",
  "delete-manifest",
  "get-referrers",
  "list-catalog",
  "list-tags",
  "own-tokens",
  "admin.explain-policy",
  "admin.list-tokens",
  "admin.create-token",
  "admin.rotate-token",
  "admin.revoke-token",
] as const;

/** One of the actions. */
export type Action = (typeof ACTIONS)[number];
