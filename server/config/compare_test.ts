import { assertEquals } from "../../tests/support/assert.ts";
import type { Config } from "./load.ts";
import type { PluginConfig } from "./plugins.ts";
import { compareConfig } from "./compare.ts";

const STORAGE: PluginConfig = {
  name: "own",
  kind: "storage",
  folder: "/plugins/own",
  entry: "own.ts",
  isolation: "process",
  permissions: { read: ["{root}"] },
  granted: { read: ["/data"] },
  options: { root: "/data", hosts: ["a", "b"] },
};

const LOCKS: PluginConfig = {
  name: "redis",
  kind: "lock",
  folder: "/plugins/lock/redis",
  entry: "redis.ts",
  isolation: "worker",
  permissions: { net: ["{url.host}"] },
  options: { url: "redis://a" },
};

/** A configuration with other values for some of its keys. */
function configure(other: {
  readonly server?: Partial<Config["server"]>;
  readonly storage?: Partial<PluginConfig>;
  readonly lockStore?: Partial<PluginConfig>;
  readonly level?: Config["log"]["level"];
} = {}): Config {
  const running = {
    server: { bindAddress: "127.0.0.1", port: 5000, ...other.server },
    storage: { ...STORAGE, ...other.storage },
    lockStore: { ...LOCKS, ...other.lockStore },
    cacheStore: { ...LOCKS, kind: "cache" },
    uploads: { idleTimeoutMs: 1000, openMax: 10, stallTimeoutMs: 1000 },
    log: { level: other.level ?? "info" },
  };
  return running as unknown as Config;
}

const tls = { serverCertificateBundle: "/a.crt", serverPrivateKey: "/a.key" } as
  & Config["server"]["tls"]
  & object;

const CASES: readonly (readonly [name: string, running: Config, next: Config, keys: readonly string[]])[] = [
  ["nothing where nothing changed", configure(), configure(), []],
  ["nothing where only what may change did", configure(), configure({ level: "debug" }), []],
  ["the address", configure(), configure({ server: { bindAddress: "::" } }), ["server.bind_address"]],
  ["the port", configure(), configure({ server: { port: 5001 } }), ["server.port"]],
  ["TLS that was switched on", configure(), configure({ server: { tls } }), ["server.tls"]],
  ["TLS that was switched off", configure({ server: { tls } }), configure(), ["server.tls"]],
  [
    "nothing where TLS got other files",
    configure({ server: { tls } }),
    configure({ server: { tls: { ...tls, serverPrivateKey: "/b.key" } } }),
    [],
  ],
  [
    "another storage plugin, whatever its options",
    configure(),
    configure({ storage: { name: "fs", options: {} } }),
    [
      "storage",
    ],
  ],
  [
    "another Redis for the locks",
    configure(),
    configure({ lockStore: { options: { url: "redis://b" } } }),
    ["lock_store.redis.url"],
  ],
  [
    "no Redis for the locks any more",
    configure(),
    configure({ lockStore: { name: "memory", options: {} } }),
    [
      "lock_store",
    ],
  ],
  [
    "each option of storage that changed, came or went",
    configure({ storage: { options: { root: "/data", hosts: ["a"], port: 1 } } }),
    configure({ storage: { options: { root: "/other", hosts: ["a"], limit: 2 } } }),
    ["storage.own.root", "storage.own.port", "storage.own.limit"],
  ],
  [
    "an option whose list changed",
    configure(),
    configure({ storage: { options: { root: "/data", hosts: ["a"] } } }),
    [
      "storage.own.hosts",
    ],
  ],
  ["the folder of the storage plugin", configure(), configure({ storage: { folder: "/p" } }), [
    "plugin.own.path",
  ]],
  ["its sandbox", configure(), configure({ storage: { isolation: "worker" } }), ["plugin.own.isolation"]],
  ["what it is granted", configure(), configure({ storage: { granted: {} } }), ["plugin.own.permissions"]],
  [
    "all of it at once",
    configure(),
    configure({ server: { port: 1, bindAddress: "::1", tls }, storage: { name: "fs" } }),
    ["server.bind_address", "server.port", "server.tls", "storage"],
  ],
];

Deno.test("compareConfig() names", async (t) => {
  for (const [name, running, next, keys] of CASES) {
    await t.step(name, () => assertEquals(compareConfig(running, next), keys));
  }
});
