import { Buffer } from "node:buffer";
import { dirname, join, resolve } from "node:path";
import { ConfigError } from "./error.ts";
import type { DocumentSource } from "./toml.ts";

/** A file of the configuration, read. */
export interface ConfigFile extends DocumentSource {
  /** Its absolute path. */
  readonly file: string;
}

/**
 * The files that `paths` name, in their order; a folder stands for its `*.toml` in the byte order of their names. Paths
 * are relative to `cwd`. Throws a `ConfigError` for what cannot be read, a folder without such files, and a file that
 * is named twice.
 */
export async function readConfigFiles(paths: readonly string[], cwd: string): Promise<ConfigFile[]> {
  const names: string[] = [];
  for (const path of paths) names.push(...await expandFolder(path, cwd));
  const files = new Map<string, ConfigFile>();
  for (const origin of names) {
    const file = resolve(cwd, origin);
    const text = await readTextFile(file, origin);
    const real = await Deno.realPath(file);
    const first = files.get(real);
    if (first) throw refused(origin, `expected each file once, it is read as ${first.origin} already`);
    files.set(real, { origin, file, folder: dirname(file), text });
  }
  return [...files.values()];
}

async function expandFolder(path: string, cwd: string): Promise<string[]> {
  const folder = resolve(cwd, path);
  if (!await isFolder(folder)) return [path];
  const names = await listTomlFiles(folder).catch((error: unknown) => {
    throw refused(path, `cannot be read: ${formatReason(error)}`);
  });
  if (names.length === 0) throw refused(path, "expected a folder with *.toml files, found none in it");
  return names.map((name) => join(path, name));
}

/** The names of a folder's configuration files, in byte order; as in a shell, `*` is no hidden file. */
export async function listTomlFiles(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".toml") && !name.startsWith(".")) names.push(name);
  }
  return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** The text of a file, without a byte order mark. Throws a `ConfigError` where it cannot be read or is not UTF-8. */
export async function readTextFile(file: string, origin: string = file): Promise<string> {
  const bytes = await Deno.readFile(file).catch((error: unknown) => {
    throw refused(origin, `cannot be read: ${formatReason(error)}`);
  });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refused(origin, "cannot be read: not UTF-8");
  }
}

/** Whether a file is there. */
export async function isFile(file: string): Promise<boolean> {
  return await Deno.stat(file).then((facts) => facts.isFile, () => false);
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then((facts) => facts.isDirectory, () => false);
}

/** Why a file could not be read, in a few words. */
export function formatReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  return error instanceof Error ? error.message : String(error);
}

function refused(origin: string, message: string): ConfigError {
  return new ConfigError([{ origin, key: "", message }]);
}
