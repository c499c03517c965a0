/**
 * Who somebody is, as auth plugins say it and policy plugins are told it.
 *
 * @module
 */

/** What is known of a client's certificate, after it was verified against the operator's CAs (RFC 5280). */
export interface ClientCertificate {
  /** The common names (CN) of its subject. */
  readonly commonNames: readonly string[];
  /** The organizations (O) of its subject. */
  readonly organizations: readonly string[];
  /** The DNS names among its alternative names. */
  readonly dnsNames: readonly string[];
  /** The URIs among its alternative names; a SPIFFE id is one: `spiffe://domain/workload`. */
  readonly uris: readonly string[];
  /** The mail addresses among its alternative names. */
  readonly emails: readonly string[];
  /** SHA-256 of the certificate, 64 lower-case hex digits. */
  readonly fingerprint: string;
}

/** A value that JSON can hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** An object that JSON can hold. */
export interface JsonObject {
  /** A member, by its name. */
  readonly [key: string]: JsonValue;
}

/** Somebody. The anonymous have neither id nor username. */
export interface Identity {
  /** What the identity is kept under: unique over all auth plugins, and the same whenever it comes back. */
  readonly id: string | null;
  /** The name that people know it by. */
  readonly username: string | null;
  /** The groups that it is in. */
  readonly groups: readonly string[];
  /** What an outside provider says of it, by the provider's names. */
  readonly claims: JsonObject;
  /** The OpenID provider that vouches for it; `null` where none does. */
  readonly provider: string | null;
  /** Its client certificate; `null` where the connection has none. */
  readonly certificate: ClientCertificate | null;
}

/** Nobody in particular. */
export const ANONYMOUS: Identity = Object.freeze({
  id: null,
  username: null,
  groups: [],
  claims: {},
  provider: null,
  certificate: null,
});
