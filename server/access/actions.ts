import { type Action, ACTIONS } from "../../plugins/contract/action.ts";

export { type Action, ACTIONS };

/** The actions of a token's scope, by the words that clients ask for (distribution, "Token Scope Documentation"). */
export const SCOPE_ACTIONS = {
  pull: ["get-blob", "get-manifest", "list-tags", "get-referrers"],
  push: ["start-upload", "update-upload", "complete-upload", "get-upload", "cancel-upload", "put-manifest"],
  delete: ["delete-blob", "delete-manifest"],
} as const satisfies Readonly<Record<string, readonly Action[]>>;

/** A word of a token's scope. */
export type ScopeVerb = keyof typeof SCOPE_ACTIONS;

/** The word that a token's scope needs for an action on a repository; `undefined` where no scope covers it. */
export function scopeVerbOf(action: Action): ScopeVerb | undefined {
  const verbs = Object.keys(SCOPE_ACTIONS) as ScopeVerb[];
  return verbs.find((verb) => (SCOPE_ACTIONS[verb] as readonly Action[]).includes(action));
}
