import { assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { PluginError } from "../../plugins/contract/error.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/name.ts";
import type { Tag } from "../oci/reference.ts";
import { pullsPrefix } from "./keys.ts";
import { Pulls } from "./pulls.ts";

const APP = "app" as RepositoryName;
const LATEST = { tag: "latest" as Tag };
const DIGEST = { digest: `sha256:${"a".repeat(64)}` as Digest };

async function memory(): Promise<Storage> {
  return await create({});
}

/** The times of a repository, each as whether it lies between the two. */
async function between(pulls: Pulls, fromMs: number, untilMs = Date.now()) {
  const times = [...await pulls.get(APP)].sort(([a], [b]) => a < b ? -1 : 1);
  return times.map(([reference, atMs]) => [reference, atMs >= fromMs && atMs <= untilMs]);
}

Deno.test("a pull is known at once, by the tag or digest that it was asked for by", async () => {
  const pulls = new Pulls(await memory());
  const startMs = Date.now();
  pulls.note(APP, LATEST);
  pulls.note(APP, DIGEST);
  assertEquals(await between(pulls, startMs), [["latest", true], [DIGEST.digest, true]]);
  assertEquals([...await pulls.get("app/other" as RepositoryName)], []);
});

Deno.test("a pull writes nothing; a flush writes one object a repository, and none where nothing was pulled", async () => {
  const storage = await memory();
  const pulls = new Pulls(storage);
  for (let count = 0; count < 1_000; count++) pulls.note(APP, { tag: `v${count}` as Tag });
  pulls.note("app/b" as RepositoryName, LATEST);
  assertEquals(await storage.list("pulls/", { limit: 10 }), []);
  await pulls.flush();
  assertEquals((await storage.list("pulls/", { limit: 10 })).length, 2);
  await pulls.flush();
  assertEquals((await storage.list("pulls/", { limit: 10 })).length, 2);
});

Deno.test("what was flushed is known after a restart, and what was not is known no more", async () => {
  const storage = await memory();
  const pulls = new Pulls(storage);
  pulls.note(APP, LATEST);
  await pulls.flush();
  pulls.note(APP, DIGEST);
  assertEquals([...(await new Pulls(storage).get(APP)).keys()], ["latest"]);
});

Deno.test("of what several replicas have written the latest time counts", async () => {
  const storage = await memory();
  const [one, other] = [new Pulls(storage), new Pulls(storage)];
  one.note(APP, LATEST);
  await one.flush();
  const laterMs = Date.now() + 1;
  while (Date.now() < laterMs);
  other.note(APP, LATEST);
  await other.flush();
  for (const pulls of [one, other, new Pulls(storage)]) {
    assertEquals(await between(pulls, laterMs), [["latest", true]]);
  }
});

Deno.test("a repository's objects become one before there are many, whoever wrote them", async () => {
  const storage = await memory();
  const replicas = [new Pulls(storage), new Pulls(storage)];
  let most = 0;
  for (let count = 0; count < 100; count++) {
    const pulls = replicas[count % 2]!;
    pulls.note(APP, { tag: `v${count}` as Tag });
    await pulls.flush();
    most = Math.max(most, (await storage.list(pullsPrefix(APP), { limit: 1_000 })).length);
  }
  assertEquals(most <= 35, true, `there were ${most} objects`);
  assertEquals((await new Pulls(storage).get(APP)).size, 100);
});

Deno.test("objects that two replicas make one at the same time lose nothing", async () => {
  const storage = await memory();
  for (let count = 0; count < 20; count++) {
    const pulls = new Pulls({ ...bound(storage), list: () => Promise.resolve([]) });
    pulls.note(APP, { tag: `v${count}` as Tag });
    await pulls.flush();
  }
  const replicas = [new Pulls(storage), new Pulls(storage), new Pulls(storage)];
  for (const [index, pulls] of replicas.entries()) pulls.note(APP, { tag: `w${index}` as Tag });
  await Promise.all(replicas.map((pulls) => pulls.flush()));
  assertEquals((await new Pulls(storage).get(APP)).size, 23);
});

Deno.test("what could not be written is noted still, and written the next time", async () => {
  const storage = await memory();
  let fails = true;
  const failure = new PluginError("unavailable", "Cannot put: it is down");
  const pulls = new Pulls({
    ...bound(storage),
    put: (...args) => fails ? Promise.reject(failure) : storage.put(...args),
  });
  pulls.note(APP, LATEST);
  await assertRejects(() => pulls.flush(), failure);
  assertEquals([...(await pulls.get(APP)).keys()], ["latest"]);
  fails = false;
  await pulls.flush();
  assertEquals([...(await new Pulls(storage).get(APP)).keys()], ["latest"]);
});

Deno.test("what is being written is known meanwhile", async () => {
  const storage = await memory();
  const written = Promise.withResolvers<void>();
  const pulls = new Pulls({
    ...bound(storage),
    put: async (...args) => {
      await written.promise;
      return await storage.put(...args);
    },
  });
  pulls.note(APP, LATEST);
  const flushed = pulls.flush();
  await Promise.resolve();
  assertEquals([...(await pulls.get(APP)).keys()], ["latest"]);
  written.resolve();
  await flushed;
});

Deno.test("the pulls of a repository that is gone are forgotten, those of one below it are not", async () => {
  const storage = await memory();
  const below = "app/below" as RepositoryName;
  const pulls = new Pulls(storage);
  for (const name of [APP, below]) pulls.note(name, LATEST);
  await pulls.flush();
  for (const name of [APP, below]) pulls.note(name, DIGEST);
  await pulls.forget(APP);
  assertEquals([...await pulls.get(APP)], []);
  assertEquals((await pulls.get(below)).size, 2);
});

Deno.test("a tag may have any name", async () => {
  const storage = await memory();
  const pulls = new Pulls(storage);
  for (const tag of ["__proto__", "constructor", "toString"]) pulls.note(APP, { tag: tag as Tag });
  await pulls.flush();
  assertEquals([...(await new Pulls(storage).get(APP)).keys()].sort(), [
    "__proto__",
    "constructor",
    "toString",
  ]);
});

/** The methods of a storage as properties of an object of their own. */
function bound(storage: Storage): Storage {
  const names = ["stat", "get", "open", "put", "append", "move", "delete", "list"] as const;
  return Object.fromEntries(
    names.map((name) => [name, (storage[name] as (...args: never[]) => unknown).bind(storage)]),
  ) as unknown as Storage;
}
