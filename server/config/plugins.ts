import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PluginKind, PluginOptions } from "../../plugins/contract/plugin.ts";
import { isTable, type Place, type TomlTable } from "./document.ts";
import type { Later } from "./kinds.ts";
import { findPatternProblem } from "../../plugins/contract/pattern.ts";
import { nearest } from "../../plugins/contract/nearest.ts";
import { type Permissions, type PluginFile, readPluginFile } from "./plugin_file.ts";
import { isFile } from "./read.ts";
import type { DeclaredPlugin, SregTable } from "./schema.ts";

/** A plugin that is to be started. */
export interface PluginConfig {
  /** Its name in `sreg.toml`. */
  readonly name: string;
  readonly kind: PluginKind;
  /** The folder that holds it: absolute. */
  readonly folder: string;
  /** The file of its module, in its folder. */
  readonly entry: string;
  readonly isolation: "worker" | "process";
  /** What it asks for, as templates over its options. */
  readonly permissions: Permissions;
  /** What the operator grants it; absent for built-in plugins, which get what they ask for. */
  readonly granted?: Permissions;
  /** Its settings, as it names them: checked, defaults filled in. */
  readonly options: PluginOptions;
}

const BUILT_IN = fileURLToPath(new URL("../../plugins/", import.meta.url));

/** The tables that plugins are named in. */
export type PluginTables = Pick<
  SregTable,
  | "lockStore"
  | "cacheStore"
  | "storage"
  | "plugin"
  | "identity"
  | "auth"
  | "policy"
  | "role"
  | "binding"
  | "global"
  | "repository"
>;

/** The tables of which each holds one plugin, what kind it is of, and which it is where the table is not there. */
const SINGLE = {
  storage: { key: "storage", kind: "storage" },
  lockStore: { key: "lock_store", kind: "lock", usual: "memory" },
  cacheStore: { key: "cache_store", kind: "cache", usual: "memory" },
} as const satisfies Partial<Record<keyof PluginTables, SingleRow>>;

interface SingleRow {
  readonly key: string;
  readonly kind: PluginKind;
  readonly usual?: string;
}

/**
 * The one plugin of `[storage.<name>]`, `[lock_store.<name>]` or `[cache_store.<name>]`; `undefined` after having told `root` what is
 * wrong.
 */
export async function readSingle(
  table: keyof typeof SINGLE,
  tables: PluginTables,
  root: Place,
): Promise<PluginConfig | undefined> {
  const { key, kind, usual }: SingleRow = SINGLE[table];
  const at = root.child(key);
  const [first, ...others] = tables[table];
  for (const [name] of others) {
    at.child(name).fail(`expected one ${kind} plugin, found ${first![0]} already`, "key");
  }
  if (first) return await readOne(kind, { name: first[0], table: first[1], declared: tables.plugin, root });
  if (usual === undefined) {
    return at.fail(`expected a table named after a ${kind} plugin, found none`, "key");
  }
  // Nobody has named it: a plugin of one's own that has its name is another's.
  return await readOne(kind, { name: usual, table: { value: {}, at }, declared: new Map(), root });
}

async function readOne(kind: PluginKind, use: PluginUse): Promise<PluginConfig | undefined> {
  const [plugin] = await readPlugin(kind, use);
  return plugin;
}

/** The plugin that checks passwords, for when only the registry's store has any. */
export async function readPasswords(tables: PluginTables, root: Place): Promise<PluginConfig | undefined> {
  const table = tables.auth.get("password") ?? { value: {}, at: root.child("auth").child("password") };
  const [plugin] = await readPlugin("auth", { name: "password", table, declared: tables.plugin, root });
  return plugin;
}

/** The auth plugins, in the order in which they are asked: passwords, then the tables of `[auth]`. */
export async function readAuths(tables: PluginTables, root: Place): Promise<PluginConfig[]> {
  const identities = [...tables.identity].map(([id, identity]) => ({
    id,
    ...identity,
    groups: [...identity.groups],
  }));
  const filled = identities.length > 0 ? { password: { identities } } : {};
  return await readChain("auth", { tables, root, filled });
}

/**
 * The policy plugins, as far as they are configured: CEL rules, roles, then the tables of `[policy]`. With `adminId`
 * somebody has the role admin besides, where there are policies that could be in the way.
 */
