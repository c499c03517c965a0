import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { KeyedMutex, SharedMutex } from "./mutex.ts";

/** Runs tasks whose beginnings and ends it writes down; each ends when it is told to. */
function recorder() {
  const events: string[] = [];
  const gates = new Map<string, () => void>();
  const task = (name: string) => async () => {
    events.push(`${name} begins`);
    const { promise, resolve } = Promise.withResolvers<void>();
    gates.set(name, resolve);
    await promise;
    events.push(`${name} ends`);
  };
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  const end = async (name: string) => {
    gates.get(name)!();
    await turn();
  };
  return { events, task, end, turn };
}

Deno.test("KeyedMutex runs the tasks of a key one after the other, and those of others meanwhile", async () => {
  const { events, task, end, turn } = recorder();
  const mutex = new KeyedMutex();
  const all = [mutex.run("x", task("a")), mutex.run("x", task("b")), mutex.run("y", task("c"))];
  await turn();
  assertEquals(events, ["a begins", "c begins"]);
  await end("a");
  assertEquals(events.slice(2), ["a ends", "b begins"]);
  await end("b");
  await end("c");
  await Promise.all(all);
});

Deno.test("KeyedMutex goes on after a task that fails", async () => {
  const mutex = new KeyedMutex();
  const failing = mutex.run("x", () => Promise.reject(new Error("broken")));
  const next = mutex.run("x", () => Promise.resolve(1));
  await assertRejects(failing, /broken/);
  assertEquals(await next, 1);
});

Deno.test("SharedMutex runs some tasks together and some alone, in the order in which they came", async () => {
  const { events, task, end, turn } = recorder();
  const mutex = new SharedMutex();
  const all = [
    mutex.together("x", task("a")),
    mutex.together("x", task("b")),
    mutex.alone("x", task("c")),
    mutex.together("x", task("d")),
    mutex.together("y", task("e")),
  ];
  await turn();
  assertEquals(events, ["a begins", "b begins", "e begins"]);
  await end("b");
  assertEquals(events.at(-1), "b ends");
  await end("a");
  assertEquals(events.slice(-2), ["a ends", "c begins"]);
  await end("c");
  assertEquals(events.slice(-2), ["c ends", "d begins"]);
  await end("d");
  await end("e");
  await Promise.all(all);
});

Deno.test("SharedMutex goes on after tasks that fail", async () => {
  const mutex = new SharedMutex();
  const failing = [
    mutex.together("x", () => Promise.reject(new Error("one"))),
    mutex.alone("x", () => Promise.reject(new Error("two"))),
  ];
  const next = mutex.alone("x", () => Promise.resolve(3));
  await assertRejects(failing[0]!, /one/);
  await assertRejects(failing[1]!, /two/);
  assertEquals(await next, 3);
});

Deno.test("SharedMutex forgets tasks that have ended, though one of their key is always under way", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const mutex = new SharedMutex();
  const begin = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    return { end: resolve, ended: mutex.together("x", () => promise) };
  };
  let last = begin();
  collect();
  const { heapUsed } = Deno.memoryUsage();
  for (let count = 0; count < 100_000; count++) {
    const next = begin();
    last.end();
    await last.ended;
    last = next;
  }
  collect();
  const bytes = Deno.memoryUsage().heapUsed - heapUsed;
  last.end();
  await last.ended;
  assert(bytes < 2 ** 20, `${bytes} bytes are held`);
});
