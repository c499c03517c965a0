import { resolve } from "node:path";
import { type Document, parseDocuments, type Place } from "./document.ts";
import { ConfigError, type ConfigProblem } from "./error.ts";
import { ADMIN_ID, type ConfigOverrides, flagValues } from "./flags.ts";
import {
  type PluginConfig,
  type PluginTables,
  readAuths,
  readPasswords,
  readPolicies,
  readRetention,
  readSingle,
  readSpareRoles,
  refusePatterns,
  refuseUnused,
} from "./plugins.ts";
import { isFile, readConfigFiles } from "./read.ts";
import { SREG, type SregTable } from "./schema.ts";
import type { StringPart } from "./string_offsets.ts";
import { checkTls } from "./tls.ts";

/** How the registry is to run: the files and the flags, checked, with defaults filled in. Nothing in it can be changed. */
export interface Config extends
  Pick<
    SregTable,
    | "server"
    | "uploads"
    | "blobs"
    | "garbage"
    | "log"
    | "admin"
    | "audit"
    | "access"
    | "global"
    | "schedule"
    | "jobs"
  > {
  /** Where the data are kept. */
  readonly storage: PluginConfig;
  /** What locks what servers share, where the store cannot make conditions. */
  readonly lockStore: PluginConfig;
  /** What saves questions to a shared store. */
  readonly cacheStore: PluginConfig;
  /** What holds for some repositories, by name or glob. */
  readonly repositories: readonly (readonly [pattern: string, settings: SregTable["global"]])[];
  /** What tells who is asking, in the order in which it is asked. */
  readonly auths: readonly PluginConfig[];
  /** What checks passwords where only the registry's store has any. */
  readonly passwords: PluginConfig;
  /** What knows roles where only the registry's store has any; the one of `policies`, where it is there. */
  readonly roles: PluginConfig;
  /** What decides who may do what: the chain. */
  readonly policies: readonly PluginConfig[];
  /** What evaluates the rules of retention, beside policies that are asked about it as well; absent: there are none. */
  readonly retention?: PluginConfig;
}

/** Where a configuration comes from. */
export interface ConfigSource {
  /** Files and folders, as the operator named them, merged in this order; none: all is default. */
  readonly files?: readonly string[];
  /** What the command line says. */
  readonly overrides?: ConfigOverrides;
  /** The folder that the files' names and the flags are relative to; default: the working directory. */
  readonly cwd?: string;
}

/** What a configuration was read from. */
export interface ConfigSources {
  /** The files that were read, and the folders that were named: absolute, in their order. */
  readonly paths: readonly string[];
  /**
   * A problem with a part of the string at `path` (keys, and indices as text), which is where the operator wrote it; with
   * all of the value where that is no string, with the nearest table around it where it is not written.
   */
  problemAt(path: readonly string[], part: StringPart, message: string): ConfigProblem;
}

/** A configuration, and what it was read from. */
export interface ReadConfig {
  readonly config: Config;
  readonly sources: ConfigSources;
}

/** The configuration of files and flags. Throws a `ConfigError` with all that is wrong with it. */
export async function loadConfig(source: ConfigSource): Promise<Config> {
  return (await readConfig(source)).config;
}

/** The configuration of files and flags, with its sources. Throws a `ConfigError` with all that is wrong with it. */
export async function readConfig(source: ConfigSource): Promise<ReadConfig> {
  const { files: paths = [], overrides = {}, cwd = Deno.cwd() } = source;
  const files = await readConfigFiles(paths, cwd);
  const [first = { origin: "(no file)", folder: cwd, text: "" }, ...others] = files;
  const document = parseDocuments([first, ...others], flagValues(overrides, cwd));
  const config = await readDocument(document, overrides);
  const named = paths.map((path) => resolve(cwd, path));
  const sources = {
    paths: [...new Set([...named, ...files.map(({ file }) => file)])],
    problemAt: document.problemAt.bind(document),
  };
  return { config, sources };
}

