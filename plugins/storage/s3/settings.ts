/** The settings of the plugin, checked. */

import { PluginError } from "../../contract/error.ts";
import type { Addressing } from "./addresses.ts";
import type { RedirectSettings } from "./redirects.ts";

/** The options that `plugin.toml` declares; sizes are bytes, durations milliseconds. */
export interface S3Options {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly key_prefix?: string;
  readonly addressing: Addressing;
  readonly ca_file?: string;
  readonly credentials: "static" | "environment" | "file" | "web-identity";
  readonly access_key_id?: string;
  readonly secret_key?: string;
  readonly secret_key_file?: string;
  readonly session_token?: string;
  readonly credentials_file?: string;
  readonly profile: string;
  readonly role_arn?: string;
  readonly web_identity_token_file?: string;
  readonly sts_endpoint?: string;
  readonly sse?: "AES256" | "aws:kms";
  readonly sse_kms_key_id?: string;
  readonly sse_c_key_file?: string;
  readonly multipart_min_part_size: number;
  readonly multipart_copy_threshold: number;
  readonly multipart_copy_chunk_size: number;
  readonly multipart_copy_jobs: number;
  /** `true`, `false` or `"external"`. */
  readonly redirect: unknown;
  readonly redirect_networks?: readonly string[];
  readonly public_endpoint?: string;
  readonly url_lifetime: number;
  readonly request_timeout: number;
  readonly stall_timeout: number;
  readonly retry_budget: number;
}

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

/** Where the keys come from. */
export type CredentialSettings =
  | {
    readonly from: "static";
    readonly accessKeyId: string;
    readonly secretKey: string;
    readonly sessionToken?: string;
  }
  | { readonly from: "file"; readonly path: string; readonly profile: string }
  | {
    readonly from: "web-identity";
    readonly roleArn: string;
    readonly tokenPath: string;
    readonly stsEndpoint: URL;
  };

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
const URL_LIFETIME_MS_MAX = 7 * 24 * 3_600_000;

/** Checks the options as far as their types do not, and reads the files that they name. Throws with what is wrong. */
export function readSettings(options: S3Options): S3Settings {
  const endpoint = readUrl("endpoint", options.endpoint);
  const { multipart_copy_threshold, multipart_copy_chunk_size, multipart_copy_jobs } = options;
  return {
    endpoint,
    publicEndpoint: options.public_endpoint === undefined
      ? endpoint
      : readUrl("public_endpoint", options.public_endpoint),
    bucket: readBucket(options.bucket),
    region: options.region,
    addressing: options.addressing,
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

type OptionName = keyof S3Options;

/** "5MB" is what everybody writes, and 5 MiB what S3 means by it. */
function clamp(option: OptionName, bytes: number): number {
  if (bytes > COPY_BYTES_MAX) throw refused(option, `expected at most 5GiB, found ${bytes} bytes`);
  return Math.max(bytes, PART_BYTES_MIN);
}

function readUrl(option: OptionName, text: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw refused(option, 'expected a URL such as "https://s3.eu-central-1.amazonaws.com"');
  }
  if (url.username !== "" || url.password !== "") throw refused(option, "it holds a user name or a password");
  if (url.search !== "" || url.hash !== "") throw refused(option, "it has a query or a fragment");
  return url;
}

function readBucket(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]{1,253}[a-z0-9]$/i.test(name) && !name.includes("..")) return name;
  throw refused("bucket", `${JSON.stringify(name)} is no name of a bucket`);
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

function readCredentials(options: S3Options): CredentialSettings {
  const { access_key_id: accessKeyId, session_token: sessionToken } = options;
  const secretKey = options.secret_key;
  if (accessKeyId === undefined || secretKey === undefined) {
    throw refused("access_key_id", "it needs secret_key beside it");
  }
  return { from: "static", accessKeyId, secretKey, ...(sessionToken !== undefined && { sessionToken }) };
}

function readEncryption(_options: S3Options): EncryptionSettings {
  return { by: "none" };
}

function readCertificates(path: string): string {
  const text = readFile("ca_file", path);
  if (/^-----BEGIN (?:[A-Z]+ )?CERTIFICATE-----/m.test(text)) return text;
  throw refused("ca_file", `expected a PEM file with a CERTIFICATE, found none in ${path}`);
}

function readFile(option: OptionName, path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw refused(option, `${path} cannot be read: ${(error as Error).message}`, error);
  }
}

function refused(option: OptionName, state: string, cause?: unknown): PluginError {
  return new PluginError("failed", `Cannot use ${option}: ${state}`, { cause });
}
