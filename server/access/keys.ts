/**
 * Every key that access keeps in the registry's store, drawn here and built nowhere else.
 *
 * ```text
 * access/signing/<key id>       a key that signs tokens, and since when; JSON
 * access/tokens/<token id>      a personal or robot token, without its secret; JSON
 * access/identities/<id>        an identity, with its password's hash; JSON
 * access/changes                something else after each change of identities
 * access/token_uses/<token id>  when the token was last used, and from where; JSON
 * ```
 *
 * @module
 */

export const SIGNING_PREFIX = "access/signing/";
export const TOKENS_PREFIX = "access/tokens/";

export const IDENTITIES_PREFIX = "access/identities/";
export const CHANGES_KEY = "access/changes";

/** An id is any text; in a key it has other characters. */
export function identityKey(id: string): string {
  return IDENTITIES_PREFIX + new TextEncoder().encode(id).toHex();
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
