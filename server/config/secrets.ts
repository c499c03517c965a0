/** Names of secrets, of whatever plugin. `server_private_key` and `client_private_key` are names of files. */
const SECRET_KEY =
  /pass?w|passphrase|secret|tokens?"?\s*=|basic_auth|credential|authorization|bearer|cookie|(?:api|access|hmac|signing|encryption|(?<!server_|client_)private)[_-]?key/i;

/** Who a URL says is asking. */
const USER_OF_URL = /(?<=[a-z][a-z0-9+.-]*:\/\/)[^\s"']*(?=@)/gi;

/** A line for people, and for the log: what stands after the name of a secret, right or misspelt, is not shown, nor what URLs carry of them. */
export function maskLine(line: string): string {
  const equals = line.indexOf("=");
  if (equals < 0 || !SECRET_KEY.test(line.slice(0, equals + 1))) return line.replaceAll(USER_OF_URL, stars);
  return line.slice(0, equals + 1) + line.slice(equals + 1).replaceAll(/[^\s"']/gu, "*");
}

/** What follows stays in its column. */
function stars(text: string): string {
  return "*".repeat(text.length);
}

/** A private key, wherever it stands. */
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/** Stands where a secret would. */
const MASK = "***";

/** A value of a configuration for people: settings that are named as secrets are, and what URLs carry of them, are not shown. */
export function maskValue(value: unknown): unknown {
  if (typeof value === "string") return PEM.test(value) ? MASK : maskUrl(value);
  if (Array.isArray(value)) return value.map(maskValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, isSecret(key) ? MASK : maskValue(item)]),
  );
}

/** The name of a file that holds a secret is none. */
function isSecret(key: string): boolean {
  return SECRET_KEY.test(`${key}=`) && !key.endsWith("_file");
}

function maskUrl(text: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return text;
  return text.replace(/(\/\/)[^/?#]*@/, `$1${MASK}@`).replaceAll(/([?&][^=&#]*=)[^&#]+/g, `$1${MASK}`);
}
