/** The credentials file that AWS's own programs read: profiles in brackets, `name = value` lines. */

import { PluginError } from "../../contract/error.ts";
import type { Credentials } from "./signing.ts";

/** Reads the keys of a profile. Throws where there are none. */
export async function readProfile(
  { path, profile }: { readonly path: string; readonly profile: string },
): Promise<Credentials> {
  const values = parseProfile(await readFile(path), profile);
  const accessKeyId = values?.get("aws_access_key_id");
  const secretKey = values?.get("aws_secret_access_key");
  const sessionToken = values?.get("aws_session_token");
  if (!accessKeyId || !secretKey) {
    throw new PluginError(
      "failed",
      `Cannot use credentials_file: ${path} has no aws_access_key_id and aws_secret_access_key under [${profile}]`,
    );
  }
  return { accessKeyId, secretKey, ...(sessionToken && { sessionToken }) };
}

async function readFile(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const { message } = error as Error;
    throw new PluginError("failed", `Cannot use credentials_file: ${path} cannot be read: ${message}`, {
      cause: error,
    });
  }
}

/** The values under a heading; `undefined`: there is none of that name. */
export function parseProfile(text: string, profile: string): ReadonlyMap<string, string> | undefined {
  let found: Map<string, string> | undefined;
  let isInside = false;
  for (const line of text.split(/\r?\n/)) {
    const [, heading] = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line) ?? [];
    if (heading !== undefined) {
      isInside = heading === profile;
      if (isInside) found ??= new Map();
      continue;
    }
    const [, name, value] = /^([A-Za-z_]+)\s*=\s*(\S*)\s*$/.exec(line) ?? [];
    if (isInside && name !== undefined) found!.set(name.toLowerCase(), value!);
  }
  return found;
}
