import { ConfigError, loadConfig, readConfig } from "../../server/config/mod.ts";
import { formatProblem } from "../../server/config/error.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { dirname, join } from "../support/paths.ts";

/** A folder with these files. */
async function createFolder(files: Readonly<Record<string, string>>) {
  const path = await Deno.makeTempDir({ prefix: "sreg-test-" });
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(path, name)), { recursive: true });
    await Deno.writeTextFile(join(path, name), text);
  }
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Why these files cannot be loaded, line by line. */
async function refusedFiles(cwd: string, files: readonly string[]): Promise<string[]> {
  const error = await loadConfig({ files, cwd }).then(() => undefined, (error: unknown) => error);
  assert(error instanceof ConfigError, `expected a ConfigError, got ${error}`);
  return error.problems.map(formatProblem);
}

Deno.test("loadConfig() merges files and folders in the order in which they are named", async () => {
  await using folder = await createFolder({
    "main.toml": "[server]\nport = 5001\n",
    "more/20.toml": '[storage.fs]\nroot_dir = "./data"\n',
    "more/9.toml": '[log]\nlevel = "warn"\n',
    "more/notes.txt": "not TOML",
    "more/.hidden.toml": "not TOML",
  });
  const { config, sources } = await readConfig({ files: ["main.toml", "more"], cwd: folder.path });
  assertEquals([config.server.port, config.log.level], [5001, "warn"]);
  assertEquals(config.storage.options, { root_dir: join(folder.path, "more/data") });
  assertEquals(
    sources.paths,
    ["main.toml", "more", "more/20.toml", "more/9.toml"].map((name) => join(folder.path, name)),
  );
});

Deno.test("loadConfig() lets a flag go before every file", async () => {
  await using folder = await createFolder({ "a.toml": "server.port = 1", "b.toml": "[storage.memory]" });
  const overrides = { addr: "[::1]:7" };
  const { server } = await loadConfig({ files: ["a.toml", "b.toml"], overrides, cwd: folder.path });
  assertEquals([server.bindAddress, server.port], ["::1", 7]);
});

Deno.test("loadConfig() shows each problem in the file where it stands", async () => {
  await using folder = await createFolder({
    "a.toml": "[server]\nport = 1\n",
    "etc/b.toml": '# b\n[server]\nport = 2\nprot = 3\n[log]\nlevel = "loud"\n',
  });
  assertEquals(await refusedFiles(folder.path, ["a.toml", "etc"]), [
    "a.toml:2:8: server.port: set differently at etc/b.toml:3:8\n  2 | port = 1\n    |        ^",
    "etc/b.toml:3:8: server.port: set differently at a.toml:2:8\n  3 | port = 2\n    |        ^",
    "etc/b.toml:4:1: server.prot: unknown key, did you mean port?\n  4 | prot = 3\n    | ^^^^",
    'etc/b.toml:6:9: log.level: expected one of "debug", "info", "warn", "error", found "loud"\n' +
    '  6 | level = "loud"\n    |         ^^^^^^',
  ]);
});

Deno.test("loadConfig() refuses", async (t) => {
  await using folder = await createFolder({ "a.toml": "", "etc/b.toml": "", "empty/notes.txt": "" });
  await Deno.symlink("../a.toml", join(folder.path, "etc/link.toml"));
  await Deno.symlink("nowhere", join(folder.path, "dangling"));
  const cases: readonly (readonly [name: string, files: readonly string[], problem: string])[] = [
    ["a file that is not there", ["a.toml", "c.toml"], "c.toml: cannot be read: no such file"],
    ["a link that leads nowhere", ["dangling"], "dangling: cannot be read: no such file"],
    [
      "a folder without TOML files",
      ["empty"],
      "empty: expected a folder with *.toml files, found none in it",
    ],
    [
      "a file that is named twice",
      ["a.toml", "./a.toml"],
      "./a.toml: expected each file once, it is read as a.toml already",
    ],
    [
      "a file that is named again by a link in a folder",
      ["a.toml", "etc"],
      "etc/link.toml: expected each file once, it is read as a.toml already",
    ],
    [
      "a folder that is named after a file of it",
      ["etc/b.toml", "etc"],
      "etc/b.toml: expected each file once, it is read as etc/b.toml already",
    ],
  ];
  for (const [name, files, problem] of cases) {
    await t.step(name, async () => assertEquals(await refusedFiles(folder.path, files), [problem]));
  }
});

Deno.test("ConfigSources.problemAt() points", async (t) => {
  await using folder = await createFolder({
    "a.toml": "# nothing\n",
    "b.toml": '[storage.fs]\nroot_dir = """\nx\\u0079z \\\n  end"""\n',
  });
  const overrides = { addr: "127.0.0.1:0" };
  const { sources } = await readConfig({ files: ["a.toml", "b.toml"], overrides, cwd: folder.path });
  const show = (path: string, offset: number, length: number) =>
    formatProblem(sources.problemAt(path.split("."), { offset, length }, "wrong"));

  await t.step("into a string, at what stands for the part", () => {
    assertEquals(
      show("storage.fs.root_dir", 1, 2),
      "b.toml:3:2: storage.fs.root_dir: wrong\n  3 | x\\u0079z \\\n    |  ^^^^^^^",
    );
  });
  await t.step("into a later line of a string", () => {
    assertEquals(
      show("storage.fs.root_dir", 4, 3),
      'b.toml:4:3: storage.fs.root_dir: wrong\n  4 |   end"""\n    |   ^^^',
    );
  });
  await t.step("at the table of what is not written", () => {
    assertEquals(
      show("storage.fs.other", 0, 1),
      "b.toml:1:10: storage.fs.other: wrong\n  1 | [storage.fs]\n    |          ^^",
    );
  });
  await t.step("at the first file for what no file writes", () => {
    assertEquals(show("log.level", 0, 1), "a.toml: log.level: wrong");
  });
  await t.step("at the flag that sets it", () => {
    assertEquals(show("server.bind_address", 0, 3), "--addr: server.bind_address: wrong");
  });
});
