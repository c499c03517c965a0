/**
 * Every key that access keeps in the registry's store, drawn here and built nowhere else.
 *
 * ```text
 * access/signing/<key id>       a key that signs tokens, and since when; JSON
 * access/tokens/<token id>      a personal or robot token, without its secret; JSON
 * access/token_uses/<token id>  when the token was last used, and from where; JSON
 * ```
 *
 * @module
 */

export const SIGNING_PREFIX = "access/signing/";
export const TOKENS_PREFIX = "access/tokens/";

export function signingKey(keyId: string): string {
  return SIGNING_PREFIX + keyId;
}

export function tokenKey(id: string): string {
  return TOKENS_PREFIX + id;
}

export function tokenUseKey(id: string): string {
  return `access/token_uses/${id}`;
}
