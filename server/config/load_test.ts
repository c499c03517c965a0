import fc from "fast-check";
import type { PluginOptions } from "../../plugins/contract/plugin.ts";
import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { fromFileUrl, join } from "../../tests/support/paths.ts";
import { hasProgram } from "../../tests/support/programs.ts";
import {
  type Config,
  ConfigError,
  type ConfigOverrides,
  loadConfig,
  type PluginConfig,
  resolveConfigFiles,
  type SourceMark,
} from "./mod.ts";

const NO_OPENSSL = !hasProgram("openssl");
const PLUGINS = fromFileUrl(new URL("../../plugins/", import.meta.url));

/** A folder with a certificate, keys and a plugin, and what is loaded in it. */
class Folder implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  static async create(files: Readonly<Record<string, string>> = {}): Promise<Folder> {
    const folder = new Folder(await Deno.makeTempDir({ prefix: "sreg-test-" }));
    for (const [name, text] of Object.entries(files)) await folder.write(name, text);
    return folder;
  }

  async write(name: string, text: string): Promise<void> {
    const file = join(this.path, name);
    await Deno.mkdir(join(file, ".."), { recursive: true });
    await Deno.writeTextFile(file, text);
  }

  /** A new key and a certificate of its own: `<name>.crt`, `<name>.key`. */
  async writeCertificate(name: string): Promise<void> {
    const args = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
    ];
    const files = ["-subj", "/CN=localhost", "-keyout", `${name}.key`, "-out", `${name}.crt`];
    const command = new Deno.Command("openssl", { args: [...args, ...files], cwd: this.path });
    const { success, stderr } = await command.output();
    assert(success, new TextDecoder().decode(stderr));
  }

  async load(text: string, overrides: ConfigOverrides = {}): Promise<Config> {
    await this.write("sreg.toml", text);
    return await loadConfig({ files: ["sreg.toml"], overrides, cwd: this.path });
  }

  /** Loads what cannot be loaded; answers why. The folder's path is written `~`. */
  async refused(text: string, overrides: ConfigOverrides = {}): Promise<string> {
    const error = await this.load(text, overrides).then(() => undefined, (error: unknown) => error);
    assert(error instanceof ConfigError, `expected a ConfigError, got ${error}`);
    return error.message.replaceAll(this.path, "~").replace(
      /^Cannot use the configuration: \d+ problems?\n/,
      "",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

const MINE = {
  "mine/plugin.toml": `name = "mine"\nkind = "storage"\nversion = "1.0.0"\nentry = "mine.ts"
permissions.read = ["{root}"]
options.root = { type = "path", required = true, description = "Where." }\n`,
  "mine/mine.ts": "",
};

function memoryPlugin(kind: "lock" | "cache", options: PluginOptions): PluginConfig {
  const folder = join(PLUGINS, kind, "memory");
  return { name: "memory", kind, folder, entry: "memory.ts", isolation: "worker", permissions: {}, options };
}

Deno.test("loadConfig() without file and flags answers the defaults", async () => {
  await using folder = await Folder.create();
  const { passwords, roles, ...config } = await loadConfig({ cwd: folder.path });
  assertEquals([passwords.kind, passwords.options], ["auth", {}]);
  assertEquals([roles.kind, roles.options], ["policy", {}]);
  assertEquals(config, {
    server: { bindAddress: "127.0.0.1", port: 5000, trustedProxies: [] },
    storage: {
      name: "fs",
      kind: "storage",
      folder: join(PLUGINS, "storage/fs"),
      entry: "fs.ts",
      isolation: "worker",
      permissions: { read: ["{root_dir}"], write: ["{root_dir}"] },
      options: { root_dir: join(folder.path, "data") },
    },
    lockStore: memoryPlugin("lock", {}),
    cacheStore: memoryPlugin("cache", { size: 32 * 1024 * 1024 }),
    uploads: { idleTimeoutMs: 86_400_000, openMax: 1000, stallTimeoutMs: 60_000 },
    schedule: { gc: "17 * * * *", retention: "off", scrub: "off", timezone: "UTC" },
    blobs: { cacheSizeBytes: 128_000_000 },
    garbage: { graceMs: 3_600_000 },
    jobs: { resume: true, keep: 500, leaseLifetimeMs: 30_000 },
    log: { level: "info" },
    audit: { keepMs: 7_776_000_000, eventsMax: 1_000_000 },
    access: {
      challenges: ["bearer", "basic"],
      tokenService: "sreg",
      tokenLifetimeMs: 300_000,
      refreshTokenLifetimeMs: 2_592_000_000,
    },
    global: {},
    repositories: [],
    auths: [],
    policies: [],
  });
});

Deno.test("loadConfig() reads a file, whose paths are relative to it", async () => {
  await using folder = await Folder.create({
    "etc/sreg.toml": '[server]\nbind_address = "::1"\nport = 5001\n[storage.fs]\nroot_dir = "../data"\n',
  });
  const config = await loadConfig({ files: ["etc/sreg.toml"], cwd: folder.path });
  assertEquals(config.server, { bindAddress: "::1", port: 5001, trustedProxies: [] });
  assertEquals(config.storage.options, { root_dir: join(folder.path, "data") });
});

Deno.test("loadConfig() answers what nobody can change", async () => {
  await using folder = await Folder.create();
  const parts: unknown[] = [await folder.load("[storage.memory]\n")];
  for (const part of parts) {
    if (typeof part !== "object" || part === null) continue;
    assert(Object.isFrozen(part), `${JSON.stringify(part)} is not frozen`);
    parts.push(...Object.values(part));
  }
  assert(parts.length > 10);
});

Deno.test("loadConfig() takes a plugin that is declared by path", async () => {
  await using folder = await Folder.create(MINE);
  const config = await folder.load(`[plugin.own]
path = "./mine"
permissions = { read = ["./data"] }
[storage.own]
root = "./data"`);
  assertEquals(config.storage, {
    name: "own",
    kind: "storage",
    folder: join(folder.path, "mine"),
    entry: "mine.ts",
    isolation: "process",
    permissions: { read: ["{root}"] },
    granted: { read: [join(folder.path, "data")] },
    options: { root: join(folder.path, "data") },
  });
});

Deno.test("Flags go before the file", async (t) => {
  await using folder = await Folder.create();
  const text = '[server]\nport = 1\n[storage.fs]\nroot_dir = "./a"\n[log]\nlevel = "warn"';

  await t.step("--addr HOST:PORT", async () => {
    const { server } = await folder.load(text, { addr: "localhost:5002" });
    assertEquals(server, { bindAddress: "localhost", port: 5002, trustedProxies: [] });
  });
  await t.step("--addr [IPV6]:PORT", async () => {
    const { server } = await folder.load(text, { addr: "[::1]:0" });
    assertEquals(server, { bindAddress: "::1", port: 0, trustedProxies: [] });
  });
  await t.step("--data-dir DIR, relative to the working directory", async () => {
    await folder.write("etc/sreg.toml", text);
    const { storage } = await loadConfig({
      files: ["etc/sreg.toml"],
      cwd: folder.path,
      overrides: { dataDir: "b" },
    });
    assertEquals(storage.options, { root_dir: join(folder.path, "b") });
  });
  await t.step("--verbose", async () => {
    assertEquals((await folder.load(text, { verbose: true })).log, { level: "debug" });
    assertEquals((await folder.load(text, { verbose: false })).log, { level: "warn" });
  });
});

Deno.test("Flags are refused", async (t) => {
  await using folder = await Folder.create();
  for (const addr of ["", "5000", ":5000", "localhost", "::1:5000", "[::1]", "a:b", "a:1:2", "a:123456"]) {
    await t.step(`--addr ${JSON.stringify(addr)}`, async () => {
      assertEquals(
        await folder.refused("", { addr }),
        `--addr: expected HOST:PORT, an IPv6 address in brackets, found ${JSON.stringify(addr)}`,
      );
    });
  }
  await t.step("--addr out of range", async () => {
    assertEquals(
      await folder.refused("", { addr: "1.2.3:65536" }),
      '--addr: server.bind_address: expected an IP address or a host name, found "1.2.3"\n' +
        "--addr: server.port: expected an integer from 0 to 65535, found 65536",
    );
  });
  await t.step("--data-dir that is empty", async () => {
    assertEquals(
      await folder.refused("", { dataDir: "" }),
      '--data-dir: storage.fs.root_dir: expected a path, found ""',
    );
  });
  await t.step("--data-dir for another plugin", async () => {
    assertEquals(
      await folder.refused("[storage.memory]", { dataDir: "data" }),
      "sreg.toml:1:10: storage.memory: --data-dir cannot be used with it, only with storage.fs\n" +
        "  1 | [storage.memory]\n    |          ^^^^^^",
    );
  });
  await t.step("--cert or --key alone", async () => {
    assertEquals(await folder.refused("", { cert: "a.crt" }), "--cert: expected --key beside it");
    assertEquals(await folder.refused("", { key: "a.key" }), "--key: expected --cert beside it");
  });
});

const BAD: readonly (readonly [name: string, text: string, message: string])[] = [
  [
    "what is not TOML",
    "[server]\nport 5000\n",
    "sreg.toml:2:6: not TOML: illegal character in key\n  2 | port 5000\n    |      ^",
  ],
  [
    "a key that is written twice",
    "[log]\n[log]\n",
    "sreg.toml:2:2: not TOML: trying to redefine an already defined table or value\n  2 | [log]\n    |  ^",
  ],
  [
    "several mistakes at once, in the order of the file",
    '[server]\nprot = 5000\nport = 70000\n[lgo]\n[uploads]\nopen_max = "x"\n',
    [
      "sreg.toml:2:1: server.prot: unknown key, did you mean port?\n  2 | prot = 5000\n    | ^^^^",
      "sreg.toml:3:8: server.port: expected an integer from 0 to 65535, found 70000\n  3 | port = 70000\n    |        ^^^^^",
      "sreg.toml:4:2: lgo: unknown key, did you mean log?\n  4 | [lgo]\n    |  ^^^",
      'sreg.toml:6:12: uploads.open_max: expected an integer from 1 to 1000000, found "x"\n' +
      '  6 | open_max = "x"\n    |            ^^^',
    ].join("\n"),
  ],
  [
    "a key that is near none",
    "[server]\nthreads = 4\n",
    "sreg.toml:2:1: server.threads: unknown key, known here: bind_address, external_url, port, tls, trusted_proxies\n" +
    "  2 | threads = 4\n    | ^^^^^^^",
  ],
  [
    "a value in a table's place",
    "server = 5000\n",
    "sreg.toml:1:10: server: expected a table, found 5000\n  1 | server = 5000\n    |          ^^^^",
  ],
  [
    "an incomplete TLS section",
    '[server.tls]\nserver_certificate_bundle = "./a.crt"\n',
    "sreg.toml:1:9: server.tls.server_private_key: missing, expected a path\n  1 | [server.tls]\n    |         ^^^",
  ],
  [
    "no storage plugin",
    "[storage]\n",
    "sreg.toml:1:2: storage: expected a table named after a storage plugin, found none\n" +
    "  1 | [storage]\n    |  ^^^^^^^",
  ],
  [
    "two storage plugins",
    '[storage.memory]\n[storage.fs]\nroot_dir = "."\n',
    "sreg.toml:2:10: storage.fs: expected one storage plugin, found memory already\n" +
    "  2 | [storage.fs]\n    |          ^^",
  ],
  [
    "two lock plugins",
    '[lock_store.memory]\n[lock_store.redis]\nurl = "redis://a"\n',
    "sreg.toml:2:13: lock_store.redis: expected one lock plugin, found memory already\n" +
    "  2 | [lock_store.redis]\n    |             ^^^^^",
  ],
  [
    "a line with a password in a URL, which it does not show",
    '[lock_store.redis]\nurl = "redis://:hidden@a:6379" "\n',
    "sreg.toml:2:32: not TOML: each key-value declaration must be followed by an end-of-line\n" +
    '  2 | url = "redis://*******@a:6379" "\n    |                                ^',
  ],
  [
    "a cache plugin that there is none of",
    "[cache_store.rediss]\n",
    "sreg.toml:1:14: cache_store.rediss: no such cache plugin, did you mean redis?\n" +
    "  1 | [cache_store.rediss]\n    |              ^^^^^^",
  ],
  [
    "a storage plugin that there is none of",
    "[storage.fss]\n",
    "sreg.toml:1:10: storage.fss: no such storage plugin, did you mean fs?\n  1 | [storage.fss]\n    |          ^^^",
  ],
  [
    "a storage plugin that is near none",
    "[storage.swift]\n",
    "sreg.toml:1:10: storage.swift: no such storage plugin, there are: fs, memory, s3\n" +
    "  1 | [storage.swift]\n    |          ^^^^^",
  ],
  [
    "storage settings in place of a table",
    'storage.fs = "./data"\n',
    'sreg.toml:1:14: storage.fs: expected a table, found "./data"\n  1 | storage.fs = "./data"\n    |              ^^^^^^^^',
  ],
  [
    "a plugin's option that is missing",
    "[storage.fs]\n",
    "sreg.toml:1:10: storage.fs.root_dir: missing, expected a path\n  1 | [storage.fs]\n    |          ^^",
  ],
  [
    "a plugin's option that there is none of",
    '[storage.fs]\nrootdir = "./data"\nroot_dir = "./data"\n',
    "sreg.toml:2:1: storage.fs.rootdir: unknown key, did you mean root_dir?\n" +
    '  2 | rootdir = "./data"\n    | ^^^^^^^',
  ],
  [
    "a plugin that is declared in vain",
    'plugin.own.path = "./mine"\n',
    "sreg.toml:1:8: plugin.own: declared, but no table uses it\n" +
    '  1 | plugin.own.path = "./mine"\n    |        ^^^',
  ],
  [
    "a plugin without a folder",
    'storage.own = {}\n[plugin.own]\npath = "./nowhere"\n',
    "sreg.toml:3:8: plugin.own.path: expected a folder with a plugin.toml, found none in ~/nowhere\n" +
    '  3 | path = "./nowhere"\n    |        ^^^^^^^^^^^',
  ],
  [
    "a plugin that takes a built-in one's name",
    '[storage.memory]\n[plugin.memory]\npath = "./mine"\n',
    "sreg.toml:2:9: plugin.memory: a built-in storage plugin has this name already\n" +
    "  2 | [plugin.memory]\n    |         ^^^^^^",
  ],
  [
    "a plugin of another kind",
    'storage.own = {}\nplugin.own.path = "./auth"\n',
    "sreg.toml:2:19: plugin.own.path: expected a storage plugin, found one of kind auth\n" +
    '  2 | plugin.own.path = "./auth"\n    |                   ^^^^^^^^',
  ],
  [
    "a plugin whose own file is wrong, after what is wrong in sreg.toml",
    'storage.own = {}\nplugin.own.path = "./broken"\nlog.level = "loud"\n',
    'sreg.toml:3:13: log.level: expected one of "debug", "info", "warn", "error", found "loud"\n' +
    '  3 | log.level = "loud"\n    |             ^^^^^^\n' +
    '~/broken/plugin.toml:2:8: kind: expected one of "storage", "auth", "policy", "lock", "cache", "event", ' +
    'found "disk"\n  2 | kind = "disk"\n    |        ^^^^^^',
  ],
];

Deno.test("loadConfig() refuses", async (t) => {
  await using folder = await Folder.create({
    ...MINE,
    "auth/plugin.toml": MINE["mine/plugin.toml"].replace("storage", "auth"),
    "auth/mine.ts": "",
    "broken/plugin.toml": MINE["mine/plugin.toml"].replace("storage", "disk"),
  });
  for (const [name, text, message] of BAD) {
    await t.step(name, async () => assertEquals(await folder.refused(text), message));
  }
});

Deno.test("loadConfig() takes any text, or shows a line of it", async () => {
  await using folder = await Folder.create(MINE);
  const example = await Deno.readTextFile(
    fromFileUrl(new URL("../../docs/sreg.example.toml", import.meta.url)),
  );
  const pieces = [
    " ",
    "\n",
    "=",
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    ",",
    ".",
    "#",
    "1",
    "x",
    "é",
    "[[storage]]\n",
    '"""',
  ];
  const edit = fc.record({
    at: fc.nat(example.length),
    removed: fc.nat(12),
    inserted: fc.constantFrom("", ...pieces),
  });
  const texts = fc.array(edit, { maxLength: 4 }).map((edits) =>
    edits.reduce(
      (text, { at, removed, inserted }) => text.slice(0, at) + inserted + text.slice(at + removed),
      example,
    )
  );
  // What is shown of a line with a secret is not the line.
  const masked = ['[identity.a]\npassword = é"x=y 𝄞"\n', '[auth.webhook.a]\nbearer_token = "x" "𝄞=y"\n'];
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const error = await folder.load(text).then(() => undefined, (error: unknown) => error);
      if (error === undefined) return;
      assert(error instanceof ConfigError, `${error}`);
      for (const { mark } of error.problems) assertMarked(text, mark);
    }),
    { examples: masked.map((text) => [text]) },
  );
});

