import { ConfigError } from "./error.ts";

/** The text of a file, without a byte order mark. Throws a `ConfigError` where it cannot be read or is not UTF-8. */
export async function readTextFile(file: string, origin: string = file): Promise<string> {
  const bytes = await Deno.readFile(file).catch((error: unknown) => {
    throw new ConfigError([{ origin, key: "", message: `cannot be read: ${formatReason(error)}` }]);
  });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError([{ origin, key: "", message: "cannot be read: not UTF-8" }]);
  }
}

/** Whether a file is there. */
export async function isFile(file: string): Promise<boolean> {
  return await Deno.stat(file).then((facts) => facts.isFile, () => false);
}

/** Why a file could not be read, in a few words. */
export function formatReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  return error instanceof Error ? error.message : String(error);
}
