/** Who may import whom: the map of the project as data, and the rule that holds imports against it. */

import { dirname, join } from "../support/paths.ts";
import { isSuite, isTest, projectPath } from "./files.ts";

/** A part of the project, and what it may import besides itself. */
export interface Layer {
  /** Its folder, or its file, from the project's root. */
  readonly path: string;
  /** The layers that it may import, by their paths. */
  readonly imports: readonly string[];
  /** Whether it may import npm packages and Node's modules. */
  readonly outside?: "node" | "npm";
}

const CONTRACT = "plugins/contract";

/** The most particular layer of a file counts: the first whose path begins the file's. */
export const LAYERS: readonly Layer[] = [
  { path: CONTRACT, imports: [] },
  { path: "plugins", imports: [CONTRACT], outside: "npm" },
  { path: "server/oci", imports: [] },
  { path: "server/registry", imports: ["server/oci", CONTRACT], outside: "npm" },
  { path: "server/access", imports: ["server/oci", CONTRACT], outside: "npm" },
  {
    path: "server/api",
    imports: ["server/oci", "server/registry", "server/access", "server/observe", CONTRACT],
  },
  {
    path: "server/admin",
    imports: [
      "server/oci",
      "server/registry",
      "server/access",
      "server/api",
      "server/jobs",
      "server/observe",
      CONTRACT,
    ],
  },
  {
    path: "server/jobs",
    imports: ["server/registry/task.ts", "server/observe", CONTRACT],
    outside: "npm",
  },
  { path: "server/proxy", imports: ["server/oci", "server/registry", CONTRACT], outside: "npm" },
  { path: "server/config", imports: ["server/oci", "server/jobs/cron.ts", CONTRACT], outside: "npm" },
  { path: "server/sandbox", imports: [CONTRACT], outside: "npm" },
  { path: "server/http", imports: ["server/observe", CONTRACT], outside: "npm" },
  { path: "server/observe", imports: [CONTRACT], outside: "npm" },
  { path: "server/ui", imports: [] },
  { path: "server/main.ts", imports: ["server"], outside: "npm" },
  { path: "server", imports: ["server", CONTRACT], outside: "npm" },
  // Policies are tried out without a server: that one file starts them, so that the CLI need not know how plugins run.
  {
    path: "cli",
    imports: ["server/oci", "server/config", "server/admin", "server/policy_trial.ts", CONTRACT],
    outside: "npm",
  },
];

/** The layer of a file, `undefined` for what is in none: tests, the project's root. */
export function layerOf(path: string): Layer | undefined {
  const layer = LAYERS.find((candidate) => isWithin(path, candidate.path));
  // A new folder of the server must say what it may import; only files beside main.ts may import all of it.
  const isUnlisted = layer?.path === "server" && path.split("/").length > 2;
  return isUnlisted ? { path: dirname(path), imports: [] } : layer;
}

/** Why `file` may not import `specifier`, or `undefined`. */
export function refuseImport(file: string, specifier: string): string | undefined {
  if (/^(?:jsr:|https?:)/.test(specifier)) {
    return "only npm packages and Node's modules can be imported from outside";
  }
  if (isTest(file)) return undefined;
  const layer = layerOf(file);
  if (layer === undefined) return undefined;
  const target = resolveImport(file, specifier);
  return target === undefined ? refuseOutside(layer, { file, specifier }) : refuseInside(layer, target);
}

function refuseOutside(
  { path, outside }: Layer,
  { file, specifier }: { readonly file: string; readonly specifier: string },
): string | undefined {
  const isNode = specifier.startsWith("node:");
  if (outside === "npm" || (isNode && (outside === "node" || isSuite(file)))) return undefined;
  return `${path} imports nothing from outside the project`;
}

function refuseInside({ path, imports }: Layer, target: string): string | undefined {
  if (isTest(target)) return "only tests import tests";
  if (/^(?:server|cli)\/main\.ts$/.test(target)) return "nothing imports a main.ts";
  if (isWithin(target, path)) return undefined;
  if (imports.some((allowed) => isWithin(target, allowed))) return undefined;
  const allowed = imports.length > 0 ? `only ${imports.join(", ")}` : "nothing";
  return `${path} imports ${allowed}${imports.length > 0 ? " and itself" : " but itself"}, not ${
    dirname(target)
  }`;
}

/** The file of the project that is imported, or `undefined` for what comes from outside. */
function resolveImport(file: string, specifier: string): string | undefined {
  if (specifier.startsWith("@sreg/contract/")) return specifier.replace("@sreg/contract", CONTRACT);
  if (/^\.{1,2}\//.test(specifier)) return join(dirname(file), specifier);
  return undefined;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** Imports keep to the layers. */
export const layersRule: Deno.lint.Rule = {
  create(context) {
    const file = projectPath(context.filename);
    const check = (source: Deno.lint.Node | null) => {
      if (source?.type !== "Literal" || typeof source.value !== "string") return;
      const message = refuseImport(file, source.value);
      if (message) context.report({ node: source, message });
    };
    return {
      ImportDeclaration: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
      TSImportType: (node) => check(node.argument.type === "TSLiteralType" ? node.argument.literal : null),
    };
  },
};
