import { assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { join } from "../../tests/support/paths.ts";
import { parseDocument } from "./document.ts";
import { formatProblem } from "./error.ts";
import { ConfigError } from "./mod.ts";
import { type PluginFile, readPluginFile } from "./plugin_file.ts";

const HEAD = 'name = "s3"\nkind = "storage"\nversion = "1.0.0"\nentry = "s3.ts"\n';

/** What a plugin folder with this `plugin.toml` and an empty `s3.ts` is read as. */
async function readPlugin(text: string): Promise<PluginFile> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
  try {
    await Deno.writeTextFile(join(folder, "plugin.toml"), text);
    await Deno.writeTextFile(join(folder, "s3.ts"), "");
    return await readPluginFile(folder);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.problems.map((problem) => ({ ...problem, origin: "plugin.toml" }));
    throw new Error(problems.map(formatProblem).join("\n"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a plugin with these options makes of a table of `sreg.toml`; the problems, where it is not good. */
async function readTable(options: string, text: string): Promise<unknown> {
  const plugin = await readPlugin(`${HEAD}[options]\n${options}`);
  const document = parseDocument({ origin: "sreg.toml", folder: "/etc/sreg", text });
  const value = plugin.options.read(document.value, document.place);
  return value ?? document.problems().map(formatProblem);
}

Deno.test("readPluginFile() reads the least that a plugin says", async () => {
  const { options, folder: _, ...plugin } = await readPlugin(HEAD);
  assertEquals(plugin, {
    name: "s3",
    kind: "storage",
    version: "1.0.0",
    description: "",
    entry: "s3.ts",
    instances: false,
    permissions: {},
  });
  assertEquals(Object.keys(options.fields), []);
});

Deno.test("readPluginFile() reads permissions as templates over options", async () => {
  const plugin = await readPlugin(
    `${HEAD}permissions = { net = ["{endpoint.host}:443"], read = ["{root}/x", "/etc/hosts"] }
[options]
endpoint = { type = "string", required = true, description = "Where." }
root = { type = "path", default = "./data", description = "Where." }`,
  );
  assertEquals(plugin.permissions, { net: ["{endpoint.host}:443"], read: ["{root}/x", "/etc/hosts"] });
});

Deno.test("A plugin's table of sreg.toml is read", async (t) => {
  const options = `
bucket = { type = "string", required = true, description = "A string." }
root_dir = { type = "path", default = "./data", description = "A path." }
parts = { type = "integer", min = 1, max = 9, default = 4, description = "An integer." }
sync = { type = "boolean", default = true, description = "A boolean." }
timeout = { type = "duration", default = "1m", description = "A duration." }
part_size = { type = "size", description = "A size." }
tier = { type = "choice", values = ["hot", "cold"], default = "hot", description = "A choice." }
hosts = { type = "list", default = [], description = "A list." }`;

  await t.step("with what is set, and defaults for the rest, by the plugin's own names", async () => {
    assertEquals(await readTable(options, 'bucket = "b"\npart_size = "5MiB"'), {
      bucket: "b",
      root_dir: "/etc/sreg/data",
      parts: 4,
      sync: true,
      timeout: 60_000,
      part_size: 5_242_880,
      tier: "hot",
      hosts: [],
    });
  });

  await t.step("with every mistake shown in sreg.toml", async () => {
    const text = 'buckett = "b"\nparts = 10\ntier = "warm"\nhosts = ["a", 1]';
    assertEquals(await readTable(options, text), [
      "sreg.toml: bucket: missing, expected a string",
      'sreg.toml:1:1: buckett: unknown key, did you mean bucket?\n  1 | buckett = "b"\n    | ^^^^^^^',
      "sreg.toml:2:9: parts: expected an integer from 1 to 9, found 10\n  2 | parts = 10\n    |         ^^",
      'sreg.toml:3:8: tier: expected one of "hot", "cold", found "warm"\n  3 | tier = "warm"\n    |        ^^^^^^',
      'sreg.toml:4:15: hosts.1: expected a string, found 1\n  4 | hosts = ["a", 1]\n    |               ^',
    ]);
  });
});

const BAD: readonly (readonly [name: string, text: string, message: string])[] = [
  [
    "nothing",
    "",
    [
      'plugin.toml: name: missing, expected a name such as "s3"',
      'plugin.toml: kind: missing, expected one of "storage", "auth", "policy", "lock", "cache", "event"',
      'plugin.toml: version: missing, expected a version such as "1.0.0"',
      'plugin.toml: entry: missing, expected a file in the plugin\'s folder such as "s3.ts"',
    ].join("\n"),
  ],
  [
    "an entry outside the folder",
    HEAD.replace("s3.ts", "../s3.ts"),
    'plugin.toml:4:9: entry: expected a file in the plugin\'s folder such as "s3.ts", found "../s3.ts"\n' +
    '  4 | entry = "../s3.ts"\n    |         ^^^^^^^^^^',
  ],
  [
    "an entry that is not there",
    HEAD.replace("s3.ts", "s4.ts"),
    'plugin.toml:4:9: entry: no such file in the plugin\'s folder\n  4 | entry = "s4.ts"\n    |         ^^^^^^^',
  ],
  [
    "a permission that there is none of",
    `${HEAD}permissions = { nett = ["x"] }`,
    "plugin.toml:5:17: permissions.nett: unknown key, did you mean net?\n" +
    '  5 | permissions = { nett = ["x"] }\n    |                 ^^^^',
  ],
  [
    "a template over no option",
    `${HEAD}permissions = { net = ["a", "{host}:{port}"] }\noptions.host = { type = "string", description = "H." }`,
    'plugin.toml:5:29: permissions.net.1: expected a template over options, found no option "port"\n' +
    '  5 | permissions = { net = ["a", "{host}:{port}"] }\n    |                             ^^^^^^^^^^^^^^^',
  ],
  [
    "an option of no type",
    `${HEAD}options.a = { type = "text", description = "A." }`,
    "plugin.toml:5:22: options.a.type: expected one of " +
    '"string", "path", "integer", "boolean", "duration", "size", "choice", "list", "value", found "text"\n' +
    '  5 | options.a = { type = "text", description = "A." }\n    |                      ^^^^^^',
  ],
  [
    "a default of another type",
    `${HEAD}options.a = { type = "integer", max = 3, default = 4, description = "A." }`,
    "plugin.toml:5:52: options.a.default: expected an integer of at most 3, found 4\n" +
    '  5 | options.a = { type = "integer", max = 3, default = 4, description = "A." }\n' +
    "    |                                                    ^",
  ],
  [
    "a required option with a default",
    `${HEAD}options.a = { type = "boolean", required = true, default = true, description = "A." }`,
    "plugin.toml:5:50: options.a.default: a required option has no default\n" +
    '  5 | options.a = { type = "boolean", required = true, default = true, description = "A." }\n' +
    "    |                                                  ^^^^^^^",
  ],
  [
    "limits of what has none",
    `${HEAD}options.a = { type = "string", max = 3, description = "A." }`,
    'plugin.toml:5:32: options.a.max: only an option of type "integer" has it, this one is a "string"\n' +
    '  5 | options.a = { type = "string", max = 3, description = "A." }\n    |                                ^^^',
  ],
  [
    "a choice of nothing",
    `${HEAD}options.a = { type = "choice", description = "A." }`,
    "plugin.toml:5:9: options.a.values: missing, expected a list of words\n" +
    '  5 | options.a = { type = "choice", description = "A." }\n    |         ^',
  ],
];

Deno.test("readPluginFile() refuses", async (t) => {
  for (const [name, text, message] of BAD) {
    await t.step(name, async () => {
      await assertRejects(readPlugin(text), { message });
    });
  }
});

Deno.test("readPluginFile() refuses a folder without plugin.toml", async () => {
  await assertRejects(readPluginFile("/nowhere"), {
    message: "Cannot use the configuration: 1 problem\n/nowhere/plugin.toml: cannot be read: no such file",
  });
});
