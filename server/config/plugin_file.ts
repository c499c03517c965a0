import { join } from "node:path";
import { PLUGIN_KINDS, type PluginKind } from "../../plugins/contract/plugin.ts";
import { type Document, parseDocument, type Place } from "./document.ts";
import { ConfigError } from "./error.ts";
import { boolean, choice, type KindValue, path, text } from "./kinds.ts";
import { OPTION, type OptionsKind, optionsKind } from "./plugin_options.ts";
import { isFile, readTextFile } from "./read.ts";
import { defaulted, type Fields, list, named, optional, required, table } from "./tables.ts";

const PERMISSION_FIELDS = {
  read: optional(list(text()), "Files and folders to read."),
  write: optional(list(text()), "Files and folders to write."),
  net: optional(list(text()), 'Hosts to connect to, as `"host"`, `"host:port"` or a range of addresses.'),
  env: optional(list(text()), 'Environment variables to read, as `"NAME"` or `"PREFIX_*"`.'),
  sys: optional(list(text()), 'Facts of the system to read, by Deno\'s names (`"hostname"`).'),
} as const satisfies Fields;

const PERMISSIONS = table(PERMISSION_FIELDS);

/** Permissions in Deno's words; what is absent is not granted. */
export type Permissions = KindValue<typeof PERMISSIONS>;

/** Permissions as the operator grants them: their paths are relative to the file. */
export const GRANT = table({
  ...PERMISSION_FIELDS,
  read: optional(list(path), PERMISSION_FIELDS.read.doc),
  write: optional(list(path), PERMISSION_FIELDS.write.doc),
});

const NAME = text({ pattern: /^[a-z][a-z0-9_-]{0,63}$/, expected: 'a name such as "s3"' });
const VERSION = text({ pattern: /^\d+\.\d+\.\d+(?:[-+].+)?$/, expected: 'a version such as "1.0.0"' });
const ENTRY = text({
  pattern: /^(?![^]*\.\.)[\w.-]+(?:\/[\w.-]+)*$/,
  expected: 'a file in the plugin\'s folder such as "s3.ts"',
});

/** The keys of a `plugin.toml`. */
export const PLUGIN_FILE = table({
  name: required(NAME, "The plugin's name."),
  kind: required(choice(PLUGIN_KINDS), "The contract that it serves."),
  version: required(VERSION, "Its version."),
  entry: required(ENTRY, "The file of its module, in its folder."),
  description: optional(text(), "What it does, in one sentence."),
  instances: defaulted(boolean, {
    to: false,
    doc: "Whether its table holds one table for each instance, by name; the option `name` is that name.",
  }),
  permissions: defaulted(PERMISSIONS, {
    to: {},
    doc: 'What it needs, as templates over its options (`"{root_dir}"`); nothing else is granted.',
  }),
  options: defaulted(named(OPTION), { to: {}, doc: "Its settings: the keys of its table in `sreg.toml`." }),
});

/** What a `plugin.toml` says. */
export interface PluginFile {
  /** The folder that holds it: absolute. */
  readonly folder: string;
  readonly name: string;
  readonly kind: PluginKind;
  readonly version: string;
  /** What it does, in one sentence; empty: it does not say. */
  readonly description: string;
  /** The file of its module, in its folder. */
  readonly entry: string;
  /** Whether its table of `sreg.toml` holds a table for each of its instances. */
  readonly instances: boolean;
  /** What it asks for, as templates over its options. */
  readonly permissions: Permissions;
  /** What reads its table of `sreg.toml`. */
  readonly options: OptionsKind;
}

/** What the plugin in `folder` (absolute) says of itself. Throws a `ConfigError` about its `plugin.toml`. */
export async function readPluginFile(folder: string): Promise<PluginFile> {
  const origin = join(folder, "plugin.toml");
  const document = parseDocument({ origin, folder, text: await readTextFile(origin) });
  const content = PLUGIN_FILE.read(document.value, document.place);
  refuseProblems(document);
  const { name, kind, version, description = "", entry, instances, permissions, options } = content!;
  const settings = optionsKind(options, document.place.child("options"));
  checkTemplates(permissions, { at: document.place.child("permissions"), known: options });
  if (!await isFile(join(folder, entry))) {
    document.place.child("entry").fail("no such file in the plugin's folder");
  }
  refuseProblems(document);
  return { folder, name, kind, version, description, entry, instances, permissions, options: settings };
}

function refuseProblems(document: Document): void {
  const problems = document.problems();
  if (problems.length > 0) throw new ConfigError(problems);
}

/** A template names an option, a part of one after a dot (`{endpoint.host}`), or what it must be (`{credentials=file}`). */
function checkTemplates(
  permissions: Permissions,
  { at, known }: { readonly at: Place; readonly known: ReadonlyMap<string, unknown> },
): void {
  for (const [permission, templates] of Object.entries(permissions)) {
    for (const [index, template] of templates.entries()) {
      const options = [...template.matchAll(/\{([^{}.=]*)[^{}]*\}/g)].map(([, option]) => option!);
      const unknown = options.find((option) => !known.has(option));
      if (unknown === undefined) continue;
      at.child(permission).child(String(index)).fail(
        `expected a template over options, found no option "${unknown}"`,
      );
    }
  }
}