async function readDocument(document: Document, overrides: ConfigOverrides): Promise<Config> {
  const { place } = document;
  const tables = SREG.readPartly(document.value, place);
  for (const key of ["server", "admin"] as const) {
    const tls = tables[key]?.tls;
    if (tls) await checkTls(tls, place.child(key).child("tls"));
  }
  // What plugins are told comes from many tables; where one of those is wrong there is nothing to tell.
  const isWhole = PLUGIN_TABLES.every((key) => tables[key] !== undefined);
  const plugins = isWhole ? await readPlugins(tables as SregTable, { place, overrides }) : NO_PLUGINS;
  const problems = [...document.problems(), ...plugins.problems];
  if (problems.length > 0) throw new ConfigError(problems);
  const { server, admin, audit, uploads, blobs, garbage, log, access, global, repository, schedule, jobs } =
    tables as SregTable;
  return Object.freeze({
    server,
    ...(admin && { admin }),
    audit,
    schedule,
    jobs,
    uploads,
    blobs,
    garbage,
    log,
    access,
    global,
    repositories: Object.freeze([...repository].map((entry) => Object.freeze(entry))),
    storage: plugins.storage!,
    lockStore: plugins.lockStore!,
    cacheStore: plugins.cacheStore!,
    auths: Object.freeze(plugins.auths),
    passwords: plugins.passwords!,
    roles: plugins.roles!,
    policies: Object.freeze(plugins.policies),
    ...(plugins.retention && { retention: plugins.retention }),
  });
}

const PLUGIN_TABLES = [
  "storage",
  "lockStore",
  "cacheStore",
  "plugin",
  "identity",
  "auth",
  "policy",
  "role",
  "binding",
  "global",
  "repository",
  "access",
] as const satisfies readonly (keyof PluginTables | "access")[];

interface ReadPlugins {
  readonly storage?: PluginConfig | undefined;
  readonly lockStore?: PluginConfig | undefined;
  readonly cacheStore?: PluginConfig | undefined;
  readonly passwords?: PluginConfig | undefined;
  readonly roles?: PluginConfig | undefined;
  readonly auths: readonly PluginConfig[];
  readonly policies: readonly PluginConfig[];
  readonly retention?: PluginConfig | undefined;
  /** What is wrong in the plugins' own files. */
  readonly problems: readonly ConfigProblem[];
}

async function readPlugins(
  tables: SregTable,
  { place, overrides }: { readonly place: Place; readonly overrides: ConfigOverrides },
): Promise<ReadPlugins> {
  refuseUnused(tables, place);
  refusePatterns(tables, place);
  if (refusesDataDir(tables, { place, overrides })) return NO_PLUGINS;
  try {
    const storage = await readSingle("storage", tables, place);
    const lockStore = await readSingle("lockStore", tables, place);
    const cacheStore = await readSingle("cacheStore", tables, place);
    const auths = await readAuths(tables, place);
    const passwords = auths.find(({ name }) => name === "password") ?? await readPasswords(tables, place);
    const adminId = overrides.admin && ADMIN_ID;
    const policies = orderPolicies(
      await readPolicies(tables, { root: place, adminId }),
      tables.access,
      place,
    );
    const roles = policies.find(({ name }) => name === "rbac") ??
      await readSpareRoles(tables, { root: place, adminId });
    const retention = await readRetention(tables, place);
    const single = { storage, lockStore, cacheStore, passwords, roles, retention };
    return { ...single, auths, policies, problems: [] };
  } catch (error) {
    if (error instanceof ConfigError) return { auths: [], policies: [], problems: error.problems };
    throw error;
  }
}

const NO_PLUGINS: ReadPlugins = { auths: [], policies: [], problems: [] };

function refusesDataDir(
  tables: PluginTables,
  { place, overrides }: { readonly place: Place; readonly overrides: ConfigOverrides },
): boolean {
  const other = [...tables.storage.keys()].find((name) => name !== "fs");
  if (overrides.dataDir === undefined || other === undefined) return false;
  place.child("storage").child(other).fail("--data-dir cannot be used with it, only with storage.fs", "key");
  return true;
}

/** The policies in the order of `[access] policies`, which must name them all: one that is left out would not be asked. */
function orderPolicies(
  found: readonly PluginConfig[],
  { policies: chain }: SregTable["access"],
  root: Place,
): readonly PluginConfig[] {
  if (!chain) return found;
  const at = root.child("access").child("policies");
  const known = found.map(({ name }) => name);
  for (const [index, name] of chain.entries()) {
    if (chain.indexOf(name) < index) at.child(String(index)).fail("named twice");
    if (!known.includes(name)) {
      at.child(String(index)).fail(`no such policy is configured, there are: ${known.join(", ")}`);
    }
  }
  const missing = known.find((name) => !chain.includes(name));
  if (missing !== undefined) at.fail(`the policy ${missing} is configured, but not named here`);
  return chain.flatMap((name) => found.filter((policy) => policy.name === name));
}

/** The configuration files to use: those of `flags`, else `sreg.toml` or `config.toml` in `cwd`, else none. */
export async function resolveConfigFiles(cwd: string, flags: readonly string[] = []): Promise<string[]> {
  if (flags.length > 0) return [...flags];
  for (const name of ["sreg.toml", "config.toml"]) {
    if (await isFile(resolve(cwd, name))) return [name];
  }
  return [];
}
