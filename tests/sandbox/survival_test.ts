/** Plugins that harm themselves: the host notices, ends them, and goes on with a new one. */

import { assert, assertEquals } from "../support/assert.ts";
import { REFUSED_IN_WORKERS, type Targets } from "./fixtures/plugins/hostile.ts";
import { openStage, type Scene, SHORT } from "./scene.ts";

interface Row {
  /** What the plugin does. */
  readonly way: string;
  /** Why a worker is ended; absent where its wall leaves this open. */
  readonly worker?: RegExp;
  /** Why a process is ended. */
  readonly process?: RegExp;
}

const MIB = 1024 * 1024;
const MEMORY = /took more than 192 MiB of memory|ended with SIG/;
const FLOOD = /flooded the host with messages/;

const ROWS: readonly Row[] = [
  { way: "loop for ever", process: /hung: it gave no sign of life/ },
  { way: "backtrack for ever", process: /hung: it gave no sign of life/ },
  { way: "loop for ever when nothing is asked", process: /hung|was busy/ },
  { way: "be busy when nothing is asked", process: /was busy for 2000 ms though nothing was asked of it/ },
  { way: "fill the heap", process: MEMORY },
  { way: "fill buffers", process: MEMORY },
  { way: "fill buffers without a hurry", process: MEMORY },
  { way: "fill the memory of its code", process: MEMORY },
  { way: "flood with lines", worker: FLOOD, process: FLOOD },
  { way: "flood with answers that nobody asked for", worker: FLOOD, process: FLOOD },
  { way: "flood with signs of life", worker: FLOOD, process: FLOOD },
  { way: "send what is no frame", worker: /no frame/, process: /no frame/ },
  { way: "send a frame of a type that is not", worker: /unknown type 99/, process: /unknown type 99/ },
  { way: "send bytes of a stream that is not", worker: /no frame/, process: FLOOD },
  { way: "announce a frame of 4 GiB", worker: /no frame/, process: /length is out of bounds/ },
  { way: "send nonsense", worker: /no frame/, process: /length is out of bounds/ },
  { way: "send JSON that is none", worker: /no frame/, process: /sent no frames: .*JSON/ },
  { way: "throw later", worker: /crashed: .*thrown later/, process: /ended with status 1: .*thrown later/ },
  { way: "reject later", worker: /crashed: .*unhandled/, process: /ended with status 1: .*unhandled/ },
  { way: "throw and never answer", worker: /thrown meanwhile/, process: /thrown meanwhile/ },
  { way: "close its end", worker: /hung: it gave no sign of life/, process: /hung|ended/ },
];

for (const { way, ...reasons } of ROWS) {
  for (const isolation of ["worker", "process"] as const) {
    const reason = reasons[isolation];
    if (!reason) continue;
    Deno.test(`the host ends a plugin in a ${isolation} that would ${way}, and starts it anew`, async () => {
      await using stage = await openStage({
        plugin: "rogue",
        isolation,
        // Whoever fills its memory in one go is silent meanwhile; that is not what it shall be ended for.
        limits: { ...SHORT, memoryBytes: 192 * MIB, ...(reason === MEMORY && { hungMs: 60_000 }) },
      });
      const answer = await stage.storage.list(way, { limit: 1 }).catch((error) => error.code);
      assert(["unavailable"].includes(answer) || answer.length === 0, `${answer}`);
      assert(await stage.logged(reason));
      await stage.recover();
      assertEquals(stage.plugin.facts().restarts, 1);
    });
  }
}

for (const attack of REFUSED_IN_WORKERS) {
  Deno.test(`the host outlives a plugin in a process that would ${attack}`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "sreg-sandbox-" });
    const secret = `${folder}/secret`;
    await Deno.writeTextFile(secret, "a secret");
    const targets: Targets = { secret, scratch: "/", host: "127.0.0.1:9", hostPid: Deno.pid };
    const scene: Scene = { plugin: "hostile", isolation: "process", options: { ...targets } };
    await using stage = await openStage(scene);
    const answer = await stage.storage.list(attack, { limit: 1 }).catch((error) => [error.code]);
    assert(!answer.includes("a secret"), `${answer}`);
    await stage.recover();
    await Deno.remove(folder, { recursive: true });
  });
}
