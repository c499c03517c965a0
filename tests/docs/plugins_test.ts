/** What docs/plugins.md shows is run, as it stands in the page. */

import { loadConfig } from "../../server/config/mod.ts";
import { type RunningPlugin, startPlugin } from "../../server/sandbox/mod.ts";
import { STORAGE_CLAUSES } from "../../plugins/contract/storage_suite.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { dirname, join } from "../support/paths.ts";
import { ROOT, startRegistry } from "../support/registry.ts";

const LARGE_BYTES = 1024 * 1024;
const FILES = [
  "plugins/scratch/plugin.toml",
  "plugins/scratch/scratch.ts",
  "sreg.toml",
  "plugins/scratch/scratch_test.ts",
];

/** The page's files, each a block of code under its path in bold. */
async function readPage(): Promise<Map<string, string>> {
  const page = await Deno.readTextFile(`${ROOT}docs/plugins.md`);
  const blocks = page.matchAll(/^\*\*`([^`]+)`\*\*\n\n```\w+\n(.*?)^```$/gms);
  return new Map([...blocks].map(([, path, text]) => [path!, text!]));
}

/** A folder with the page's files. */
async function writePage(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "sreg-docs-" });
  for (const [file, text] of await readPage()) {
    await Deno.mkdir(dirname(join(path, file)), { recursive: true });
    await Deno.writeTextFile(join(path, file), text);
  }
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Starts the page's plugin behind the wall that its `sreg.toml` puts it. */
async function startFrom(folder: string): Promise<RunningPlugin> {
  const { storage } = await loadConfig({ files: [join(folder, "sreg.toml")] });
  assertEquals([storage.name, storage.isolation, storage.options], ["scratch", "process", {
    objects_max: 500,
  }]);
  return await startPlugin({ ...storage, permissions: {} });
}

Deno.test("docs/plugins.md shows every file of a plugin", async () => {
  assertEquals([...(await readPage()).keys()], FILES);
});

Deno.test("docs/plugins.md shows a plugin that keeps to the contract, in a process of its own", async (t) => {
  await using folder = await writePage();
  for (const { name, run } of STORAGE_CLAUSES) {
    await t.step(name, async () => {
      const plugin = await startFrom(folder.path);
      try {
        await run(plugin.serve("storage"), { largeBytes: LARGE_BYTES });
      } finally {
        await plugin.close();
      }
    });
  }
});

Deno.test("docs/plugins.md shows a plugin that refuses what is beyond its options", async () => {
  await using folder = await writePage();
  const plugin = await startFrom(folder.path);
  try {
    const put = (key: number) => plugin.serve("storage").put(`a/${key}`, new Uint8Array(1));
    for (let key = 0; key < 500; key++) await put(key);
    await assertRejects(put(500), { code: "unavailable", message: /Cannot keep a\/500: full/ });
  } finally {
    await plugin.close();
  }
});

Deno.test("docs/plugins.md shows a test that passes", async () => {
  await using folder = await writePage();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-prompt", "--allow-all", join(folder.path, "plugins/scratch/scratch_test.ts")],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert(success, output);
  assertMatch(output, new RegExp(`${STORAGE_CLAUSES.length} passed . 0 failed`));
});

Deno.test("docs/plugins.md shows a configuration with which a registry takes a push and gives it back", async () => {
  await using folder = await writePage();
  const config = (await readPage()).get("sreg.toml")!.replace("./plugins", `${folder.path}/plugins`);
  await using registry = await startRegistry({ config });
  const content = new TextEncoder().encode("hello");
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
  const push = await fetch(`${registry.url}/v2/my/repository/blobs/uploads/?digest=sha256:${hash}`, {
    method: "POST",
    body: content,
  });
  assertEquals([push.status, await push.text()], [201, ""]);
  const pull = await fetch(`${registry.url}/v2/my/repository/blobs/sha256:${hash}`);
  assertEquals([pull.status, await pull.text()], [200, "hello"]);
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(), ["plugins", "sreg.toml"]);
});
