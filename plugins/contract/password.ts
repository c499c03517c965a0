/**
 * What a new password must be, and what its hash costs: the same for the server, for plugins and for the command line.
 *
 * @module
 */

/** The longest password that is looked at, in bytes of UTF-8. */
export const PASSWORD_BYTES_MAX = 4_096;

/** The shortest password that is taken for a new one, in characters. */
export const NEW_PASSWORD_LENGTH_MIN = 8;

/** What argon2id takes for a new hash: RFC 9106's second choice, cut to what a small machine has (OWASP). */
export const NEW_HASH_COST = {
  memoryKib: 19_456,
  passes: 2,
  lanes: 1,
  saltBytes: 16,
  hashBytes: 32,
} as const;

/** Why a text cannot be a new password; `undefined`: it can. Nothing of the text is in the answer. */
export function findPasswordProblem(password: string): string | undefined {
  if ([...password].length < NEW_PASSWORD_LENGTH_MIN) {
    return `expected at least ${NEW_PASSWORD_LENGTH_MIN} characters`;
  }
  if (new TextEncoder().encode(password).length > PASSWORD_BYTES_MAX) {
    return `expected at most ${PASSWORD_BYTES_MAX} bytes`;
  }
  if (!password.isWellFormed()) return "it is not Unicode";
  return password.includes("\0") ? "it has a NUL in it" : undefined;
}
