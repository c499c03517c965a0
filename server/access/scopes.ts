import { isRepositoryName, type RepositoryName } from "../oci/name.ts";
import { SCOPE_ACTIONS, type ScopeVerb } from "./actions.ts";

/** What a token may be used for, of one resource: the `access` claim of distribution's tokens. */
export interface ScopeGrant {
  readonly type: "repository" | "registry";
  /** A repository's name; of type `registry` only `catalog` is known. */
  readonly name: string;
  /** `pull`, `push`, `delete`; of the catalog `*`. */
  readonly actions: readonly string[];
}

/** Scopes that one request may ask for. */
export const SCOPES_MAX = 50;

const SCOPE = /^(repository|registry)(?:\([a-z]+\))?:([^\s]+):([a-z*,]*)$/;

/**
 * What the texts of `scope` ask for (distribution, "Token Scope Documentation"): several in one text are parted by
 * spaces, which some clients write as plus signs. What is not understood grants nothing and is left out; the same resource twice is one.
 */
export function parseScopes(texts: readonly string[]): ScopeGrant[] {
  const grants = new Map<string, ScopeGrant>();
  for (const text of texts.flatMap((text) => text.split(/[\s+]+/)).slice(0, SCOPES_MAX)) {
    const grant = parseScope(text);
    if (!grant) continue;
    const key = `${grant.type}:${grant.name}`;
    const actions = new Set([...grants.get(key)?.actions ?? [], ...grant.actions]);
    grants.set(key, { ...grant, actions: [...actions] });
  }
  return [...grants.values()];
}

/** A scope as clients write it. */
export function formatScope({ type, name, actions }: ScopeGrant): string {
  return `${type}:${name}:${actions.join(",")}`;
}

/** The name of a repository that a grant is about. */
export function repositoryOf({ type, name }: ScopeGrant): RepositoryName | undefined {
  return type === "repository" && isRepositoryName(name) ? name : undefined;
}

function parseScope(text: string): ScopeGrant | undefined {
  const [, type, name, actions] = SCOPE.exec(text) ?? [];
  if (name === undefined || actions === undefined) return undefined;
  if (type === "registry") return name === "catalog" ? { type, name, actions: ["*"] } : undefined;
  if (!isRepositoryName(name)) return undefined;
  return { type: "repository", name, actions: scopeVerbs(actions.split(",")) };
}

function scopeVerbs(words: readonly string[]): ScopeVerb[] {
  const verbs = Object.keys(SCOPE_ACTIONS) as ScopeVerb[];
  return words.includes("*") ? verbs : verbs.filter((verb) => words.includes(verb));
}
