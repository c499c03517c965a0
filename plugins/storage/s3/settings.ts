/** The settings of the plugin, checked. */

import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import type { Addressing } from "./addresses.ts";
import { type CredentialSettings, readCredentials } from "./credential_settings.ts";
export type { S3Options } from "./options.ts";
import { type OptionName, readFile, readUrl, readWord, refused, type S3Options } from "./options.ts";
import type { RedirectSettings } from "./redirects.ts";

/** How long is waited for what. */
export interface Patience {
  /** For the head of an answer, once the request is sent. */
  readonly requestMs: number;
  /** From one piece of a body to the next, either way. */
  readonly stallMs: number;
  /** For an answer that is no passing failure, over all tries; the last may begin at its end. */
  readonly budgetMs: number;
}

/** How the store is reached. */
export interface TransportSettings {
  readonly endpoint: URL;
  /** What signed URLs name. */
  readonly publicEndpoint: URL;
  readonly bucket: string;
  readonly region: string;
  readonly addressing: Addressing;
  /** Certificates (PEM) that are trusted besides the usual ones. */
  readonly ca: string | undefined;
  readonly credentials: CredentialSettings;
  readonly encryption: EncryptionSettings;
  readonly patience: Patience;
}

/** How the store encrypts what it keeps. */
export type EncryptionSettings =
  | { readonly by: "none" }
  | { readonly by: "store" }
  | { readonly by: "kms"; readonly keyId: string | undefined }
  /** With a key of ours, which goes along with each request. */
  | { readonly by: "customer"; readonly key: Uint8Array };

/** All settings. */
export interface S3Settings extends TransportSettings {
  /** Begins all keys: empty, or with a slash at its end. */
  readonly keyPrefix: string;
  readonly copies: { readonly threshold: number; readonly chunkSize: number; readonly jobs: number };
  /** Smallest length of a part but the last, in bytes. */
  readonly partSize: number;
  readonly redirects: RedirectSettings;
  readonly urlLifetimeMs: number;
}

/** What S3 demands of a part that is not the last. */
const PART_BYTES_MIN = 5 * 1024 * 1024;
/** The largest object that S3 copies in one request, and the largest part. */
const COPY_BYTES_MAX = 5 * 1024 ** 3;
const SSE_KEY_BYTES = 32;
const URL_LIFETIME_MS_MAX = 7 * 24 * 3_600_000;

/** Checks the options as far as their types do not, and reads the files that they name. Throws with what is wrong. */
export function readSettings(options: S3Options): S3Settings {
  const endpoint = readUrl("endpoint", options.endpoint);
  const publicEndpoint = options.public_endpoint === undefined
    ? endpoint
    : readUrl("public_endpoint", options.public_endpoint);
  const { multipart_copy_threshold, multipart_copy_chunk_size, multipart_copy_jobs } = options;
  return {
    endpoint,
    publicEndpoint,
    bucket: readBucket(options.bucket),
    region: readWord("region", options.region),
    addressing: readAddressing(options.addressing, [endpoint, publicEndpoint]),
    ca: options.ca_file === undefined ? undefined : readCertificates(options.ca_file),
    credentials: readCredentials(options),
    encryption: readEncryption(options),
    patience: readPatience(options),
    keyPrefix: readPrefix(options.key_prefix),
    copies: {
      threshold: Math.min(multipart_copy_threshold, COPY_BYTES_MAX),
      chunkSize: clamp("multipart_copy_chunk_size", multipart_copy_chunk_size),
      jobs: multipart_copy_jobs,
    },
    partSize: clamp("multipart_min_part_size", options.multipart_min_part_size),
    redirects: readRedirects(options),
    urlLifetimeMs: readLifetime(options.url_lifetime),
  };
}

/** "5MB" is what everybody writes, and 5 MiB what S3 means by it. */
function clamp(option: OptionName, bytes: number): number {
  if (bytes > COPY_BYTES_MAX) throw refused(option, `expected at most 5GiB, found ${bytes} bytes`);
  return Math.max(bytes, PART_BYTES_MIN);
}

