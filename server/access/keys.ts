/**
 * Every key that access keeps in the registry's store, drawn here and built nowhere else.
 *
 * ```text
 * access/signing/<key id>       a key that signs tokens, and since when; JSON
 * access/tokens/<token id>      a personal or robot token, without its secret; JSON
 * access/identities/<id>        an identity, with its password's hash; JSON
 * access/roles/<name>           a role; JSON
 * access/bindings/<id>          who has a role; JSON
 * access/changes                something else after each change of identities, roles and bindings
 * access/had/<what>             there has been one of them: what that closed is never open again
 * access/token_uses/<token id>  when the token was last used, and from where; JSON
 * ```
 *
 * @module
 */

/** All of them begin so. */
export const ACCESS_PREFIX = "access/";

export const SIGNING_PREFIX = "access/signing/";
export const TOKENS_PREFIX = "access/tokens/";

export const IDENTITIES_PREFIX = "access/identities/";
export const ROLES_PREFIX = "access/roles/";
export const BINDINGS_PREFIX = "access/bindings/";
export const CHANGES_KEY = "access/changes";

/** What, once there has been one, closes a registry that was open before. */
export type Closing = "identities" | "bindings";

/** An id is any text; in a key it has other characters. */
export function identityKey(id: string): string {
  return IDENTITIES_PREFIX + hexOf(id);
}

export function roleKey(name: string): string {
  return ROLES_PREFIX + hexOf(name);
}

export function bindingKey(id: string): string {
  return BINDINGS_PREFIX + id;
}

export function hadKey(what: Closing): string {
  return `access/had/${what}`;
}

export function signingKey(keyId: string): string {
  return SIGNING_PREFIX + keyId;
}

export function tokenKey(id: string): string {
  return TOKENS_PREFIX + id;
}

export function tokenUseKey(id: string): string {
  return `access/token_uses/${id}`;
}

function hexOf(text: string): string {
  return new TextEncoder().encode(text).toHex();
}
