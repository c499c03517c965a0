/** The settings that plugins over Redis share, checked. */

import { PluginError } from "@sreg/contract/error.ts";

/** The options that the plugin files of both declare. */
export interface RedisOptions {
  readonly url: string;
  readonly password_file?: string;
  readonly ca_file?: string;
  readonly key_prefix: string;
}

/** Where Redis is, and how it is spoken to. */
export interface RedisSettings {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** Whom its certificate must come from; `undefined`: no TLS. */
  readonly tls: { readonly ca: string | undefined } | undefined;
}

const PORT = 6379;
const SCHEMES: Readonly<Record<string, { readonly tls: boolean }>> = {
  "redis:": { tls: false },
  "valkey:": { tls: false },
  "rediss:": { tls: true },
  "valkeys:": { tls: true },
};

/** Checks options as far as their types do not, and reads the files that they name. Throws with what is wrong. */
export function readSettings({ url: text, password_file, ca_file }: RedisOptions): RedisSettings {
  // No message repeats the URL: it may hold a password.
  const url = URL.parse(text) ?? refuse("url", "it is no URL");
  const scheme = SCHEMES[url.protocol] ??
    refuse("url", "expected one that begins with redis://, rediss://, valkey:// or valkeys://");
  if (url.hostname === "") refuse("url", "it names no host");
  if (url.search !== "" || url.hash !== "") refuse("url", "it has a query or a fragment");
  const [, database] = /^\/?(\d{0,5})$/.exec(url.pathname) ??
    refuse("url", "expected the number of a database after the host, or nothing");
  if (ca_file !== undefined && !scheme.tls) {
    refuse("ca_file", "the url asks for no TLS: it would begin with rediss://");
  }
  if (password_file !== undefined && url.password !== "") {
    refuse("password_file", "the url has a password already");
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? PORT : Number(url.port),
    username: decode(url.username),
    password: password_file === undefined
      ? decode(url.password)
      : readFile("password_file", password_file).trim(),
    database: Number(database),
    tls: scheme.tls ? { ca: ca_file === undefined ? undefined : readCertificates(ca_file) } : undefined,
  };
}

function decode(part: string): string | undefined {
  try {
    return part === "" ? undefined : decodeURIComponent(part);
  } catch {
    return refuse("url", "a % of its user name or password is not written %25");
  }
}

function readCertificates(path: string): string {
  const text = readFile("ca_file", path);
  if (/^-----BEGIN (?:[A-Z]+ )?CERTIFICATE-----/m.test(text)) return text;
  return refuse("ca_file", `expected a PEM file with a CERTIFICATE, found none in ${path}`);
}

function readFile(option: string, path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    return refuse(option, `${path} cannot be read: ${(error as Error).message}`);
  }
}

function refuse(option: string, state: string): never {
  throw new PluginError("failed", `Cannot use ${option}: ${state}`);
}
