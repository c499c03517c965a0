import type { Credential } from "../../plugins/contract/auth.ts";

const NONE: Credential = { scheme: "none" };
const HEADER = /^(basic|bearer) +([\x21-\x7e]+) *$/i;

/** Largest `Authorization` header that is looked at, in characters. */
const HEADER_LENGTH_MAX = 32_768;

/**
 * The credential of an `Authorization` header (RFC 7617, RFC 6750): the user name ends at the first colon, and both are
 * UTF-8. `undefined` for a header that says nothing that can be understood.
 */
export function parseCredential(header: string | null): Credential | undefined {
  if (header === null || header === "") return NONE;
  const [, scheme, text] = header.length <= HEADER_LENGTH_MAX ? HEADER.exec(header) ?? [] : [];
  if (scheme === undefined || text === undefined) return undefined;
  return scheme.toLowerCase() === "bearer" ? { scheme: "bearer", token: text } : parseBasic(text);
}

function parseBasic(text: string): Credential | undefined {
  const decoded = decodeBase64(text);
  const colon = decoded?.indexOf(":") ?? -1;
  if (decoded === undefined || colon < 0) return undefined;
  return { scheme: "basic", username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

function decodeBase64(text: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