export async function readPolicies(
  tables: PluginTables,
  { root, adminId }: { readonly root: Place; readonly adminId: string | undefined },
): Promise<PluginConfig[]> {
  const policies = celPolicies(tables);
  const roles = [...tables.role].map(([name, { verbs, repositories }]) => ({
    name,
    verbs: [...verbs],
    repositories: [...repositories],
  }));
  const bindings = tables.binding.map(({ role, users, groups }) => ({
    role,
    users: [...users],
    groups: [...groups],
  }));
  const isRestricted = policies.length + roles.length + bindings.length + tables.policy.size > 0;
  if (adminId !== undefined && isRestricted) bindings.push({ role: "admin", users: [adminId], groups: [] });
  const filled = {
    ...(policies.length > 0 && { cel: { policies } }),
    ...(roles.length + bindings.length > 0 && { rbac: { roles, bindings } }),
  };
  return await readChain("policy", { tables, root, filled });
}

/** The plugin that knows roles, for when only the registry's store has any. With `adminId` somebody has the role admin. */
export async function readSpareRoles(
  tables: PluginTables,
  { root, adminId }: { readonly root: Place; readonly adminId: string | undefined },
): Promise<PluginConfig | undefined> {
  const value = adminId === undefined ? {} : { bindings: [{ role: "admin", users: [adminId], groups: [] }] };
  const table = { value, at: root.child("policy").child("rbac") };
  const [plugin] = await readPlugin("policy", { name: "rbac", table, declared: tables.plugin, root });
  return plugin;
}

/** Tells `root` of names of `[repository]` that can mean no repository: what they say would hold nowhere. */
export function refusePatterns({ repository }: PluginTables, root: Place): void {
  for (const name of repository.keys()) {
    const problem = findPatternProblem(name);
    if (problem) root.child("repository").child(name).fail(problem.message, "key");
  }
}

function celPolicies({ global, repository }: PluginTables): TomlTable[] {
  return scopesOf({ global, repository }).flatMap(({ path, scope, settings: { accessPolicy } }) =>
    accessPolicy
      ? [{
        path: [...path, "access_policy"],
        ...scope,
        default_allow: accessPolicy.defaultAllow,
        rules: [...accessPolicy.rules],
      }]
      : []
  );
}

/** The tables that can say something of repositories, and where they stand. */
function scopesOf({ global, repository }: Pick<PluginTables, "global" | "repository">) {
  return [
    { path: ["global"], scope: {}, settings: global },
    ...[...repository].map(([pattern, settings]) => ({
      path: ["repository", pattern],
      scope: { pattern },
      settings,
    })),
  ];
}

/**
 * The plugin that evaluates the rules of retention, where there are any. It is started on its own: rules that say what to keep are
 * no policy of access, and the many images that they are asked about must not keep requests waiting.
 */
export async function readRetention(tables: PluginTables, root: Place): Promise<PluginConfig | undefined> {
  const retention = scopesOf(tables).flatMap(({ path, scope, settings: { retentionPolicy } }) =>
    retentionPolicy
      ? [{ path: [...path, "retention_policy"], ...scope, rules: [...retentionPolicy.rules] }]
      : []
  );
  if (retention.every(({ rules }) => rules.length === 0)) return undefined;
  const table = { value: { retention }, at: root.child("policy").child("cel") };
  const [plugin] = await readPlugin("policy", { name: "cel", table, declared: tables.plugin, root });
  return plugin && Object.freeze({ ...plugin, name: "cel.retention" });
}

interface ChainSource {
  readonly tables: PluginTables;
  readonly root: Place;
  /** Plugins that other tables configure, with the settings that come from there. */
  readonly filled: Readonly<Record<string, TomlTable>>;
}

async function readChain(
  kind: "auth" | "policy",
  { tables, root, filled }: ChainSource,
): Promise<PluginConfig[]> {
  const written = [...tables[kind]].filter(([name]) => !Object.hasOwn(filled, name));
  const uses = [
    ...Object.entries(filled).map(([name, settings]) => {
      const table = tables[kind].get(name);
      const value = table && isTable(table.value) ? { ...table.value, ...settings } : settings;
      return [name, { value, at: table?.at ?? root.child(kind).child(name) }] as const;
    }),
    ...written,
  ];
  const found = await Promise.all(
    uses.map(([name, table]) => readPlugin(kind, { name, table, declared: tables.plugin, root })),
  );
  return found.flat();
}

