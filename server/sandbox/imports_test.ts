import { assertRejects } from "../../tests/support/assert.ts";
import { vetImports } from "./imports.ts";

async function vet(
  files: Readonly<Record<string, string>>,
  options: { readonly builtIn: boolean },
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-imports-" });
  try {
    for (const [name, source] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, source);
    await vetImports(`${folder}/${Object.keys(files)[0]}`, { folder, ...options });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const ALLOWED: readonly (readonly [source: string, builtIn: boolean])[] = [
  ["export const a = 1;", false],
  ['import { PluginError } from "@sreg/contract/error.ts"; throw new PluginError("failed", "a");', false],
  ['import { join } from "node:path"; import { hash } from "node:crypto"; join; hash;', false],
  [
    'import type { Worker } from "node:worker_threads"; export const a: Worker | undefined = undefined;',
    false,
  ],
  ['import { a } from "./b.ts"; a;', false],
  ['const { a } = await import("./b.ts"); a;', false],
  ['const text = "import(x)"; const pattern = /import(y)/; // import(z)', false],
  ["export const a = import.meta.url;", false],
  [
    'import { readFileSync } from "node:fs"; import { connect } from "node:net"; readFileSync; connect;',
    true,
  ],
  ['import { parse } from "smol-toml"; import ms from "npm:ms@2"; parse; ms;', true],
];

for (const [source, builtIn] of ALLOWED) {
  Deno.test(`vetImports() lets ${builtIn ? "a built-in plugin" : "any plugin"} have ${source}`, async () => {
    await vet({ "a.ts": source, "b.ts": "export const a = 1;" }, { builtIn });
  });
}

const REFUSED: readonly (readonly [source: string, reason: string])[] = [
  ...[
    "v8",
    "vm",
    "worker_threads",
    "child_process",
    "cluster",
    "module",
    "process",
    "inspector",
    "repl",
    "sqlite",
  ]
    .map((name) => [`import a from "node:${name}"; a;`, `a.ts imports "node:${name}"`] as const),
  ['import "node:v8";', 'a.ts imports "node:v8"'],
  ['export { setFlagsFromString } from "node:v8";', 'a.ts imports "node:v8"'],
  ['export * from "node:v8";', 'a.ts imports "node:v8"'],
  ['export * as v8 from "node:v8";', 'a.ts imports "node:v8"'],
  ['await import("node:v8");', 'a.ts imports "node:v8"'],
  ['await import("node:\\u00768");', 'a.ts imports "node:v8"'],
  ["await import(`node:v8`);", 'a.ts imports "node:v8"'],
  [
    'const f = <T,>(a: T) => a as unknown as string; await import("node:v8" /* , */);',
    'a.ts imports "node:v8"',
  ],
  ['const name = "node:v8"; await import(name);', "a.ts has an import() whose module is not a plain text"],
  ['await import("node:" + "v8");', "a.ts has an import() whose module is not a plain text"],
  ["const a = 1; await import(`node:v${a}`);", "a.ts has an import() whose module is not a plain text"],
  ['const a = 4 / 2; const b = `${await import("node:v8")}` / 1; a; b;', 'a.ts imports "node:v8"'],
  ['import a from "https://example.org/a.js"; a;', 'a.ts imports "https://example.org/a.js"'],
  ['await import("data:text/javascript,1");', 'a.ts imports "data:text/javascript,1"'],
  ['await import("blob:null/1");', 'a.ts imports "blob:null/1"'],
  ['import a from "jsr:@std/assert"; a;', 'a.ts imports "jsr:@std/assert"'],
  ['import a from "../outside.ts"; a;', 'a.ts imports "../outside.ts", which is outside of its folder'],
  ['import a from "/etc/passwd"; a;', 'a.ts imports "/etc/passwd", which is outside of its folder'],
  [
    'import a from "file:///etc/passwd"; a;',
    'a.ts imports "file:///etc/passwd", which is outside of its folder',
  ],
  [
    'import a from "./%2e%2e/outside.ts"; a;',
    'a.ts imports "./%2e%2e/outside.ts", which is outside of its folder',
  ],
  [
    'import a from "@sreg/contract/../../server/main.ts"; a;',
    'a.ts imports "@sreg/contract/../../server/main.ts"',
  ],
  ['import "./b.ts";', 'b.ts imports "node:v8"'],
  ['import "./b.txt";', "b.txt is imported, but is no .ts, .js, .mjs, .mts"],
  ["enum A { B }", "a.ts cannot be examined: "],
  ["const a = ;", "a.ts cannot be examined: "],
];

for (const [source, reason] of REFUSED) {
  Deno.test(`vetImports() refuses ${source}`, async () => {
    const files = { "a.ts": source, "b.ts": 'import "node:v8";', "b.txt": "" };
    await assertRejects(vet(files, { builtIn: false }), (error: Error) => error.message.startsWith(reason));
  });
}

for (const specifier of ["node:fs", "node:net", "npm:ms@2", "ms"]) {
  Deno.test(`vetImports() refuses ${specifier} to all but built-in plugins`, async () => {
    const source = `import a from "${specifier}"; a;`;
    await assertRejects(vet({ "a.ts": source }, { builtIn: false }), {
      message: `a.ts imports "${specifier}"`,
    });
  });
}
