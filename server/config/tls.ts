import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Place } from "./document.ts";
import { formatReason } from "./read.ts";
import type { SregTable } from "./schema.ts";

/** The PEM files of HTTPS. Both were read and fit together when the configuration was loaded. */
export type TlsConfig = NonNullable<SregTable["server"]["tls"]>;

/** Tells `at`, the place of `[server.tls]`, what keeps its files from being used. */
export async function checkTls(tls: TlsConfig, at: Place): Promise<void> {
  const certificate = await readPem(tls.serverCertificateBundle, {
    parse: (pem) => new X509Certificate(pem),
    expected: "a PEM certificate",
    at: at.child("server_certificate_bundle"),
  });
  const key = await readPem(tls.serverPrivateKey, {
    parse: (pem) => createPrivateKey(pem),
    expected: "a PEM private key",
    at: at.child("server_private_key"),
  });
  if (tls.clientCaBundle !== undefined) {
    await readPem(tls.clientCaBundle, {
      parse: (pem) => new X509Certificate(pem),
      expected: "a PEM certificate",
      at: at.child("client_ca_bundle"),
    });
  } else if (tls.clientAuth === "required") {
    at.child("client_auth").fail("expected client_ca_bundle beside it");
  }
  if (certificate && key && !certificate.checkPrivateKey(key)) {
    at.child("server_private_key").fail("expected the private key of the certificate, found another one's");
  }
}

interface Pem<T> {
  readonly parse: (pem: string) => T;
  readonly expected: string;
  readonly at: Place;
}

async function readPem<T>(file: string, { parse, expected, at }: Pem<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    return at.fail(`expected ${expected}, cannot read ${file}: ${formatReason(error)}`);
  }
  try {
    return parse(text);
  } catch {
    return at.fail(`expected ${expected}, found none in ${file}`);
  }
}
