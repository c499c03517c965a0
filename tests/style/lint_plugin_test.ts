import { assert, assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";
import { layerOf, LAYERS } from "./layers.ts";
import plugin from "./lint_plugin.ts";
import { KEY_PREFIXES } from "./ownership.ts";

interface Snippet {
  readonly file: string;
  readonly text: string;
  /** The messages, with the rule before each; none: the snippet is good. */
  readonly found: readonly string[];
}

function good(file: string, text: string): Snippet {
  return { file, text, found: [] };
}

function bad(file: string, text: string, ...found: string[]): Snippet {
  return { file, text, found };
}

function testRule(rule: string, snippets: readonly Snippet[]): void {
  Deno.test(`The lint rule sreg/${rule}`, async (t) => {
    for (const { file, text, found } of snippets) {
      const line = text.replace(/\s+/g, " ").trim().slice(0, 70);
      await t.step(`${found.length > 0 ? "refuses" : "accepts"} in ${file}: ${line}`, () => {
        const diagnostics = Deno.lint.runPlugin(plugin, ROOT + file, text);
        assertEquals(
          diagnostics.map(({ id, message }) => `${id}: ${message}`),
          found.map((end) => `sreg/${rule}: ${end}`),
        );
      });
    }
  });
}

const OUTSIDE = "imports nothing from outside the project";

testRule("layers", [
  good("server/oci/name.ts", 'import { OciError } from "./error.ts";'),
  bad(
    "server/oci/name.ts",
    'import "../registry/keys.ts";',
    "server/oci imports nothing but itself, not server/registry",
  ),
  bad("server/oci/name.ts", 'import { join } from "node:path";', `server/oci ${OUTSIDE}`),
  good("server/registry/blobs.ts", 'import type { Storage } from "../../plugins/contract/storage.ts";'),
  good("server/registry/hash.ts", 'import { createHash } from "node:crypto";'),
  bad(
    "server/registry/blobs.ts",
    'import { answer } from "../api/answer.ts";',
    "server/registry imports only server/oci, plugins/contract and itself, not server/api",
  ),
  bad(
    "server/registry/blobs.ts",
    'export type { Row } from "../api/routes.ts";',
    "server/registry imports only server/oci, plugins/contract and itself, not server/api",
  ),
  bad(
    "server/registry/blobs.ts",
    'export * from "../api/routes.ts";',
    "server/registry imports only server/oci, plugins/contract and itself, not server/api",
  ),
  bad(
    "server/registry/blobs.ts",
    'type Row = import("../api/routes.ts").Row;',
    "server/registry imports only server/oci, plugins/contract and itself, not server/api",
  ),
  bad(
    "server/registry/blobs.ts",
    'const row = await import("../api/routes.ts");',
    "server/registry imports only server/oci, plugins/contract and itself, not server/api",
  ),
  bad("server/api/blobs.ts", 'import { S3 } from "npm:s3";', `server/api ${OUTSIDE}`),
  good("server/server.ts", 'import { listen } from "./http/listen.ts";'),
  bad("server/server.ts", 'import { run } from "./main.ts";', "nothing imports a main.ts"),
  bad(
    "server/unheard/of.ts",
    'import "../oci/name.ts";',
    "server/unheard imports nothing but itself, not server/oci",
  ),
  good("plugins/storage/fs/fs.ts", 'import { PluginError } from "../../contract/error.ts";'),
  good("plugins/storage/fs/fs.ts", 'import { PluginError } from "@sreg/contract/error.ts";'),
  good("plugins/storage/s3/s3.ts", 'import { AwsClient } from "npm:aws4fetch@1";'),
  bad(
    "plugins/storage/fs/fs.ts",
    'import { isDigest } from "../../../server/oci/digest.ts";',
    "plugins imports only plugins/contract and itself, not server/oci",
  ),
  bad(
    "plugins/contract/storage.ts",
    'import "../storage/fs/fs.ts";',
    "plugins/contract imports nothing but itself, not plugins/storage/fs",
  ),
  bad("plugins/contract/wire.ts", 'import "node:v8";', `plugins/contract ${OUTSIDE}`),
  good("plugins/contract/storage_suite.ts", 'import { equal } from "node:assert/strict";'),
  bad("server/api/blobs.ts", 'import "../../tests/support/assert.ts";', "only tests import tests"),
  good("server/api/blobs_test.ts", 'import "../../tests/support/assert.ts"; import "npm:fast-check";'),
  good("tests/api/blobs_test.ts", 'import "../../server/registry/keys.ts";'),
  bad(
    "tests/api/blobs_test.ts",
    'import "jsr:@std/assert"; import "https://deno.land/std/path/mod.ts";',
    "only npm packages and Node's modules can be imported from outside",
    "only npm packages and Node's modules can be imported from outside",
  ),
]);

const LINES = (count: number) => "\n".repeat(count - 1);

testRule("file-length", [
  good("server/oci/name.ts", `${LINES(400)}export const a = 1;\n`),
  bad(
    "server/oci/name.ts",
    `${LINES(401)}export const a = 1;\n`,
    "the file has 401 lines, at most 400 are allowed",
  ),
  good("server/oci/name_test.ts", `${LINES(800)}export const a = 1;\n`),
  bad(
    "tests/api/a.ts",
    `${LINES(801)}export const a = 1;\n`,
    "the file has 801 lines, at most 800 are allowed",
  ),
]);

const TOO_LONG = "the function has 61 lines, at most 60 are allowed";

testRule("function-length", [
  good("server/oci/name.ts", `export function a() {${LINES(60)}}`),
  bad("server/oci/name.ts", `export function a() {${LINES(61)}}`, TOO_LONG),
  bad("server/oci/name.ts", `export const a = () => {${LINES(61)}};`, TOO_LONG),
  bad("server/oci/name.ts", `export class A { #a() {${LINES(61)}} }`, TOO_LONG),
  bad("tests/api/a_test.ts", `Deno.test("a", async () => {${LINES(61)}});`, TOO_LONG),
]);

const TOO_DEEP = "blocks nest 4 deep, at most 3 are allowed";

testRule("nesting", [
  good("server/oci/name.ts", "function a() { for (;;) { if (b) { try { c(); } finally { d(); } } } }"),
  bad(
    "server/oci/name.ts",
    "function a() { for (;;) { if (b) { try { if (c) d(); } finally { e(); } } } }",
    TOO_DEEP,
  ),
  bad(
    "server/oci/name.ts",
    "for (;;) { while (b) { switch (c) { case 1: do { d(); } while (e); } } }",
    TOO_DEEP,
  ),
  good("server/oci/name.ts", "if (a) b(); else if (c) d(); else if (e) f(); else if (g) h();"),
  good("server/oci/name.ts", "for (;;) { if (a) { if (b) { c(() => { if (d) e(); }); } } }"),
]);

testRule("file-name", [
  good("server/oci/media_type.ts", ""),
  good("server/oci/media_type_test.ts", ""),
  good("tests/sandbox/fixtures/reads_file/plugin.ts", ""),
  bad("server/oci/mediaType.ts", "", '"mediaType" is not snake_case'),
  bad("server/oci/media-type.ts", "", '"media-type" is not snake_case'),
  bad("server/oci/utils.ts", "", '"utils" says nothing, name the file or folder after what is in it'),
  bad("server/oci/types_test.ts", "", '"types" says nothing, name the file or folder after what is in it'),
  bad("server/common/name.ts", "", '"common" says nothing, name the file or folder after what is in it'),
]);

testRule("words", [
  good("server/oci/name.ts", 'export type Kind = "a" | "b"; export { a };'),
  bad("server/oci/name.ts", "export default {};", "export it by its name"),
  bad("server/oci/name.ts", "export default function a() {}", "export it by its name"),
  good("tests/style/lint_plugin.ts", "export default {};"),
  bad("server/oci/name.ts", "export enum Kind { A }", "use a union of literals"),
]);

testRule("console", [
  bad("server/main.ts", "console.log(1);", "write to the log, or return what is to be written"),
  bad("server/main.ts", "const write = console.error;", "write to the log, or return what is to be written"),
  good("server/observe/log.ts", "console.log(1);"),
  good("cli/output.ts", "console.log(1);"),
  good("plugins/lock/redis/redis.ts", "console.warn(1);"),
  bad("plugins/contract/wire.ts", "console.log(1);", "write to the log, or return what is to be written"),
  good("tests/bench/main.ts", "console.log(1);"),
  good("server/main.ts", "admin.console(1);"),
]);

const KEYS_MESSAGE = "storage keys are built in server/registry/keys.ts";

testRule("keys", [
  good("server/registry/keys.ts", "export const key = (name: string) => `uploads/${name}!`;"),
  bad("server/registry/uploads.ts", "export const key = (name: string) => `uploads/${name}!`;", KEYS_MESSAGE),
  bad("server/registry/uploads.ts", 'export const key = "catalog/" + name;', KEYS_MESSAGE),
  good("server/registry/uploads.ts", 'import "./uploads/x.ts"; const a = "/v2/blobs/", b = "blobs";'),
  good("server/registry/uploads_test.ts", 'const key = "uploads/a!";'),
]);

const CODES_MESSAGE = "error codes stand in server/oci/error.ts; throw an OciError";

testRule("error-codes", [
  good("server/api/tags.ts", 'throw new OciError("NAME_UNKNOWN", "Cannot");'),
  good("server/api/tags.ts", 'parseTag(text, method === "PUT" ? "MANIFEST_INVALID" : "MANIFEST_UNKNOWN");'),
  good("server/oci/error.ts", 'const code = "DENIED";'),
  good("server/api/tags_test.ts", 'const code = "DENIED";'),
  good("server/api/tags.ts", 'const word = "DENIED_BY";'),
  bad("server/api/tags.ts", 'const body = { errors: [{ code: "DENIED" }] };', CODES_MESSAGE),
  bad("server/api/tags.ts", 'if (error.code === "DENIED") throw error;', CODES_MESSAGE),
]);

testRule("purity", [
  bad(
    "server/registry/blobs.ts",
    "Deno.readFileSync(file);",
    "Deno is unknown here: take and answer plain values",
  ),
  bad(
    "server/oci/page.ts",
    "function a(r: Request) {}",
    "Request is unknown here: take and answer plain values",
  ),
  bad("server/registry/a.ts", "new Response();", "Response is unknown here: take and answer plain values"),
  bad("server/registry/a.ts", "await fetch(url);", "fetch is unknown here: take and answer plain values"),
  good("server/registry/a.ts", "upstream.fetch(url); const a = { Request: 1 };"),
  good("server/registry/a_test.ts", "Deno.test(a);"),
  good("server/api/a.ts", "new Response();"),
]);

Deno.test("Every folder of server/ has a layer", async () => {
  const folders: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}server`)) {
    if (isDirectory) folders.push(`server/${name}`);
  }
  assertEquals(folders.filter((folder) => !LAYERS.includes(layerOf(`${folder}/file.ts`)!)), []);
});

for (const [file, prefixes] of Object.entries(KEY_PREFIXES)) {
  Deno.test(`The prefixes of storage keys are those that ${file} draws`, async () => {
    const text = await Deno.readTextFile(ROOT + file);
    const tree = /```text\n([^]*?)```/.exec(text)![1]!;
    const drawn = [...tree.matchAll(/^ \* ([a-z_]+\/)/gm)].map(([, prefix]) => prefix!);
    assert(drawn.length > 0);
    assertEquals([...new Set(drawn)].toSorted(), prefixes.toSorted());
  });
}
