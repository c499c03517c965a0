/** Which plugins a server starts for its store, and what the store is to it then. */

import { PluginError } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { loadConfig } from "../../server/config/mod.ts";
import type { Log } from "../../server/observe/log.ts";
import { startStores, type Stores } from "../../server/stores.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { fromFileUrl } from "../support/paths.ts";
import { HAS_REDIS, startRedis } from "../support/redis_server.ts";

const PLAIN = `[storage.plain]
[plugin.plain]
path = ${JSON.stringify(fromFileUrl(new URL("./fixtures/plain", import.meta.url)))}
isolation = "worker"
`;

interface Scene extends AsyncDisposable {
  readonly stores: Stores;
  /** Kind and name of the plugins that run. */
  readonly plugins: readonly string[];
  readonly warnings: readonly string[];
}

async function open(text: string): Promise<Scene> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-test-" });
  await Deno.writeTextFile(`${folder}/sreg.toml`, text);
  const warnings: string[] = [];
  const ignore = () => {};
  const log: Log = { debug: ignore, info: ignore, warn: (message) => warnings.push(message), error: ignore };
  const stores = await startStores(await loadConfig({ files: ["sreg.toml"], cwd: folder }), log);
  return {
    stores,
    plugins: stores.reports().map(({ kind, name }) => `${kind} ${name}`),
    warnings,
    [Symbol.asyncDispose]: async () => {
      await stores.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Counts up, on the condition that nobody else has. */
async function countUp(storage: Storage): Promise<void> {
  for (;;) {
    const value = await storage.get("counter");
    const next = new TextEncoder().encode(
      String(Number(value ? new TextDecoder().decode(value.bytes) : 0) + 1),
    );
    try {
      await storage.put("counter", next, value ? { ifMatch: value.etag } : { ifAbsent: true });
      return;
    } catch (error) {
      if (!(error instanceof PluginError && error.code === "conflict")) throw error;
    }
  }
}

async function countTogether(storage: Storage): Promise<string> {
  await Promise.all(Array.from({ length: 12 }, () => countUp(storage)));
  return new TextDecoder().decode((await storage.get("counter"))!.bytes);
}

Deno.test("startStores() starts nothing but the store where that is this machine's own", async () => {
  await using scene = await open("[storage.memory]\n");
  assertEquals([scene.plugins, scene.stores.cache, scene.warnings], [["storage memory"], undefined, []]);
});

Deno.test("startStores() makes conditions by locks in memory, with a warning that it is for one server", async () => {
  await using scene = await open(PLAIN);
  assertEquals(scene.plugins, ["storage plain", "lock memory", "cache memory"]);
  assertMatch(
    scene.warnings.join("\n"),
    /^The store does not hold all writes and deletions to conditions, and locks are in memory: [^\n]*\nThe store can be shared, and the cache is in memory: [^\n]*$/,
  );
  assertEquals(await scene.stores.storage.features!(), {
    shared: true,
    conditions: true,
    moveMs: 0,
    notes: false,
  });
  assertEquals(await countTogether(scene.stores.storage), "12");
});

Deno.test({
  name: "redis-server: startStores() makes conditions by locks in Redis, and shows nobody its password",
  ignore: !HAS_REDIS,
  fn: async () => {
    await using redis = await startRedis({ args: ["--requirepass", "hidden"] });
    const url = redis.url.replace("//", "//:hidden@");
    const tables = `[lock_store.redis]\nurl = "${url}"\nttl = "3s"\n[cache_store.redis]\nurl = "${url}"\n`;
    await using scene = await open(PLAIN + tables);
    assertEquals([scene.plugins, scene.warnings], [["storage plain", "lock redis", "cache redis"], []]);
    assertEquals(await countTogether(scene.stores.storage), "12");
    const reports = scene.stores.reports().filter(({ name }) => name === "redis");
    for (const { permissions, options } of reports) {
      assertEquals(permissions, { net: [`127.0.0.1:${redis.port}`] });
      assertEquals(options["url"], redis.url.replace("//", "//***@"));
    }
    assert(!JSON.stringify(scene.stores.reports()).includes("hidden"));
  },
});

Deno.test("startStores() leaves nothing running where one of them does not start", async () => {
  const failed = await open(`${PLAIN}[lock_store.redis]\nurl = "http://a"\n`).catch((error: Error) => error);
  assertMatch((failed as Error).message, /Cannot start lock plugin "redis": Cannot use url/);
});
