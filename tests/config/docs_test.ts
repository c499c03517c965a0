import { ConfigError, loadConfig } from "../../server/config/mod.ts";
import { PLUGIN_FILE, readPluginFile } from "../../server/config/plugin_file.ts";
import { SREG } from "../../server/config/schema.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { tryCommand } from "../support/command.ts";
import { ROOT } from "../support/registry.ts";
import { describeFields, describeTables, type Reference } from "./reference.ts";

/** The rows of the page's tables, by their headings; without the padding that the formatter gives them. */
function readReference(page: string): Reference {
  const tables = new Map<string, string[]>();
  for (const section of page.split(/^## /m).slice(1)) {
    const heading = /^`(.*)`/.exec(section)?.[1] ?? "";
    const rows = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
    if (rows.length > 0) tables.set(heading, rows.map((row) => row.replace(/ +/g, " ")));
  }
  return tables;
}

Deno.test("docs/sreg.example.toml is a configuration, and shows the defaults", async () => {
  const { policies, global: _, ...config } = await loadConfig({
    files: ["docs/sreg.example.toml"],
    cwd: ROOT,
  });
  const { policies: none, global: __, ...defaults } = await loadConfig({ cwd: `${ROOT}docs` });
  assertEquals(config, defaults);
  assertEquals([policies.map(({ name }) => name), none], [["cel"], []]);
});

Deno.test("docs/sreg.example.toml has a policy whose cases are good", async () => {
  const args = ["policy", "test", "docs/sreg.example.cases.toml", "-c", "docs/sreg.example.toml"];
  const run = await tryCommand(Deno.execPath(), ["run", "-A", "cli/main.ts", ...args], { cwd: ROOT });
  assertEquals({ success: run.success, stderr: run.stderr }, { success: true, stderr: "" }, run.stdout);
});

Deno.test("docs/sreg.example.toml names every key of sreg.toml", async () => {
  const text = await Deno.readTextFile(`${ROOT}docs/sreg.example.toml`);
  for (const [heading, rows] of describeTables(SREG, [])) {
    const keys = rows.map((row) => /`(\w+)`/.exec(row)![1]!);
    const missing = keys.filter((key) => !new RegExp(`\\b${key} = `).test(text));
    assertEquals(heading.endsWith(".permissions]") ? [] : missing, []);
  }
});

Deno.test("docs/configuration.md says of every key its value, default and meaning", async () => {
  const tables = [
    ["storage/fs", "[storage.fs]"],
    ["storage/s3", "[storage.s3]"],
    ["lock/redis", "[lock_store.redis]"],
    ["cache/memory", "[cache_store.memory]"],
    ["cache/redis", "[cache_store.redis]"],
  ] as const;
  const plugins = await Promise.all(tables.map(async ([folder, heading]) => {
    const { options } = await readPluginFile(`${ROOT}plugins/${folder}`);
    return [heading, describeFields(options.fields)] as const;
  }));
  const expected = new Map([
    ...describeTables(SREG, []),
    ...plugins,
    ...describeTables(PLUGIN_FILE, []),
  ]);
  const page = readReference(await Deno.readTextFile(`${ROOT}docs/configuration.md`));
  assertEquals(Object.fromEntries(page), Object.fromEntries(expected));
});

Deno.test("docs/configuration.md shows mistakes as they are shown", async () => {
  const text = '[server]\nprot = 5000\n\n[uploads]\nstall_timeout = "2h"\n';
  const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
  await Deno.writeTextFile(`${folder}/sreg.toml`, text);
  const error = await loadConfig({ files: ["sreg.toml"], cwd: folder }).catch((error: unknown) => error);
  await Deno.remove(folder, { recursive: true });
  assert(error instanceof ConfigError);
  const page = await Deno.readTextFile(`${ROOT}docs/configuration.md`);
  assertEquals(/\$ sreg serve\nsreg: ([^]*?)\n```/.exec(page)?.[1], error.message);
});
