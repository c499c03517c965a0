import { OciError } from "./error.ts";

declare const nameBrand: unique symbol;

/** A repository's name (distribution-spec, "Pulling manifests", `<name>`). */
export type RepositoryName = string & { readonly [nameBrand]: true };

/** Longest name in characters: of the 255 that clients allow for host, slash and name, what the shortest host leaves. */
export const NAME_LENGTH_MAX = 253;

const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const NAME = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);

/** Whether `text` is a repository name. */
export function isRepositoryName(text: string): text is RepositoryName {
  return text.length <= NAME_LENGTH_MAX && NAME.test(text);
}

/** The repository name that `text` is, or NAME_INVALID. */
export function parseRepositoryName(text: string): RepositoryName {
  if (isRepositoryName(text)) return text;
  throw new OciError(
    "NAME_INVALID",
    `Cannot read the repository name: expected lower-case components of at most ${NAME_LENGTH_MAX} characters in all`,
  );
}
