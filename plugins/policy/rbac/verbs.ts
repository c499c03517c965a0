import { type Action, ACTIONS as ALL } from "@sreg/contract/action.ts";

const ADMIN = "admin.";
const ACTIONS = ALL.filter((action) => !action.startsWith(ADMIN));

/** The words that stand for several actions. Clients ask for the API's version before they do anything. */
const WORDS: Readonly<Record<string, readonly Action[]>> = {
  pull: [
    "get-api-version",
    "get-blob",
    "get-manifest",
    "list-tags",
    "get-referrers",
    "list-catalog",
    "own-tokens",
    "own-identity",
  ],
  push: [
    "get-api-version",
    "start-upload",
    "update-upload",
    "complete-upload",
    "get-upload",
    "cancel-upload",
    "put-manifest",
  ],
  delete: ["get-api-version", "delete-blob", "delete-manifest"],
  "*": ACTIONS,
};

/** All that may be written as a verb: words, and actions by their names. */
export const VERBS: readonly string[] = [...Object.keys(WORDS), ...ALL, `${ADMIN}*`];

/** Whether any of the verbs stands for an action. */
export type CoversAction = (action: string) => boolean;

/** Compiles verbs; one that is none stands for nothing. */
export function compileVerbs(verbs: readonly string[]): CoversAction {
  const words = verbs.flatMap((verb): readonly string[] =>
    Object.hasOwn(WORDS, verb) ? WORDS[verb]! : [verb]
  );
  const actions = new Set(words);
  const isAdmin = actions.delete(`${ADMIN}*`);
  return (action) => actions.has(action) || (isAdmin && action.startsWith(ADMIN));
}