function readBucket(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]{1,253}[a-z0-9]$/i.test(name) && !name.includes("..")) return name;
  throw refused("bucket", `${JSON.stringify(name)} is no name of a bucket`);
}

/** No name is below an address: URLs would go on to name the endpoint alone, and take the first part of a key for the bucket. */
function readAddressing(addressing: Addressing, endpoints: readonly URL[]): Addressing {
  const address = endpoints.find(({ hostname }) => isIP(hostname.replace(/^\[(.*)\]$/, "$1")) !== 0);
  if (addressing === "path" || !address) return addressing;
  throw refused("addressing", `"virtual" needs the name of a host, and ${address.host} is an address`);
}

function readPrefix(text = ""): string {
  const prefix = text.replace(/^\/+|\/+$/g, "");
  if (/[^\x21-\x7e]|\/\/|(?:^|\/)\.{1,2}(?:\/|$)/.test(prefix) || prefix.length > 200) {
    throw refused("key_prefix", 'expected at most 200 ASCII characters such as "registry/eu"');
  }
  return prefix === "" ? "" : `${prefix}/`;
}

function readRedirects({ redirect, redirect_networks = [], sse_c_key_file }: S3Options): RedirectSettings {
  if (redirect !== true && redirect !== false && redirect !== "external") {
    throw refused("redirect", 'expected true, false or "external"');
  }
  if (sse_c_key_file !== undefined && (redirect !== false || redirect_networks.length > 0)) {
    throw refused("redirect", "clients do not have the key of sse_c_key_file");
  }
  return { redirect, networks: redirect_networks };
}

function readLifetime(lifetimeMs: number): number {
  if (lifetimeMs >= 1_000 && lifetimeMs <= URL_LIFETIME_MS_MAX) return lifetimeMs;
  throw refused("url_lifetime", `expected from "1s" to "7d", found ${lifetimeMs} ms`);
}

function readPatience({ request_timeout, stall_timeout, retry_budget }: S3Options): Patience {
  if (request_timeout < 1) throw refused("request_timeout", "expected a time that is not 0");
  if (stall_timeout < 1) throw refused("stall_timeout", "expected a time that is not 0");
  return { requestMs: request_timeout, stallMs: stall_timeout, budgetMs: retry_budget };
}

function readEncryption({ sse, sse_kms_key_id, sse_c_key_file }: S3Options): EncryptionSettings {
  if (sse_kms_key_id !== undefined && sse !== "aws:kms") {
    throw refused("sse_kms_key_id", 'it needs sse = "aws:kms" beside it');
  }
  if (sse_c_key_file === undefined) {
    const keyId = sse_kms_key_id === undefined ? undefined : readWord("sse_kms_key_id", sse_kms_key_id);
    if (sse === "aws:kms") return { by: "kms", keyId };
    return { by: sse === "AES256" ? "store" : "none" };
  }
  if (sse !== undefined) throw refused("sse_c_key_file", "sse is set already, and only one of them can be");
  return { by: "customer", key: readKey(sse_c_key_file) };
}

/** 32 bytes, as they are or in Base64. */
function readKey(path: string): Uint8Array {
  const bytes = readFile("sse_c_key_file", path);
  if (bytes.length === SSE_KEY_BYTES) return bytes;
  const decoded = Buffer.from(new TextDecoder().decode(bytes).trim(), "base64");
  if (decoded.length === SSE_KEY_BYTES) return decoded;
  throw refused("sse_c_key_file", `expected ${SSE_KEY_BYTES} bytes, as they are or in Base64, in ${path}`);
}

function readCertificates(path: string): string {
  const text = new TextDecoder().decode(readFile("ca_file", path));
  if (/^-----BEGIN (?:[A-Z]+ )?CERTIFICATE-----/m.test(text)) return text;
  throw refused("ca_file", `expected a PEM file with a CERTIFICATE, found none in ${path}`);
}
