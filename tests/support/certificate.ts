/** Certificates for servers and clients under test, signed by an authority that the test makes. Needs openssl. */

import { runCommand } from "./command.ts";

/** Paths of PEM files. */
export interface Certificate {
  /** The authority's certificate: what clients trust. It is alone in its folder, as `--cert-dir` wants it. */
  readonly authority: string;
  /** The authority's private key. */
  readonly authorityKey: string;
  /** The server's certificate, for 127.0.0.1 and localhost. */
  readonly certificate: string;
  /** The server's private key. */
  readonly key: string;
}

/** Paths of PEM files: a client's certificate and its private key. */
export interface ClientCertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** What a client's certificate may have wrong with it. */
export const CLIENT_FLAWS = [
  "of another authority",
  "expired",
  "not yet valid",
  "without an extended key usage",
  "for servers only",
  "without digitalSignature",
  "of version 1",
  "self-signed",
  "an authority's",
] as const;

/** One of them. */
export type ClientFlaw = typeof CLIENT_FLAWS[number];

/** What a client's certificate says. */
export interface ClientCertificateOptions {
  /** As openssl's `-subj` takes it; by default `/CN=client`. */
  readonly subject?: string;
  /** As openssl's `subjectAltName` takes it. */
  readonly alternativeNames?: string;
  readonly flaw?: ClientFlaw;
}

/** Makes an authority and a server's certificate in `folder`, good for a day. */
export async function makeCertificate(folder: string): Promise<Certificate> {
  const authority = `${folder}/authority/ca.crt`;
  const certificate = `${folder}/server.crt`;
  const key = `${folder}/server.key`;
  const authorityKey = `${folder}/ca.key`;
  await Deno.mkdir(`${folder}/authority`, { recursive: true });
  await selfSign(["-subj", "/CN=Test authority", "-keyout", authorityKey, "-out", authority]);
  await selfSign([
    ...["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
    ...["-addext", "basicConstraints=critical,CA:FALSE", "-CA", authority, "-CAkey", authorityKey],
    ...["-keyout", key, "-out", certificate],
  ]);
  return { authority, authorityKey, certificate, key };
}

/** Makes a client's certificate, in files whose names begin with `path`; good for a day, but for its flaw. */
export async function makeClientCertificate(
  { authority, authorityKey }: Certificate,
  path: string,
  options: ClientCertificateOptions = {},
): Promise<ClientCertificateFiles> {
  const { flaw, subject = "/CN=client" } = options;
  const [certificate, key, request] = [`${path}.crt`, `${path}.key`, `${path}.csr`];
  const config = `${path}.cnf`;
  let signer = { authority, authorityKey };
  if (flaw === "of another authority") {
    signer = { authority: `${path}.ca.crt`, authorityKey: `${path}.ca.key` };
    await selfSign(["-subj", "/CN=Test authority", "-keyout", signer.authorityKey, "-out", signer.authority]);
  }
  await Deno.writeTextFile(config, signingConfig(path, options));
  await Deno.writeTextFile(`${path}.index`, "");
  await openssl(["req", "-new", "-utf8", ...NEW_KEY, "-subj", subject, "-keyout", key, "-out", request]);
  const [start, end] = validity(flaw);
  await openssl([
    ...[
      "ca",
      "-batch",
      "-notext",
      "-utf8",
      "-preserveDN",
      "-config",
      config,
      "-create_serial",
      "-in",
      request,
    ],
    ...(flaw === "self-signed"
      ? ["-selfsign", "-keyfile", key]
      : ["-cert", signer.authority, "-keyfile", signer.authorityKey]),
    ...["-startdate", start, "-enddate", end, "-out", certificate],
  ]);
  return { certificate, key };
}

const NEW_KEY = ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

function selfSign(args: readonly string[]): Promise<string> {
  return openssl(["req", "-x509", "-days", "1", ...NEW_KEY, ...args]);
}

function openssl(args: readonly string[]): Promise<string> {
  return runCommand("openssl", args);
}

function validity(flaw: ClientFlaw | undefined): [start: string, end: string] {
  if (flaw === "expired") return ["20200101000000Z", "20200102000000Z"];
  if (flaw === "not yet valid") return ["20600101000000Z", "20600102000000Z"];
  const now = Date.now();
  return [formatTime(now - 3_600_000), formatTime(now + 86_400_000)];
}

function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, "");
}

/** Any subject may be signed, whatever attributes it has. */
function signingConfig(path: string, { flaw, alternativeNames }: ClientCertificateOptions): string {
  const usage = flaw === "for servers only" ? "serverAuth" : "clientAuth";
  const extensions = [
    `basicConstraints=critical,CA:${flaw === "an authority's"}`,
    `keyUsage=critical,${flaw === "without digitalSignature" ? "keyAgreement" : "digitalSignature"}`,
    ...(flaw === "without an extended key usage" ? [] : [`extendedKeyUsage=${usage}`]),
    ...(alternativeNames === undefined ? [] : [`subjectAltName=${alternativeNames}`]),
  ];
  return [
    ...[
      "[ca]",
      "default_ca=authority",
      "[authority]",
      `database=${path}.index`,
      `serial=${path}.serial`,
      "unique_subject=no",
    ],
    ...[`new_certs_dir=${path.slice(0, path.lastIndexOf("/"))}`, "default_md=sha256", "policy=any"],
    ...(flaw === "of version 1" ? [] : ["x509_extensions=extensions"]),
    ...["[any]", "commonName=optional", "organizationName=optional", "emailAddress=optional"],
    ...["[extensions]", ...extensions],
  ].join("\n");
}
