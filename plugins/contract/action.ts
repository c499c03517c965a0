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
  "own-identity",
  "admin.get-status",
  "admin.list-plugins",
  "admin.get-config",
  "admin.reload-config",
  "admin.search-audit",
  "admin.list-identities",
  "admin.create-identity",
  "admin.change-identity",
  "admin.delete-identity",
  "admin.list-roles",
  "admin.put-role",
  "admin.delete-role",
  "admin.list-bindings",
  "admin.put-binding",
  "admin.delete-binding",
  "admin.list-repositories",
  "admin.get-repository",
  "admin.delete-repository",
  "admin.get-tag",
  "admin.delete-tag",
  "admin.get-manifest",
  "admin.list-uploads",
  "admin.cancel-upload",
  "admin.get-usage",
  "admin.list-jobs",
  "admin.start-job",
  "admin.cancel-job",
  "admin.explain-policy",
  "admin.list-tokens",
  "admin.create-token",
  "admin.rotate-token",
  "admin.revoke-token",
] as const;

/** One of the actions. */
export type Action = (typeof ACTIONS)[number];
