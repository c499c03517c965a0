/** The settings that webhooks of every kind have, checked. */

import { Buffer } from "node:buffer";
import { PluginError } from "@sreg/contract/error.ts";

/** The options that the plugin files of all webhooks declare. */
export interface WebhookOptions {
  readonly name: string;
  readonly url: string;
  readonly allow_http: boolean;
  /** In milliseconds. */
  readonly timeout?: number;
  readonly timeout_ms?: number;
  readonly secret?: string;
  readonly secret_file?: string;
  readonly bearer_token?: string;
  /** A table with username and password. */
  readonly basic_auth?: unknown;
  readonly ca_bundle?: string;
  readonly client_certificate_bundle?: string;
  readonly client_private_key?: string;
  /** In milliseconds. */
  readonly cache?: number;
  /** In seconds. */
  readonly cache_ttl?: number;
  readonly calls_max: number;
  /** Names of facts; absent: all. */
  readonly send?: readonly string[];
}

/** How a service is asked. */
export interface WebhookSettings {
  readonly name: string;
  readonly url: URL;
  readonly timeoutMs: number;
  /** What questions are signed with; `undefined`: they are not. */
  readonly secret: string | undefined;
  /** What the service knows sreg by. */
  readonly authorization: string | undefined;
  /** Trusts and shows other certificates than usual; `undefined`: the usual ones. */
  readonly client: Deno.HttpClient | undefined;
  /** How long an answer is used again. */
  readonly cacheMs: number;
  /** How many questions may be under way at once. */
  readonly callsMax: number;
}

const TIMEOUT_MS = 1_000;

/** Well below the time after which the server itself gives a plugin's call up. */
const TIMEOUT_MS_MAX = 20_000;

/** The latest that an answer may be used again, whoever says so. */
export const CACHE_MS_MAX = 3_600_000;

/** Checks options as far as their types do not, and reads the files that they name. Throws with what is wrong. */
export function readSettings(options: WebhookOptions): WebhookSettings {
  refuseBoth(options, ["timeout", "timeout_ms"]);
  refuseBoth(options, ["cache", "cache_ttl"]);
  refuseBoth(options, ["secret", "secret_file"]);
  refuseBoth(options, ["bearer_token", "basic_auth"]);
  const timeoutMs = options.timeout ?? options.timeout_ms ?? TIMEOUT_MS;
  if (timeoutMs < 1 || timeoutMs > TIMEOUT_MS_MAX) {
    throw refused("timeout", `expected from 1 ms to ${TIMEOUT_MS_MAX} ms, found ${timeoutMs}`);
  }
  const cacheMs = options.cache ?? (options.cache_ttl ?? 0) * 1_000;
  if (cacheMs > CACHE_MS_MAX) throw refused("cache", `expected at most ${CACHE_MS_MAX} ms, found ${cacheMs}`);
  // Ids are the name and the service's own with a colon between: with one in the name, two could be the same.
  if (!/^[^:]+$/.test(options.name)) throw refused("name", "expected a text without a colon");
  return {
    name: options.name,
    url: readUrl(options),
    timeoutMs,
    secret: readSecret(options),
    authorization: readAuthorization(options),
    client: createClient(options),
    cacheMs,
    callsMax: options.calls_max,
  };
}

/** The facts of `known` that `send` names: each by itself, or, by the part before a dot, with the others of its part. */
export function chooseFacts<Fact extends string>(
  send: readonly string[] | undefined,
  known: readonly Fact[],
): ReadonlySet<Fact> {
  if (send === undefined) return new Set(known);
  const covers = (word: string, fact: string) => fact === word || fact.startsWith(`${word}.`);
  const unknown = send.find((word) => !known.some((fact) => covers(word, fact)));
  if (unknown !== undefined) {
    throw refused("send", `there is no ${JSON.stringify(unknown)}, only ${known.join(", ")}`);
  }
  return new Set(known.filter((fact) => send.some((word) => covers(word, fact))));
}

function refuseBoth(options: WebhookOptions, [one, other]: readonly [OptionName, OptionName]): void {
  if (options[one] === undefined || options[other] === undefined) return;
  throw refused(other, `${one} is set already, and only one of them can be`);
}

type OptionName = keyof WebhookOptions;

function readUrl({ url: text, allow_http }: WebhookOptions): URL {
  const url = URL.parse(text);
  if (!url) throw refused("url", `${JSON.stringify(text)} is no URL`);
  // It stands in the log; these would, too.
  if (url.username !== "" || url.password !== "") {
    throw refused("url", "it holds a user name or a password; set basic_auth instead");
  }
  if (url.hash !== "") throw refused("url", "it has a fragment");
  if (url.protocol === "https:") return url;
  if (url.protocol === "http:" && (allow_http || isLoopback(url.hostname))) return url;
  throw refused(
    "url",
    "only https is safe, but for a service on this machine; allow_http = true accepts http",
  );
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function readSecret({ secret, secret_file }: WebhookOptions): string | undefined {
  const text = secret_file === undefined ? secret : readFile("secret_file", secret_file).trim();
  if (text === "") throw refused("secret_file", "it is empty");
  return text;
}

function readAuthorization({ bearer_token, basic_auth }: WebhookOptions): string | undefined {
  if (bearer_token !== undefined) {
    // What fetch would say of it repeats it.
    if (!/^[\x21-\x7e]+$/.test(bearer_token)) {
      throw refused("bearer_token", "expected ASCII characters and no spaces");
    }
    return `Bearer ${bearer_token}`;
  }
  if (basic_auth === undefined) return undefined;
  const { username, password, ...others } = Object(basic_auth) as Record<string, unknown>;
  if (typeof username !== "string" || typeof password !== "string" || Object.keys(others).length > 0) {
    throw refused("basic_auth", "expected a table with username and password, each a text");
  }
  if (username.includes(":")) throw refused("basic_auth", "a user name cannot have a colon");
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function createClient(options: WebhookOptions): Deno.HttpClient | undefined {
  const { ca_bundle, client_certificate_bundle, client_private_key } = options;
  if ((client_certificate_bundle === undefined) !== (client_private_key === undefined)) {
    throw refused(
      "client_certificate_bundle",
      "it needs client_private_key beside it, and the other way round",
    );
  }
  if (ca_bundle === undefined && client_certificate_bundle === undefined) return undefined;
  const trusted = ca_bundle === undefined ? [] : [readPem("ca_bundle", ca_bundle)];
  const shown = client_certificate_bundle !== undefined && client_private_key !== undefined && {
    cert: readPem("client_certificate_bundle", client_certificate_bundle),
    key: readPem("client_private_key", client_private_key),
  };
  try {
    return Deno.createHttpClient({ caCerts: trusted, ...shown });
  } catch (error) {
    const { message } = error as Error;
    throw new PluginError("failed", `Cannot use the certificates: ${message}`, { cause: error });
  }
}

function readPem(option: OptionName, path: string): string {
  const text = readFile(option, path);
  const kind = option === "client_private_key" ? "PRIVATE KEY" : "CERTIFICATE";
  if (!new RegExp(`^-----BEGIN (?:[A-Z]+ )?${kind}-----`, "m").test(text)) {
    throw refused(option, `expected a PEM file with a ${kind}, found none in ${path}`);
  }
  return text;
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