/** Tells `root` of plugins that are declared in vain. */
export function refuseUnused(tables: PluginTables, root: Place): void {
  const { storage, lockStore, cacheStore, auth, policy } = tables;
  for (const name of tables.plugin.keys()) {
    if (![storage, lockStore, cacheStore, auth, policy].some((table) => table.has(name))) {
      root.child("plugin").child(name).fail("declared, but no table uses it", "key");
    }
  }
}

interface PluginUse {
  readonly name: string;
  /** Its table of settings. */
  readonly table: Later;
  readonly declared: ReadonlyMap<string, DeclaredPlugin>;
  readonly root: Place;
}

/** The plugins of a table: one, or, of a plugin with instances, one for each of them; none where something is wrong. */
async function readPlugin(kind: PluginKind, use: PluginUse): Promise<PluginConfig[]> {
  const { name } = use;
  const own = use.declared.get(name);
  const found = await findFolder(kind, use);
  const file = found && await readPluginFolder(kind, found);
  if (!file) return [];
  const { folder, entry, permissions } = file;
  const wall = own
    ? { isolation: own.isolation, granted: own.permissions }
    : { isolation: "worker" as const };
  return instancesOf(file, use).flatMap(({ name, table }) => {
    const options = file.options.read(table.value, table.at);
    return options ? [Object.freeze({ name, kind, folder, entry, permissions, options, ...wall })] : [];
  });
}

function instancesOf(
  { instances }: PluginFile,
  { name, table }: PluginUse,
): { readonly name: string; readonly table: Later }[] {
  if (!instances) return [{ name, table }];
  const { value, at } = table;
  if (!isTable(value) || Object.values(value).some((item) => !isTable(item))) {
    at.fail(`expected a table for each instance, such as [${[...at.path, "main"].join(".")}]`, "key");
    return [];
  }
  return Object.entries(value).map(([instance, settings]) => ({
    name: `${name}.${instance}`,
    table: { value: { ...(settings as TomlTable), name: instance }, at: at.child(instance) },
  }));
}

interface FoundFolder {
  readonly folder: string;
  /** What names it. */
  readonly at: Place;
}

/** The folder of a plugin: the built-in one's, or the one that the operator declared. */
async function findFolder(kind: PluginKind, use: PluginUse): Promise<FoundFolder | undefined> {
  const { name, table, declared, root } = use;
  const builtIn = await listBuiltIn(kind);
  const own = declared.get(name);
  if (!own && builtIn.includes(name)) return { folder: join(BUILT_IN, kind, name), at: table.at };
  if (!own) {
    return table.at.fail(unknownPlugin({ kind, name, known: [...builtIn, ...declared.keys()] }), "key");
  }
  const at = root.child("plugin").child(name);
  if (builtIn.includes(name)) return at.fail(`a built-in ${kind} plugin has this name already`, "key");
  return { folder: own.path, at: at.child("path") };
}

/** The `plugin.toml` of a folder, which must be of a plugin of `kind`. */
async function readPluginFolder(
  kind: PluginKind,
  { folder, at }: FoundFolder,
): Promise<PluginFile | undefined> {
  if (!await isFile(join(folder, "plugin.toml"))) {
    return at.fail(`expected a folder with a plugin.toml, found none in ${folder}`);
  }
  const file = await readPluginFile(folder);
  return file.kind === kind ? file : at.fail(`expected a ${kind} plugin, found one of kind ${file.kind}`);
}

function unknownPlugin(
  { kind, name, known }: {
    readonly kind: PluginKind;
    readonly name: string;
    readonly known: readonly string[];
  },
): string {
  const meant = nearest(name, known);
  return `no such ${kind} plugin, ${meant ? `did you mean ${meant}?` : `there are: ${known.join(", ")}`}`;
}

async function listBuiltIn(kind: PluginKind): Promise<string[]> {
  const names: string[] = [];
  const folder = join(BUILT_IN, kind);
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory && await isFile(join(folder, name, "plugin.toml"))) names.push(name);
  }
  return names.toSorted();
}