function assertMarked(text: string, mark: SourceMark | undefined): void {
  if (mark === undefined) return;
  const line = text.split("\n")[mark.line - 1]!;
  const shown = isSecretLine(line) ? [maskedLine(line)] : [line, maskedLine(line), maskedUsers(line)];
  assert(shown.map((text) => text.trimEnd()).includes(mark.text), mark.text);
  assert(mark.column >= 1 && mark.length >= 1 && mark.column - 1 <= [...line].length);
}

/** Other names may be taken for secrets', too. */
function isSecretLine(line: string): boolean {
  const [key = "", ...rest] = line.split("=");
  return rest.length > 0 && /passw|pasw|secret|token"?\s*$|basic_auth|credential/i.test(key);
}

/** A line keeps its shape, not its value. */
function maskedLine(line: string): string {
  const [key, ...rest] = line.split("=");
  return `${key}=${[...rest.join("=")].map((letter) => /[\s"']/.test(letter) ? letter : "*").join("")}`;
}

function maskedUsers(line: string): string {
  return line.replaceAll(/(?<=[a-z][a-z0-9+.-]*:\/\/)[^\s"']*(?=@)/gi, (user) => "*".repeat(user.length));
}

async function testTls(t: Deno.TestContext): Promise<void> {
  await using folder = await Folder.create({ "not.pem": "hello" });
  await folder.writeCertificate("a");
  await folder.writeCertificate("b");
  const load = (cert: string, key: string) =>
    folder.refused(`[server.tls]\nserver_certificate_bundle = "${cert}"\nserver_private_key = "${key}"`);

  await t.step("takes a certificate and its key", async () => {
    const { server } = await folder.load("", { cert: "a.crt", key: "a.key" });
    assertEquals(server.tls, {
      serverCertificateBundle: join(folder.path, "a.crt"),
      serverPrivateKey: join(folder.path, "a.key"),
      clientAuth: "optional",
    });
  });
  await t.step("refuses files that are not there", async () => {
    assertEquals(
      await load("c.crt", "a.key"),
      "sreg.toml:2:29: server.tls.server_certificate_bundle: expected a PEM certificate, " +
        "cannot read ~/c.crt: no such file\n" +
        '  2 | server_certificate_bundle = "c.crt"\n    |                             ^^^^^^^',
    );
  });
  await t.step("refuses files that are no PEM files", async () => {
    assertEquals(
      await load("a.crt", "not.pem"),
      "sreg.toml:3:22: server.tls.server_private_key: expected a PEM private key, found none in ~/not.pem\n" +
        '  3 | server_private_key = "not.pem"\n    |                      ^^^^^^^^^',
    );
  });
  await t.step("refuses files that do not belong together", async () => {
    assertEquals(
      await load("a.crt", "b.key"),
      "sreg.toml:3:22: server.tls.server_private_key: expected the private key of the certificate, " +
        "found another one's\n" +
        '  3 | server_private_key = "b.key"\n    |                      ^^^^^^^',
    );
  });
  await t.step("refuses files that a flag names", async () => {
    assertEquals(
      await folder.refused("", { cert: "c.crt", key: "a.key" }),
      "--cert: server.tls.server_certificate_bundle: expected a PEM certificate, cannot read ~/c.crt: no such file",
    );
  });
}

Deno.test({ name: "loadConfig() with TLS (certificates by openssl)", ignore: NO_OPENSSL, fn: testTls });

Deno.test("loadConfig() refuses a file that is not there, or not UTF-8", async () => {
  await using folder = await Folder.create();
  await Deno.writeFile(join(folder.path, "latin1.toml"), new Uint8Array([0x23, 0xe4]));
  const load = (file: string) => loadConfig({ files: [file], cwd: folder.path });
  await assertRejects(load("x.toml"), {
    message: "Cannot use the configuration: 1 problem\nx.toml: cannot be read: no such file",
  });
  await assertRejects(load("latin1.toml"), {
    message: "Cannot use the configuration: 1 problem\nlatin1.toml: cannot be read: not UTF-8",
  });
});

Deno.test("loadConfig() reads a file that begins with a byte order mark", async () => {
  await using folder = await Folder.create({ "sreg.toml": "\ufeff[storage.memory]\n" });
  assertEquals((await loadConfig({ files: ["sreg.toml"], cwd: folder.path })).storage.name, "memory");
});

Deno.test("resolveConfigFiles() takes the flag's paths, else sreg.toml, else config.toml, else none", async () => {
  await using folder = await Folder.create();
  assertEquals(await resolveConfigFiles(folder.path), []);
  await folder.write("config.toml", "");
  assertEquals(await resolveConfigFiles(folder.path), ["config.toml"]);
  await folder.write("sreg.toml", "");
  assertEquals(await resolveConfigFiles(folder.path), ["sreg.toml"]);
  assertEquals(await resolveConfigFiles(folder.path, ["b.toml", "a"]), ["b.toml", "a"]);
});
