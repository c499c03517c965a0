/** What a plugin must not be able to do, behind each wall. */

import { assertEquals, assertRejects } from "../support/assert.ts";
import { REFUSED, REFUSED_IN_WORKERS, type Targets } from "./fixtures/plugins/hostile.ts";
import { HEALTHY, openStage, type Scene, type Stage, WALLS } from "./scene.ts";

interface Trap extends AsyncDisposable {
  readonly targets: Targets;
  /** The connections that were made, and what is in the folder and the file. */
  state(): Promise<unknown>;
}

const UNTOUCHED = { connections: 0, secret: "a secret", scratch: [] };

async function layTrap(): Promise<Trap> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-sandbox-" });
  await Deno.mkdir(`${folder}/scratch`);
  await Deno.writeTextFile(`${folder}/secret`, "a secret");
  let connections = 0;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = (async () => {
    for await (const connection of listener) {
      connections++;
      connection.close();
    }
  })();
  const { port } = listener.addr as Deno.NetAddr;
  return {
    targets: {
      secret: `${folder}/secret`,
      scratch: `${folder}/scratch`,
      host: `127.0.0.1:${port}`,
      hostPid: Deno.pid,
    },
    state: async () => ({
      connections,
      secret: await Deno.readTextFile(`${folder}/secret`),
      scratch: (await Array.fromAsync(Deno.readDir(`${folder}/scratch`))).map(({ name }) => name),
    }),
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function openHostile(isolation: Scene["isolation"], targets: Targets): Promise<Stage> {
  const permissions = { read: [targets.scratch], write: [targets.scratch] };
  return await openStage({ plugin: "hostile", isolation, permissions, options: { ...targets }, limits: {} });
}

for (const isolation of WALLS) {
  const attacks = isolation === "worker" ? [...REFUSED, ...REFUSED_IN_WORKERS] : REFUSED;
  Deno.test(`a plugin in a ${isolation}, granted one folder alone, cannot`, async (test) => {
    await using trap = await layTrap();
    await using stage = await openHostile(isolation, trap.targets);
    for (const attack of attacks) {
      await test.step(attack, async () => {
        assertEquals(await stage.storage.list(attack, { limit: 1 }), []);
        assertEquals(await trap.state(), UNTOUCHED);
        assertEquals(await stage.storage.stat("healthy"), HEALTHY);
      });
    }
    assertEquals(stage.plugin.facts().restarts, 0);
  });

  Deno.test(`a plugin in a ${isolation} can use what it was granted`, async () => {
    await using trap = await layTrap();
    const { targets } = trap;
    const permissions = { read: [targets.secret], net: [targets.host], env: ["PATH"], sys: ["hostname"] };
    await using stage = await openStage({
      plugin: "hostile",
      isolation,
      permissions,
      options: { ...targets },
      limits: {},
    });
    const gained = async (attack: string) => await stage.storage.list(attack, { limit: 1 });
    assertEquals(await gained("read a file"), ["a secret"]);
    assertEquals(await gained("connect"), ["connected"]);
    assertEquals(await gained("read a variable"), [Deno.env.get("PATH")]);
    // Node's shows a process only what it names; in a worker it is an object that has nothing else.
    assertEquals(await gained("read Node's environment"), isolation === "worker" ? ["1"] : []);
    assertEquals(await gained("read the host's name"), [Deno.hostname()]);
    assertEquals(await gained("write a file"), []);
  });
}

const IMPORTS: readonly {
  readonly plugin: string;
  readonly worker: RegExp;
  readonly process: RegExp | undefined;
}[] = [
  {
    plugin: "import_outside",
    worker: /import_outside\.ts imports "\.\.\/outside\.ts", which is outside of its folder/,
    process: /Requires read access/,
  },
  {
    plugin: "import_computed",
    worker: /import_computed\.ts has an import\(\) whose module is not a plain text/,
    process: /Requires read access/,
  },
  { plugin: "import_package", worker: /imports "npm:smol-toml@1\.9\.1"/, process: /npm/ },
  { plugin: "import_remote", worker: /imports "https:\/\/127\.0\.0\.1/, process: /remote|import access/i },
  { plugin: "import_data", worker: /imports "data:/, process: undefined },
  { plugin: "import_engine", worker: /imports "node:v8"/, process: undefined },
  { plugin: "import_threads", worker: /imports "node:worker_threads"/, process: undefined },
  { plugin: "import_descriptors", worker: /imports "node:fs"/, process: undefined },
];

for (const { plugin, ...refusals } of IMPORTS) {
  for (const isolation of WALLS) {
    const refused = refusals[isolation];
    Deno.test(`a plugin in a ${isolation} ${refused ? "cannot" : "gains nothing by"} ${plugin.replace("_", ": ")}`, async () => {
      if (refused) {
        await assertRejects(openStage({ plugin, isolation }), refused);
        return;
      }
      await using stage = await openStage({ plugin, isolation });
      assertEquals(await stage.storage.list("", { limit: 1 }), []);
      assertEquals(await stage.storage.stat("healthy"), HEALTHY);
    });
  }
}
