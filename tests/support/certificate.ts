/** Certificates for servers under test, signed by an authority that the test makes. */

import { runCommand } from "./command.ts";

/** Paths of PEM files. */
export interface Certificate {
  /** The authority's certificate: what clients trust. It is alone in its folder, as `--cert-dir` wants it. */
  readonly authority: string;
  /** The server's certificate, for 127.0.0.1 and localhost. */
  readonly certificate: string;
  /** The server's private key. */
  readonly key: string;
}

/** Makes an authority and a server's certificate in `folder`, good for a day. Needs openssl. */
export async function makeCertificate(folder: string): Promise<Certificate> {
  const authority = `${folder}/authority/ca.crt`;
  const certificate = `${folder}/server.crt`;
  const key = `${folder}/server.key`;
  const authorityKey = `${folder}/ca.key`;
  await Deno.mkdir(`${folder}/authority`, { recursive: true });
  await request(["-subj", "/CN=Test authority", "-keyout", authorityKey, "-out", authority]);
  await request([
    ...["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
    ...["-addext", "basicConstraints=critical,CA:FALSE", "-CA", authority, "-CAkey", authorityKey],
    ...["-keyout", key, "-out", certificate],
  ]);
  return { authority, certificate, key };
}

function request(args: readonly string[]): Promise<string> {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  return runCommand("openssl", ["req", "-x509", "-nodes", "-days", "1", ...curve, ...args]);
}
