import { resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** What a plugin may touch, in Deno's words; what is absent is not granted. */
export interface PluginPermissions {
  /** Files and folders to read. */
  readonly read?: readonly string[];
  /** Files and folders to write. */
  readonly write?: readonly string[];
  /** Hosts to connect to: `host`, `host:port`, ranges of addresses. */
  readonly net?: readonly string[];
  /** Environment variables to read: `NAME`, `PREFIX_*`. */
  readonly env?: readonly string[];
  /** Facts of the system to read, by Deno's names. */
  readonly sys?: readonly string[];
}

/** The permissions that there are. */
export const PERMISSION_NAMES = ["read", "write", "net", "env", "sys"] as const;

type PermissionName = (typeof PERMISSION_NAMES)[number];
type Options = Readonly<Record<string, unknown>>;

const PLACEHOLDER = /\{([^{}]+)\}/g;

/**
 * What `asked` comes to with these options: `{root_dir}` is the option's value, `{endpoint.host}` the host and, if it
 * has one, the port of an option that is a URL. An entry whose option is not set asks for nothing; of an option that is
 * a list, each item asks. `{credentials=file}` stands for nothing, and its entry asks only where the option has that value. Paths become absolute; `npm:<package>` is the folder of a package that `deno.json` pins. Throws where a URL is none, or a value would grant everything.
 */
export function expandPermissions(asked: PluginPermissions, options: Options): PluginPermissions {
  const expanded = PERMISSION_NAMES.flatMap((name) => {
    const entries = asked[name]?.flatMap((template) => expand(template, options)) ?? [];
    return entries.length > 0 ? [[name, entries.map((entry) => concrete(name, entry))] as const] : [];
  });
  return Object.fromEntries(expanded);
}

/** What of `asked` is not in `granted`, each as `net "ldap.corp:636"`. Both are concrete. */
export function checkGrant(asked: PluginPermissions, granted: PluginPermissions): string[] {
  return PERMISSION_NAMES.flatMap((name) =>
    (asked[name] ?? [])
      .filter((entry) => !(granted[name] ?? []).some((grant) => covers(name, grant, entry)))
      .map((entry) => `${name} ${JSON.stringify(entry)}`)
  );
}

/** Whether `path` is `folder` or in it; both absolute. */
export function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

/** The entries of a template: one, none, or, for an option that is a list, as many as it has items. */
function expand(template: string, options: Options): string[] {
  const [placeholder] = template.match(PLACEHOLDER) ?? [];
  if (placeholder === undefined) return [template];
  return lookUp(placeholder.slice(1, -1), options)
    .flatMap((text) => expand(template.replace(placeholder, () => escapeBraces(text)), options))
    .map((text) => text.replaceAll("\0", "{"));
}

/** A value's own braces are no placeholders. */
function escapeBraces(text: string): string {
  return text.replaceAll("{", "\0");
}

function lookUp(path: string, options: Options): string[] {
  const [, option = "", sign, part] = /^([^.=]*)(?:([.=])(.*))?$/.exec(path) ?? [];
  const value = Object.hasOwn(options, option) ? options[option] : undefined;
  if (value === undefined) return [];
  if (sign === "=") return String(value) === part ? [""] : [];
  const texts = (Array.isArray(value) ? value : [value]).map(String);
  if (part === undefined) return texts;
  if (part !== "host") throw new TypeError(`Cannot expand {${path}}: only .host can be asked of an option`);
  return texts.map((text) => hostOf(option, text));
}

/** Where a URL leads that names no port. */
const PORTS: Readonly<Record<string, number>> = {
  "https:": 443,
  "http:": 80,
  ...{ "redis:": 6379, "rediss:": 6379, "valkey:": 6379, "valkeys:": 6379 },
};

function hostOf(option: string, text: string): string {
  const { host, port, protocol } = URL.canParse(text) ? new URL(text) : { host: "", port: "", protocol: "" };
  if (host === "") {
    // A password may stand before it.
    const shown = text.includes("@") ? "it" : JSON.stringify(text);
    throw new TypeError(`Cannot expand {${option}.host}: ${shown} is no URL`);
  }
  const fallback = PORTS[protocol];
  return port === "" && fallback !== undefined ? `${host}:${fallback}` : host;
}

function isPath(name: PermissionName): boolean {
  return name === "read" || name === "write";
}

function concrete(name: PermissionName, entry: string): string {
  // An empty entry would be the current folder, or, to the runtime, everything.
  if (entry === "") throw new TypeError(`Cannot grant ${name} "": it is empty`);
  if (!isPath(name)) return entry;
  return name === "read" && entry.startsWith(PACKAGE)
    ? packageFolder(entry.slice(PACKAGE.length))
    : resolve(entry);
}

/** Begins an entry of `read` that asks for the files of a package that the project pins. */
const PACKAGE = "npm:";

/** Where the runtime keeps a package, whether it is there already or will be when it is imported. */
function packageFolder(name: string): string {
  const url = import.meta.resolve(name);
  const end = url.indexOf(`/${name}/`);
  if (!url.startsWith("file:") || end < 0) {
    throw new TypeError(`Cannot grant the files of ${name}: no such package`);
  }
  const [version] = url.slice(end + name.length + 2).split("/");
  return fileURLToPath(`${url.slice(0, end)}/${name}/${version}`);
}

function covers(name: PermissionName, grant: string, entry: string): boolean {
  if (isPath(name)) return isWithin(resolve(grant), resolve(entry));
  if (grant === entry) return true;
  // A grant of a host is one of all its ports, a grant of a prefix one of all that begins so.
  if (name === "net") return /^(?:[^:/]+|\[[^\]]+\])$/.test(grant) && entry.startsWith(`${grant}:`);
  return name === "env" && grant.endsWith("*") && entry.startsWith(grant.slice(0, -1));
}

/** The environment variables of this process that `grants` name. */
export function grantedEnv(grants: readonly string[]): Record<string, string> {
  if (grants.length === 0) return {};
  const entries = Object.entries(Deno.env.toObject());
  return Object.fromEntries(entries.filter(([name]) => grants.some((grant) => covers("env", grant, name))));
}
