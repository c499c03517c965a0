import { type Account, readHash } from "./accounts.ts";

/**
 * Reads an htpasswd file as Apache's `htpasswd` writes it: a line a user, `name:hash`; empty lines and those that begin
 * with `#` say nothing. Throws, by its number, for a line that it cannot use. `file` is for messages.
 */
export function parseHtpasswd(bytes: Uint8Array, file: string): Account[] {
  return decode(bytes, file).split(/\r?\n/).flatMap((line, index) =>
    line.trim() === "" || line.startsWith("#") ? [] : [readLine(line, `line ${index + 1} of ${file}`)]
  );
}

function readLine(line: string, source: string): Account {
  const colon = line.indexOf(":");
  if (colon < 1) throw new Error(`${source} is not of the form name:hash`);
  const username = line.slice(0, colon);
  const hash = readHash(line.slice(colon + 1).trimEnd(), source);
  return { id: `htpasswd:${username}`, username, groups: [], source, hash };
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`${file} is not UTF-8`);
  }
}
