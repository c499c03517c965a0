import type { Duplex } from "node:stream";
import { createServer, type TlsOptions, type TLSSocket } from "node:tls";
import type { ClientCertificate } from "@sreg/contract/identity.ts";
import { parseClientCertificate } from "./client_certificate.ts";

/** A connection whose handshake is done, and who its client proved to be. */
export interface Handshake {
  readonly socket: TLSSocket;
  readonly certificate: ClientCertificate | null;
}

/** Speaks TLS over `stream`, as the server. Throws where the client's certificate, or anything else, is wrong. */
export async function shakeHands(stream: Duplex, options: TlsOptions): Promise<Handshake> {
  const socket = await acceptTls(stream, options);
  return { socket, certificate: options.requestCert ? readCertificate(socket) : null };
}

/** A server of its own for each connection, which never listens: only a server verifies the clients' certificates. */
function acceptTls(stream: Duplex, options: TlsOptions): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const server = createServer(options, resolve);
  server.once("tlsClientError", reject);
  for (const event of ["end", "close"]) {
    stream.once(event, () => reject(new Error("Cannot shake hands: the connection was closed")));
  }
  stream.once("error", reject);
  server.emit("connection", stream);
  return promise;
}

/** What the runtime finds wrong with a client that presents nothing at all. */
const NO_CERTIFICATE = "UNABLE_TO_GET_ISSUER_CERT";

function readCertificate(socket: TLSSocket): ClientCertificate | null {
  const { raw } = socket.getPeerCertificate();
  const error = socket.authorizationError as unknown as string | null;
  if (raw === undefined && !socket.authorized && error === NO_CERTIFICATE) return null;
  if (raw === undefined || !socket.authorized) {
    throw new Error(`Cannot take the client's certificate: ${error}`);
  }
  return parseClientCertificate(raw, new Date());
}
