/** AWS Signature Version 4: what every S3 store believes a request by. */

import { createHash, createHmac } from "node:crypto";
import { encodeWord } from "./addresses.ts";

/** Who asks. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretKey: string;
  readonly sessionToken?: string;
}

/** A request as it goes out. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** How a request is signed. */
export interface SigningFacts {
  readonly credentials: Credentials;
  readonly region: string;
  /** The store's time: milliseconds since the epoch. */
  readonly nowMs: number;
}

const ALGORITHM = "AWS4-HMAC-SHA256";
const UNSIGNED = "UNSIGNED-PAYLOAD";

/** Signs in a header. The digest of the body goes along: a store may keep what it has of one that was cut off. */
export function signHeaders(
  { method, url, headers }: HttpRequest,
  { body, ...facts }: SigningFacts & { readonly body: readonly Uint8Array[] },
): HttpRequest {
  const { accessKeyId, sessionToken } = facts.credentials;
  const payload = digest(...body);
  const signed = {
    ...headers,
    "x-amz-content-sha256": payload,
    "x-amz-date": formatTime(facts.nowMs),
    ...(sessionToken !== undefined && { "x-amz-security-token": sessionToken }),
  };
  const query = url.search.slice(1).split("&");
  const signature = signatureOf({ method, url, headers: signed }, { ...facts, query, payload });
  const names = signedNames(signed);
  const scope = `${accessKeyId}/${scopeOf(facts)}`;
  const authorization = `${ALGORITHM} Credential=${scope}, SignedHeaders=${
    names.join(";")
  }, Signature=${signature}`;
  return { method, url, headers: { ...signed, authorization } };
}

/** Signs in the query: the store refuses the request later than `lifetimeS` seconds after `nowMs`, which loses its milliseconds. */
export function signQuery(
  { method, url, headers }: HttpRequest,
  { lifetimeS, ...facts }: SigningFacts & { readonly lifetimeS: number },
): HttpRequest {
  const { accessKeyId, sessionToken } = facts.credentials;
  const added = {
    "X-Amz-Algorithm": ALGORITHM,
    "X-Amz-Credential": `${accessKeyId}/${scopeOf(facts)}`,
    "X-Amz-Date": formatTime(facts.nowMs),
    "X-Amz-Expires": `${lifetimeS}`,
    ...(sessionToken !== undefined && { "X-Amz-Security-Token": sessionToken }),
    "X-Amz-SignedHeaders": signedNames(headers).join(";"),
  };
  const pairs = Object.entries(added).map((pair) => pair.map(encodeWord).join("="));
  const query = [...url.search.slice(1).split("&").filter((pair) => pair !== ""), ...pairs];
  const signature = signatureOf({ method, url, headers }, { ...facts, query, payload: UNSIGNED });
  const signed = new URL(url);
  signed.search = [...query, `X-Amz-Signature=${signature}`].join("&");
  return { method, url: signed, headers };
}

function signatureOf(
  { method, url, headers }: HttpRequest,
  { query, payload, ...facts }: SigningFacts & {
    /** Pairs as they are sent. */
    readonly query: readonly string[];
    readonly payload: string;
  },
): string {
  const names = signedNames(headers);
  const fields = names.map((name) =>
    `${name}:${name === "host" ? url.host : canonicalValue(headers[name]!)}\n`
  );
  // Names that differ are ordered before their `=` can count: it is above the digits, and `&` begins no name.
  const pairs = query.map((pair) => pair.replace("=", "\0")).sort().map((pair) => pair.replace("\0", "="));
  const request = [method, url.pathname, pairs.join("&"), fields.join(""), names.join(";"), payload];
  const text = [ALGORITHM, formatTime(facts.nowMs), scopeOf(facts), digest(request.join("\n"))].join("\n");
  return createHmac("sha256", signingKey(facts)).update(text).digest("hex");
}

function signedNames(headers: Readonly<Record<string, string>>): string[] {
  return ["host", ...Object.keys(headers)].sort();
}

function canonicalValue(value: string): string {
  return value.trim().replace(/ +/g, " ");
}

let latestKey: { readonly of: string; readonly key: Uint8Array } | undefined;

/** The key of a day, kept: it costs four digests. */
function signingKey(facts: SigningFacts): Uint8Array {
  const { secretKey } = facts.credentials;
  const scope = scopeOf(facts);
  const of = `${scope} ${secretKey}`;
  if (latestKey?.of === of) return latestKey.key;
  const key = scope.split("/").reduce<string | Uint8Array>(
    (from, word) => createHmac("sha256", from).update(word).digest(),
    `AWS4${secretKey}`,
  );
  latestKey = { of, key: key as Uint8Array };
  return latestKey.key;
}

function scopeOf({ nowMs, region }: SigningFacts): string {
  return `${formatTime(nowMs).slice(0, 8)}/${region}/s3/aws4_request`;
}

/** `20130524T000000Z`. */
function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[:-]|\.\d{3}/g, "");
}

function digest(...parts: readonly (string | Uint8Array)[]): string {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(part);
  return sum.digest("hex");
}
