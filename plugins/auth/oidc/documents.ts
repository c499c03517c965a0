/** Fetches what a provider publishes of itself: its discovery document, and its keys. */

import { chunksWithin } from "@sreg/contract/chunks.ts";
import { PluginError } from "@sreg/contract/error.ts";
import { hostAndPort, isAmong, parseAddress } from "./addresses.ts";
import { isObject } from "./claims.ts";
import type { OidcSettings } from "./settings.ts";

/** Which provider is asked. */
export type DocumentSource = Pick<OidcSettings, "issuer" | "jwksUri" | "jwksHosts" | "caBundle">;

/** How long a provider may take for one document. */
const DEADLINE_MS = 5_000;

/** Longest document: those of real providers have a few kilobytes. */
const DOCUMENT_BYTES_MAX = 512 * 1_024;

/**
 * What fetches a provider's keys (RFC 7517), from `jwksUri` or from where its discovery document (OpenID Connect
 * Discovery 1.0) says. Each fetch fails with a `PluginError`: `unavailable` where it may succeed later, `failed` where
 * the operator has to change something. Reads the CA bundle once, at the start; throws where it cannot be used.
 */
export function createKeysLoader(source: DocumentSource): () => Promise<object> {
  const { issuer, jwksUri, caBundle } = source;
  const client = caBundle === undefined ? undefined : createClient(caBundle);
  const fetchAs = (what: string, url: URL) =>
    fetchDocument(url, { title: `Cannot fetch the ${what} of ${issuer} from ${url}`, client });
  const discover = async () => {
    const url = new URL(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
    return readDiscovery(await fetchAs("discovery document", url), source);
  };
  return async () => await fetchAs("keys", jwksUri ?? await discover());
}

/** Where the keys are, by a discovery document. */
function readDiscovery(document: object, { issuer, jwksHosts }: DocumentSource): URL {
  const refuse = (state: string): never => {
    throw new PluginError("failed", `Cannot use the discovery document of ${issuer}: ${state}`);
  };
  const { issuer: named, jwks_uri: text } = document as Record<string, unknown>;
  if (named !== issuer) return refuse(`it names the issuer ${shorten(named)}; set issuer to exactly that`);
  if (typeof text !== "string") return refuse("it names no jwks_uri");
  const url = parseJwksUri(text, refuse);
  if (isAmong([hostAndPort(new URL(issuer)), ...jwksHosts], url)) return url;
  return refuse(
    `its jwks_uri ${shorten(text)} is at a host that was not granted; ` +
      `set jwks_hosts = [${JSON.stringify(hostAndPort(url))}] if that is right`,
  );
}

function parseJwksUri(text: string, refuse: (state: string) => never): URL {
  try {
    return parseAddress(text, "its jwks_uri");
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function createClient(caBundle: string): Deno.HttpClient {
  try {
    const pem = Deno.readTextFileSync(caBundle);
    if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw new TypeError("it holds no certificate");
    return Deno.createHttpClient({ caCerts: [pem] });
  } catch (error) {
    throw new TypeError(`Cannot use ca_bundle ${caBundle}: ${(error as Error).message}`, { cause: error });
  }
}

interface FetchOptions {
  /** Begins the messages of errors. */
  readonly title: string;
  readonly client: Deno.HttpClient | undefined;
}

async function fetchDocument(url: URL, { title, client }: FetchOptions): Promise<object> {
  const fail = (state: string, cause?: unknown) =>
    new PluginError("unavailable", `${title}: ${state}`, { cause });
  const text = await fetchText(url, client).catch((error) => {
    throw fail(describe(error), error);
  });
  const document = parseJson(text);
  if (!isObject(document)) throw fail("it is no JSON object");
  return document;
}

async function fetchText(url: URL, client: Deno.HttpClient | undefined): Promise<string> {
  const deadline = performance.now() + DEADLINE_MS;
  const response = await fetch(url, {
    headers: { Accept: "application/json" },
    // Who could answer with a redirect could have the keys come from a host that the operator never named.
    redirect: "manual",
    signal: AbortSignal.timeout(DEADLINE_MS),
    ...(client && { client }),
  });
  const { status, body } = response;
  if (status === 200 && body) return await readText(body, deadline);
  await body?.cancel();
  throw new TypeError(
    status >= 300 && status < 400
      ? `it answered ${status}, and redirects are not followed; set jwks_uri to where the keys are`
      : `it answered ${status}`,
  );
}

async function readText(body: ReadableStream<Uint8Array<ArrayBuffer>>, deadline: number): Promise<string> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of chunksWithin(body, () => deadline - performance.now())) {
    length += chunk.length;
    if (length > DOCUMENT_BYTES_MAX) throw new TypeError(`it is larger than ${DOCUMENT_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return await new Blob(chunks).text();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The runtime says of a connection that failed only in the error's cause why. */
function describe(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === "TimeoutError") return `no answer within ${DEADLINE_MS} ms`;
  return cause instanceof Error ? cause.message : message;
}

function shorten(value: unknown): string {
  return (JSON.stringify(value) ?? "undefined").slice(0, 200);
}
