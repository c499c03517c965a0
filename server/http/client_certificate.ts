/**
 * What a client's certificate says, and whether it is one for clients (RFC 5280). That it leads to one of the
 * operator's CAs, and that the client holds its key, is seen to in the handshake.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { ClientCertificate } from "@sreg/contract/identity.ts";
import {
  DER_TAGS,
  type DerValue,
  expectDer,
  formatOid,
  parseDer,
  parseDerAscii,
  parseDerList,
  parseDerText,
} from "./der.ts";

/**
 * Reads a certificate in DER. Throws where it cannot be read, or may not stand for a client at `now`: it is not of
 * version 3, expired or not yet valid, a CA's, or not meant for the authentication of clients by its key usages.
 */
export function parseClientCertificate(der: Uint8Array, now: Date): ClientCertificate {
  const certificate = parseFields(der);
  const refusal = refuse(certificate, now);
  if (refusal !== undefined) throw new Error(`Cannot take the client's certificate: ${refusal}`);
  const names = parseAlternativeNames(certificate.extensions.get(OIDS.subjectAltName));
  return {
    commonNames: parseAttributes(certificate.subject, OIDS.commonName),
    organizations: parseAttributes(certificate.subject, OIDS.organization),
    dnsNames: names(GENERAL_NAMES.dns),
    uris: names(GENERAL_NAMES.uri),
    emails: names(GENERAL_NAMES.email),
    fingerprint: createHash("sha256").update(der).digest("hex"),
  };
}

const OIDS = {
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

const GENERAL_NAMES = { email: 0x81, dns: 0x82, uri: 0x86 } as const;

const VERSION_TAG = 0xa0;
const EXTENSIONS_TAG = 0xa3;
const VERSION_3 = 2;

interface Fields {
  readonly version: number;
  readonly validity: readonly DerValue[];
  readonly subject: readonly DerValue[];
  /** The value of each extension, by its identifier. */
  readonly extensions: ReadonlyMap<string, Uint8Array>;
}

function parseFields(der: Uint8Array): Fields {
  const [signed] = expectDer(parseDer(der), DER_TAGS.sequence);
  const fields = expectDer(signed, DER_TAGS.sequence);
  const version = fields[0]?.tag === VERSION_TAG ? fields.shift() : undefined;
  const [, , , validity, subject, , ...rest] = fields;
  const extensions = rest.find(({ tag }) => tag === EXTENSIONS_TAG);
  return {
    version: version === undefined ? 0 : parseDer(version.content).content[0] ?? 0,
    validity: expectDer(validity, DER_TAGS.sequence),
    subject: expectDer(subject, DER_TAGS.sequence),
    extensions: new Map(extensions === undefined ? [] : parseExtensions(extensions)),
  };
}

function parseExtensions(value: DerValue): [string, Uint8Array][] {
  return expectDer(parseDer(value.content), DER_TAGS.sequence).map((extension) => {
    const fields = expectDer(extension, DER_TAGS.sequence);
    const [oid, content] = [fields.at(0), fields.at(-1)];
    if (oid?.tag !== DER_TAGS.oid || content?.tag !== DER_TAGS.octetString) {
      throw new SyntaxError("Cannot read the certificate: an extension without its parts");
    }
    return [formatOid(oid.content), content.content];
  });
}

function refuse({ version, validity, extensions }: Fields, now: Date): string | undefined {
  const [notBefore, notAfter] = validity.map(parseTime);
  if (version !== VERSION_3) return "it is not of version 3";
  if (notBefore === undefined || notAfter === undefined) return "it does not say when it is valid";
  if (!(now >= notBefore)) return "it is not yet valid";
  if (!(now <= notAfter)) return "it has expired";
  if (isAuthority(extensions.get(OIDS.basicConstraints))) return "it is a CA's";
  if (!signs(extensions.get(OIDS.keyUsage))) return "its key usage is not digitalSignature";
  if (!isForClients(extensions.get(OIDS.extendedKeyUsage))) return "its extended key usage is not clientAuth";
  return undefined;
}

/** UTCTime `YYMMDDhhmmssZ` or GeneralizedTime `YYYYMMDDhhmmssZ`; anything else is the invalid date. */
function parseTime({ content }: DerValue): Date {
  const match = /^(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(parseDerAscii(content));
  if (match === null) return new Date(NaN);
  const [, year = "", ...rest] = match;
  const [month, day, hour, minute, second] = rest;
  const century = year.length === 4 ? "" : Number(year) < 50 ? "20" : "19";
  return new Date(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function isAuthority(constraints: Uint8Array | undefined): boolean {
  if (constraints === undefined) return false;
  const [first] = expectDer(parseDer(constraints), DER_TAGS.sequence);
  return first?.tag === DER_TAGS.boolean && first.content[0] !== 0;
}

/** A certificate that names no key usage is not limited in it; the first bit is digitalSignature. */
function signs(keyUsage: Uint8Array | undefined): boolean {
  if (keyUsage === undefined) return true;
  const { tag, content } = parseDer(keyUsage);
  return tag === DER_TAGS.bitString && ((content[1] ?? 0) & 0x80) !== 0;
}

function isForClients(extendedKeyUsage: Uint8Array | undefined): boolean {
  if (extendedKeyUsage === undefined) return false;
  const usages = expectDer(parseDer(extendedKeyUsage), DER_TAGS.sequence);
  return usages.some(({ content }) => formatOid(content) === OIDS.clientAuth);
}

/** The values of one attribute in a name: a sequence of sets of pairs. */
function parseAttributes(name: readonly DerValue[], attribute: string): string[] {
  return name
    .flatMap((set) => expectDer(set, DER_TAGS.set))
    .map((pair) => expectDer(pair, DER_TAGS.sequence))
    .filter(([type]) => type?.tag === DER_TAGS.oid && formatOid(type.content) === attribute)
    .map(([, value]) => {
      if (value === undefined) {
        throw new SyntaxError("Cannot read the certificate: an attribute without a value");
      }
      return parseDerText(value);
    });
}

function parseAlternativeNames(extension: Uint8Array | undefined): (tag: number) => string[] {
  const names = extension === undefined ? [] : parseDerList(parseDer(extension).content);
  return (tag) => names.filter((name) => name.tag === tag).map(({ content }) => parseDerAscii(content));
}
