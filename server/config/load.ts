import { dirname, resolve } from "node:path";
import { parseDocument, type Place } from "./document.ts";
import { ConfigError, type ConfigProblem } from "./error.ts";
import { type ConfigOverrides, flagValues } from "./flags.ts";
import { type PluginConfig, type PluginTables, readStorage, refuseUnused } from "./plugins.ts";
import { isFile, readTextFile } from "./read.ts";
import { SREG, type SregTable } from "./schema.ts";
import { checkTls } from "./tls.ts";

/** How the registry is to run: the file and the flags, checked, with defaults filled in. Nothing in it can be changed. */
export interface Config extends Pick<SregTable, "server" | "uploads" | "log"> {
  /** Where the data are kept. */
  readonly storage: PluginConfig;
}

/** Where a configuration comes from. */
export interface ConfigSource {
  /** The file, as the operator named it; none: all is default. */
  readonly file?: string;
  /** Its text, where it is known already. */
  readonly text?: string;
  /** What the command line says. */
  readonly overrides?: ConfigOverrides;
  /** The folder that the file's name and the flags are relative to; default: the working directory. */
  readonly cwd?: string;
}

/** The configuration of a file and flags. Throws a `ConfigError` with all that is wrong with it. */
export async function loadConfig(source: ConfigSource): Promise<Config> {
  const { file, overrides = {}, cwd = Deno.cwd() } = source;
  const folder = file === undefined ? cwd : dirname(resolve(cwd, file));
  const text = source.text ?? (file === undefined ? "" : await readTextFile(resolve(cwd, file), file));
  const document = parseDocument({ origin: file ?? "(no file)", folder, text }, flagValues(overrides, cwd));
  const { place } = document;
  const { server, storage, plugin, uploads, log } = SREG.readPartly(document.value, place);
  if (server?.tls) await checkTls(server.tls, place.child("server").child("tls"));
  const plugins = storage && plugin
    ? await readPlugins({ storage, plugin }, { place, overrides })
    : undefined;
  const problems = [...document.problems(), ...plugins?.problems ?? []];
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({ server: server!, storage: plugins!.storage!, uploads: uploads!, log: log! });
}

interface ReadPlugins {
  readonly storage?: PluginConfig | undefined;
  /** What is wrong in the plugins' own files. */
  readonly problems: readonly ConfigProblem[];
}

async function readPlugins(
  tables: PluginTables,
  { place, overrides }: { readonly place: Place; readonly overrides: ConfigOverrides },
): Promise<ReadPlugins> {
  refuseUnused(tables, place);
  const other = [...tables.storage.keys()].find((name) => name !== "fs");
  if (overrides.dataDir !== undefined && other !== undefined) {
    place.child("storage").child(other).fail(
      "--data-dir cannot be used with it, only with storage.fs",
      "key",
    );
    return { problems: [] };
  }
  try {
    return { storage: await readStorage(tables, place), problems: [] };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems };
    throw error;
  }
}

/** The configuration file to use: `flag`, else `sreg.toml` or `config.toml` in `cwd`, else none. */
export async function resolveConfigFile(cwd: string, flag?: string): Promise<string | undefined> {
  if (flag !== undefined) return flag;
  for (const name of ["sreg.toml", "config.toml"]) {
    if (await isFile(resolve(cwd, name))) return name;
  }
  return undefined;
}
