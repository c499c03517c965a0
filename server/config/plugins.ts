import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PluginKind, PluginOptions } from "../../plugins/contract/plugin.ts";
import type { Place } from "./document.ts";
import type { Later } from "./kinds.ts";
import { nearest } from "./nearest.ts";
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
export type PluginTables = Pick<SregTable, "storage" | "plugin">;

/** The one storage plugin of `[storage.<name>]`; `undefined` after having told `root` what is wrong. */
export async function readStorage(tables: PluginTables, root: Place): Promise<PluginConfig | undefined> {
  const at = root.child("storage");
  const [first, ...others] = tables.storage;
  if (first === undefined) return at.fail("expected a table named after a storage plugin, found none", "key");
  for (const [name] of others) {
    at.child(name).fail(`expected one storage plugin, found ${first[0]} already`, "key");
  }
  return await readPlugin("storage", { name: first[0], table: first[1], declared: tables.plugin, root });
}

/** Tells `root` of plugins that are declared in vain. */
export function refuseUnused(tables: PluginTables, root: Place): void {
  for (const name of tables.plugin.keys()) {
    if (!tables.storage.has(name)) {
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

async function readPlugin(kind: PluginKind, use: PluginUse): Promise<PluginConfig | undefined> {
  const { name, table } = use;
  const own = use.declared.get(name);
  const found = await findFolder(kind, use);
  const file = found && await readPluginFolder(kind, found);
  const options = file?.options.read(table.value, table.at);
  if (!file || !options) return undefined;
  const { folder, entry, permissions } = file;
  const wall = own
    ? { isolation: own.isolation, granted: own.permissions }
    : { isolation: "worker" as const };
  return Object.freeze({ name, kind, folder, entry, permissions, options, ...wall });
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
