import type { RepositoryName } from "../oci/name.ts";
import { type Action, type ScopeVerb, scopeVerbOf } from "./actions.ts";
import { parsePattern } from "../../plugins/contract/pattern.ts";
import type { TokenScope } from "./personal_tokens.ts";
import type { ScopeGrant } from "./scopes.ts";

/** What a credential may be used for; what policies say of it is another question. */
export interface Coverage {
  /** Whether it may be used for the action. */
  covers(action: Action, name: RepositoryName | undefined): boolean;
  /** Whether the repository may stand in lists that it may be used for. */
  shows(name: RepositoryName): boolean;
}

/** For credentials that stand for all of their identity. */
export const EVERYTHING: Coverage = { covers: () => true, shows: () => true };

/** What a token of the token service covers. Its holder may always ask whether there is a registry. */
export function coverageOfGrants(grants: readonly ScopeGrant[]): Coverage {
  const listsAll = grants.some(({ type }) => type === "registry");
  const holds = (name: RepositoryName, verb: ScopeVerb) =>
    grants.some((grant) =>
      grant.type === "repository" && grant.name === name && grant.actions.includes(verb)
    );
  return {
    covers: (action, name) =>
      isFree(action) || (action === "list-catalog" ? listsAll : holdsFor(action, name, holds)),
    shows: (name) => listsAll || holds(name, "pull"),
  };
}

/** What a personal token covers. The catalog is covered, and shows what the token may read. */
export function coverageOfScopes(scopes: readonly TokenScope[] | undefined): Coverage {
  if (!scopes) return EVERYTHING;
  const patterns = scopes.map(({ repositories, actions }) => ({
    pattern: parsePattern(repositories),
    actions,
  }));
  const holds = (name: RepositoryName, verb: ScopeVerb) =>
    patterns.some(({ pattern, actions }) => actions.includes(verb) && pattern.covers(name));
  return {
    covers: (action, name) => isFree(action) || action === "list-catalog" || holdsFor(action, name, holds),
    shows: (name) => holds(name, "pull"),
  };
}

function isFree(action: Action): boolean {
  return action === "get-api-version" || action === "get-token";
}

function holdsFor(
  action: Action,
  name: RepositoryName | undefined,
  holds: (name: RepositoryName, verb: ScopeVerb) => boolean,
): boolean {
  const verb = scopeVerbOf(action);
  return verb !== undefined && name !== undefined && holds(name, verb);
}
