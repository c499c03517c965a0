import { assertEquals, assertRejects } from "../../../tests/support/assert.ts";
import { Durability } from "./durability.ts";
import { directoryOf } from "./paths.ts";

/** Fsyncs that end when the test says so. */
class Fsyncs {
  readonly begun: string[] = [];
  readonly #running: PromiseWithResolvers<void>[] = [];

  readonly begin = (directory: string): Promise<void> => {
    this.begun.push(directory);
    const fsync = Promise.withResolvers<void>();
    this.#running.push(fsync);
    return fsync.promise;
  };

  async end(error?: Error): Promise<void> {
    const fsync = this.#running.shift()!;
    if (error) fsync.reject(error);
    else fsync.resolve();
    await turn();
  }
}

/** Lets everything happen that waits for nothing outside. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function track(promise: Promise<void>) {
  const tracked = { done: false };
  promise.then(() => tracked.done = true);
  return tracked;
}

Deno.test("sync() begins one fsync, and those who ask while it runs share the next", async () => {
  const fsyncs = new Fsyncs();
  const durability = new Durability(fsyncs.begin);
  const first = track(durability.sync("", directoryOf));
  await turn();
  const others = [1, 2, 3].map(() => track(durability.sync("", directoryOf)));
  await turn();
  assertEquals(fsyncs.begun, [""]);
  await fsyncs.end();
  assertEquals([first.done, ...others.map(({ done }) => done)], [true, false, false, false]);
  assertEquals(fsyncs.begun, ["", ""]);
  await fsyncs.end();
  assertEquals(others.map(({ done }) => done), [true, true, true]);
  durability.sync("", directoryOf);
  await turn();
  assertEquals(fsyncs.begun, ["", "", ""]);
});

Deno.test("sync() begins one fsync for all who ask in one turn", async () => {
  const fsyncs = new Fsyncs();
  const durability = new Durability(fsyncs.begin);
  const all = [1, 2, 3].map(() => track(durability.sync("", directoryOf)));
  await turn();
  assertEquals(fsyncs.begun, [""]);
  await fsyncs.end();
  assertEquals(all.map(({ done }) => done), [true, true, true]);
});

Deno.test("sync() includes the parents of a directory that an earlier process may have made, once", async () => {
  const fsyncs = new Fsyncs();
  const durability = new Durability(fsyncs.begin);
  const first = track(durability.sync("a/b/", directoryOf));
  await turn();
  assertEquals(fsyncs.begun, ["a/b/", "a/", ""]);
  for (let count = 0; count < 3; count++) await fsyncs.end();
  assertEquals(first.done, true);
  durability.sync("a/b/", directoryOf);
  await turn();
  assertEquals(fsyncs.begun.slice(3), ["a/b/"]);
});

Deno.test("sync() includes the parents of directories that were made, until that is durable", async () => {
  const fsyncs = new Fsyncs();
  const durability = new Durability(fsyncs.begin);
  durability.made("a/");
  durability.made("a/b/");
  const first = track(durability.sync("a/b/", directoryOf));
  await turn();
  assertEquals(fsyncs.begun, ["a/b/", "a/", ""]);
  const second = track(durability.sync("a/b/", directoryOf));
  for (let count = 0; count < 3; count++) await fsyncs.end();
  assertEquals([first.done, second.done, fsyncs.begun.length], [true, false, 6]);
  for (let count = 0; count < 3; count++) await fsyncs.end();
  assertEquals(second.done, true);
  durability.sync("a/b/", directoryOf);
  await turn();
  assertEquals(fsyncs.begun.slice(6), ["a/b/"]);
});

Deno.test("sync() does not take a directory for durable that was removed and made again meanwhile", async () => {
  const fsyncs = new Fsyncs();
  const durability = new Durability(fsyncs.begin);
  durability.made("a/");
  durability.sync("a/", directoryOf);
  await turn();
  durability.removed("a/");
  durability.made("a/");
  await fsyncs.end();
  await fsyncs.end();
  durability.sync("a/", directoryOf);
  await turn();
  assertEquals(fsyncs.begun, ["a/", "", "a/", ""]);
});

Deno.test("sync() fails with its fsync, and the next who asks tries again", async () => {
  const fsyncs = new Fsyncs();
  const durability = new Durability(fsyncs.begin);
  durability.made("a/");
  const first = assertRejects(durability.sync("a/", directoryOf), /broken/);
  await turn();
  const second = durability.sync("a/", directoryOf);
  await fsyncs.end();
  await fsyncs.end(new Error("broken"));
  await first;
  await fsyncs.end();
  await fsyncs.end();
  await second;
  assertEquals(fsyncs.begun, ["a/", "", "a/", ""]);
});
