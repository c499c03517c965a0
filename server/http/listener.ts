/**
 * What a listener is, plain or TLS.
 *
 * @module
 */

import type { ClientCertificate } from "@sreg/contract/identity.ts";

/** What is known of the connection that a request came by. Nothing of it can be said by a header. */
export interface Connection {
  /** The address of the other end, without its port. */
  readonly clientAddress: string;
  /** The client's certificate, verified; `null` where it presented none. */
  readonly certificate: ClientCertificate | null;
}

/** With what to speak TLS; PEM texts. */
export interface TlsOptions {
  /** The server's certificate, and those between it and its CA. */
  readonly certificate: string;
  readonly privateKey: string;
  /** The CAs that clients' certificates are verified against; absent: no client is asked for one. */
  readonly clientCa?: string;
  /** Whether a client may come without a certificate: "optional", the default, or not. */
  readonly clientCertificate?: "optional" | "required";
}

/** Where to listen, with what certificate, and for how long to wait for whom. */
export interface ListenOptions {
  readonly hostname: string;
  /** 0: any free one. */
  readonly port: number;
  /** Absent: plain HTTP, to which none of the options below apply. */
  readonly tls?: TlsOptions | undefined;
  /** From a request's first byte, or a connection's handshake, to the end of the request's headers. */
  readonly headerTimeoutMs?: number;
  /** From a connection's first byte to the end of its TLS handshake. */
  readonly handshakeTimeoutMs?: number;
  /** How long a kept connection may wait for its next request, and a response for a client that does not read. */
  readonly idleTimeoutMs?: number;
  /** How many connections are served at a time; more wait to be accepted. */
  readonly connectionsMax?: number;
}

/** A server that listens. */
export interface Listener {
  /** Its base, without a slash at the end. */
  readonly url: string;
  /** Takes no more requests, lets those under way end for `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
  /**
   * Takes other certificates: no connection is dropped, and new handshakes use the new ones. Throws, and keeps the
   * old ones, where they cannot be used, or where this listener speaks plain HTTP. Answers how to go back to the old ones.
   */
  replaceTls(tls: TlsOptions): () => void;
}

/** Answers a request. */
export type Handler = (request: Request, connection: Connection) => Promise<Response>;

/** The base of the URLs of a server at `address`. */
export function formatUrl(scheme: "http" | "https", address: Deno.NetAddr): string {
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  return `${scheme}://${host}:${address.port}`;
}

/** Runs `bind`; where the address cannot be had, fails with an error that names it. */
export function bindTo<T>(options: ListenOptions, bind: () => T): T {
  try {
    return bind();
  } catch (error) {
    const reason = error instanceof Deno.errors.AddrInUse ? "the port is taken" : (error as Error).message;
    throw new Error(`Cannot listen on ${options.hostname}:${options.port}: ${reason}`, { cause: error });
  }
}
