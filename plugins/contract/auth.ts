/**
 * The auth contract: tells who a credential belongs to. Auth plugins are asked in the order of the configuration, until
 * one knows the credential.
 *
 * @module
 */

import type { ClientCertificate, Identity } from "./identity.ts";

/** What a client showed: its `Authorization` header (RFC 7617, RFC 6750), taken apart. */
export type Credential =
  | { readonly scheme: "basic"; readonly username: string; readonly password: string }
  | { readonly scheme: "bearer"; readonly token: string }
  | { readonly scheme: "none" };

/** Who is asking. */
export interface AuthQuestion {
  /** What the client showed. */
  readonly credential: Credential;
  /** The client's certificate, which was verified; `null` where there is none. */
  readonly certificate: ClientCertificate | null;
  /** The client's address, without its port. */
  readonly clientAddress: string;
}

/** Whom a plugin knows: all of an identity but the certificate, which the core adds. */
export type KnownIdentity = Omit<Identity, "certificate">;

/**
 * What a plugin says of a credential:
 *
 * - `known`: it is good, and whose it is. `expiresAtMs`: when it ends by itself, in milliseconds since 1970.
 *   `cacheForMs`: how long the answer may be used again for the same credential; absent: not at all;
 * - `refused`: it is this plugin's, and it is bad (wrong password, expired, forged). No other plugin is asked;
 * - `foreign`: not this plugin's business; the next one is asked. A user name that a plugin does not know is foreign, and
 *   must take as long to tell as a wrong password.
 */
export type AuthAnswer =
  | {
    readonly outcome: "known";
    readonly identity: KnownIdentity;
    readonly expiresAtMs?: number;
    readonly cacheForMs?: number;
  }
  | { readonly outcome: "refused"; readonly reason: string }
  | { readonly outcome: "foreign" };

/** An identity that is kept in the registry's store. */
export interface StoredIdentity {
  /** What it is kept under. */
  readonly id: string;
  /** The name it signs in with. */
  readonly username: string;
  /** In PHC form: `$argon2id$…`; or bcrypt's: `$2y$…`. Absent: no password is right, but tokens may stand for it. */
  readonly passwordHash?: string;
  /** The groups that it is in. */
  readonly groups: readonly string[];
  /** Whether it cannot sign in, and nothing that was got as it is worth anything. */
  readonly disabled?: boolean;
  /**
   * Another one whenever all that was got as this identity is to be worth nothing from then on: with the identity itself,
   * when it is disabled, when an administrator gives it a password.
   */
  readonly incarnation?: string;
}

/** An identity that is written in the configuration, or in a file that it names. */
export interface ConfiguredIdentity {
  /** What it is kept under. */
  readonly id: string;
  /** The name it signs in with. */
  readonly username: string;
  /** The groups that it is in. */
  readonly groups: readonly string[];
}

/** An identity as it is now. */
export interface RecalledIdentity {
  /** Who it is now. */
  readonly identity: KnownIdentity;
  /** That of the stored identity, where it is one: personal tokens that were made for another are worth nothing. */
  readonly incarnation?: string;
  /** Changes whenever what the identity proves itself by changes: tokens that were issued before are worth nothing then. */
  readonly generation: string;
}

/**
 * An auth plugin. It never answers by an error for a credential that is bad: a `PluginError` means that it could not find
 * out, and refuses the request with 503.
 */
export interface Auth {
  /** Says whose the credential is. */
  authenticate(question: AuthQuestion): Promise<AuthAnswer>;
  /**
   * The identity with this id as it is now, or `null` where it is no more: asked when a token is shown that was issued to
   * it. Without the method what the token says of it holds until the token ends.
   */
  recall?(id: string): Promise<RecalledIdentity | null>;
  /**
   * Told of all identities of the registry's store, at the start and whenever they changed; each list replaces the one
   * before. Only for plugins that check their passwords.
   */
  replaceIdentities?(identities: readonly StoredIdentity[]): Promise<void>;
  /** Those of its own whom no identity of the store may have the id or the user name of. */
  listIdentities?(): Promise<readonly ConfiguredIdentity[]>;
  /** A hash of a new password, as `StoredIdentity` has it: a long computation, which is not for the core's own thread. */
  hashPassword?(password: string): Promise<string>;
  /** Why a text cannot be used as the hash of a password; `null`: it can. */
  findHashProblem?(passwordHash: string): Promise<string | null>;
}

/** The names of the contract's methods. */
export const AUTH_METHODS = [
  "authenticate",
  "recall",
  "replaceIdentities",
  "listIdentities",
  "hashPassword",
  "findHashProblem",
] as const;
