import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { dirname, extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Import, init, parse } from "es-module-lexer";
import { isWithin } from "./permissions.ts";

/** Whose module is examined. */
export interface ImportRules {
  /** The plugin's folder: absolute. */
  readonly folder: string;
  /** A built-in plugin may import packages, which the project has pinned, and Node's modules for files and networks. */
  readonly builtIn: boolean;
}

/** Modules that only compute. */
const PURE_MODULES =
  ("assert assert/strict async_hooks buffer crypto events path path/posix path/win32 punycode " +
    "querystring stream stream/consumers stream/promises stream/web string_decoder timers timers/promises url util " +
    "util/types zlib").split(" ");

/**
 * Modules that ask the runtime's permissions, but also take numbers of open files, of which standard input and output
 * are the host's own.
 */
const OUTWARD_MODULES = "dns dns/promises fs fs/promises http http2 https net os perf_hooks tls".split(" ");

type Refuse = (reason: string) => never;

const CONTRACT = "@sreg/contract/";
const EXTENSIONS = [".ts", ".js", ".mjs", ".mts"];

/**
 * Examines what a plugin's module and the files that it imports import, before any of it is loaded into a Web Worker,
 * where some of Node's modules are a way around permissions that cannot be closed from inside. Throws with the first
 * import that is refused.
 */
export async function vetImports(entry: string, rules: ImportRules): Promise<void> {
  await init;
  const seen = new Set<string>();
  const left = [entry];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    left.push(...await vetFile(file, rules));
  }
}

/** The plugin's own files that `file` imports. */
async function vetFile(file: string, rules: ImportRules): Promise<string[]> {
  const refuse: Refuse = (reason) => {
    throw new Error(`${file.slice(rules.folder.length + 1)} ${reason}`);
  };
  const extension = extname(file);
  if (extension === ".json") return [];
  if (!EXTENSIONS.includes(extension)) refuse(`is imported, but is no ${EXTENSIONS.join(", ")}`);
  const found: string[] = [];
  for (const specifier of listImports(file, await readFile(file, "utf8"), refuse)) {
    if (specifier === undefined) refuse("has an import() whose module is not a plain text");
    else if (isLocal(specifier)) found.push(locate(specifier, file, { rules, refuse }));
    else if (!isAllowed(specifier, rules)) refuse(`imports ${JSON.stringify(specifier)}`);
  }
  return found;
}

function listImports(file: string, source: string, refuse: Refuse): (string | undefined)[] {
  try {
    // Types are taken away without moving anything, so that what is examined is what will run.
    const [imports] = parse(/\.m?ts$/.test(file) ? stripTypeScriptTypes(source) : source);
    return imports.filter(({ type }) => type !== "import-meta").map(specifierOf);
  } catch (error) {
    return refuse(`cannot be examined: ${(error as Error).message.split("\n", 1)[0]}`);
  }
}

/** `undefined` where what is imported is not known before it runs. */
function specifierOf(found: Import): string | undefined {
  return found.type === "dynamic" && found.glob ? undefined : found.specifier ?? undefined;
}

function isLocal(specifier: string): boolean {
  return /^(?:\.{0,2}\/|file:)/.test(specifier);
}

function locate(
  specifier: string,
  file: string,
  { rules, refuse }: { readonly rules: ImportRules; readonly refuse: Refuse },
): string {
  const target = fileURLToPath(new URL(specifier, pathToFileURL(file)));
  // Built-in plugins may share files with each other.
  const shared = fileURLToPath(
    new URL(rules.builtIn ? "../../plugins" : "../../plugins/contract", import.meta.url),
  );
  if (!isWithin(rules.folder, target) && !isWithin(shared, target)) {
    refuse(`imports ${JSON.stringify(specifier)}, which is outside of its folder`);
  }
  return target;
}

function isAllowed(specifier: string, { builtIn }: ImportRules): boolean {
  if (specifier.startsWith(CONTRACT)) return !specifier.includes("..");
  const [, module] = /^node:(.*)$/.exec(specifier) ?? [];
  if (module !== undefined) {
    return PURE_MODULES.includes(module) || (builtIn && OUTWARD_MODULES.includes(module));
  }
  // Packages come from the project's own list; a URL of another kind never does.
  return builtIn && (specifier.startsWith("npm:") || !/^[a-z][a-z0-9+.-]*:/i.test(specifier));
}

/** Whether a plugin comes with the project. */
export function isBuiltIn(folder: string): boolean {
  return isWithin(dirname(fileURLToPath(new URL("../../plugins/contract", import.meta.url))), folder);
}
