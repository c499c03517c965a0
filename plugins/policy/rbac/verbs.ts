/** The actions of the registry; a test holds them, and those of the administration, against the core's own. */
const ACTIONS = [
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
] as const;

const ADMIN = "admin.";

const ADMIN_ACTIONS = ["list-tokens", "create-token", "rotate-token", "revoke-token"].map((action) =>
  `${ADMIN}${action}`
);

type Action = (typeof ACTIONS)[number];

/** The words that stand for several actions. Clients ask for the API's version before they do anything. */
const WORDS: Readonly<Record<string, readonly Action[]>> = {
  pull: ["get-api-version", "get-blob", "get-manifest", "list-tags", "get-referrers", "list-catalog"],
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
export const VERBS: readonly string[] = [...Object.keys(WORDS), ...ACTIONS, `${ADMIN}*`, ...ADMIN_ACTIONS];

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
