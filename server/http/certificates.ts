/**
 * The server's own certificates, checked before they are used: a handshake would only fail with them, one by one.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import type { TlsOptions } from "node:tls";
import type { TlsOptions as Certificates } from "./listener.ts";

/** What every handshake with `certificates` is made with. Throws where they cannot be used, and says why. */
export function prepareTls(certificates: Certificates): TlsOptions {
  const { certificate, privateKey, clientCa, clientCertificate } = certificates;
  checkServer(certificate, privateKey);
  if (clientCa !== undefined) parseCertificates("client CAs", clientCa);
  if (clientCa === undefined && clientCertificate === "required") {
    throw new Error("Cannot require certificates of clients: no CA is named that they are verified against");
  }
  return {
    cert: certificate,
    key: privateKey,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    ...(clientCa !== undefined && {
      ca: clientCa,
      requestCert: true,
      rejectUnauthorized: clientCertificate === "required",
    }),
  };
}

function checkServer(certificate: string, privateKey: string): void {
  const [first] = parseCertificates("certificate", certificate);
  const key = attempt("private key", () => createPrivateKey(privateKey));
  if (first === undefined || !first.checkPrivateKey(key)) {
    throw new Error("Cannot use the private key: it is not the certificate's");
  }
  // Of some kinds of keys only the TLS of the runtime itself knows that it cannot sign with them.
  attempt(
    "certificate",
    () => Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: certificate, key: privateKey }).close(),
  );
}

function parseCertificates(what: string, pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`Cannot use the ${what}: there is none in PEM`);
  return blocks.map((block) => attempt(what, () => new X509Certificate(block)));
}

function attempt<T>(what: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw new Error(`Cannot use the ${what}: ${(error as Error).message}`, { cause: error });
  }
}
