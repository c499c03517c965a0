import { PluginError } from "../../plugins/contract/error.ts";
import type { Storage } from "../../plugins/contract/storage.ts";
import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { openTicking } from "../../tests/support/two_step_moves.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { catalogKey } from "./keys.ts";
import { TagStamps } from "./tag_stamps.ts";

const NAME = parseRepositoryName("library/app");
const KEY = catalogKey(NAME);
const CONDEMNED = new TextEncoder().encode(crypto.randomUUID());

/** Stamps over an empty store, whose changes and reads are noted. */
async function open({ shared = true } = {}) {
  const { storage, clock } = await openTicking({ tickMs: 0 });
  const calls: string[] = [];
  const noted: Storage = {
    ...storage,
    get: (key) => (calls.push("get"), storage.get(key)),
    put: (key, bytes, condition) => (calls.push("put"), storage.put(key, bytes, condition)),
  };
  return { storage, noted, clock, stamps: new TagStamps(noted, { shared }), calls };
}

async function textOf(storage: Storage): Promise<string | undefined> {
  const value = await storage.get(KEY);
  return value && new TextDecoder().decode(value.bytes);
}

Deno.test("a stamp is shared by changes that begin within 2 s and end within 5 s of its beginning", async () => {
  const { clock, stamps, calls } = await open();
  using _ = clock.rule();
  const steps: readonly (readonly [passMs: number, step: "beginSetting" | "endSetting", puts: number])[] = [
    [0, "beginSetting", 1],
    [1_900, "beginSetting", 1],
    [3_000, "endSetting", 1],
    [200, "endSetting", 2],
    [1_900, "beginSetting", 2],
    [200, "beginSetting", 3],
  ];
  for (const [passMs, step, puts] of steps) {
    clock.pass(passMs);
    await stamps[step](NAME);
    assertEquals(calls.length, puts);
  }
});

Deno.test("a stamp is another one each time", async () => {
  const { storage, stamps } = await open();
  const found = new Set<string | undefined>();
  for (let count = 0; count < 3; count++) {
    await stamps.put(NAME);
    found.add(await textOf(storage));
  }
  assertEquals(found.size, 3);
});

Deno.test("who begins while a stamp is being put waits for that one", async () => {
  const { noted, calls } = await open();
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow: Storage = { ...noted, put: async (...args) => (await promise, await noted.put(...args)) };
  const stamps = new TagStamps(slow, { shared: true });
  let begun = 0;
  const all = [1, 2, 3].map(() => stamps.beginSetting(NAME).then(() => begun++));
  await Promise.resolve();
  assertEquals(begun, 0);
  resolve();
  await Promise.all(all);
  assertEquals([begun, calls], [3, ["put"]]);
});

Deno.test("a stamp that could not be put is relied on by nobody", async () => {
  const { noted, calls } = await open();
  let isDown = true;
  const failing: Storage = {
    ...noted,
    put: (...args) => isDown ? Promise.reject(new PluginError("unavailable", "down")) : noted.put(...args),
  };
  const stamps = new TagStamps(failing, { shared: true });
  await assertRejects(() => stamps.beginSetting(NAME), PluginError);
  isDown = false;
  await stamps.endSetting(NAME);
  assertEquals(calls, ["put"]);
});

Deno.test("who removes a tag replaces the stamp, and an entry that is none yet", async () => {
  for (const before of ["", "a stamp"]) {
    const { storage, stamps, clock } = await open();
    using _ = clock.rule();
    await storage.put(KEY, before === "" ? new Uint8Array(0) : stamps.newEntry());
    const found = await textOf(storage);
    await stamps.beginRemoving(NAME);
    const begun = await textOf(storage);
    clock.pass(5_000);
    await stamps.endRemoving(NAME);
    assertEquals(new Set([found, begun, await textOf(storage)]).size, 3, before);
  }
});

Deno.test("who removes a tag creates no entry, and pardons none that is condemned", async () => {
  const { storage, stamps, clock } = await open();
  using _ = clock.rule();
  await stamps.beginRemoving(NAME);
  assertEquals(await textOf(storage), undefined);
  await storage.put(KEY, CONDEMNED);
  for (let round = 0; round < 2; round++) {
    clock.pass(5_000);
    await stamps.beginRemoving(NAME);
    await stamps.endRemoving(NAME);
    assertEquals(await textOf(storage), new TextDecoder().decode(CONDEMNED));
  }
});

Deno.test("who removes a tag leaves an entry that changes meanwhile as it has become", async () => {
  for (const becomes of ["condemned", "gone"]) {
    const { storage } = await open();
    const stamps = new TagStamps(
      {
        ...storage,
        put: async (...args) => {
          await (becomes === "gone" ? storage.delete(KEY) : storage.put(KEY, CONDEMNED));
          return await storage.put(...args);
        },
      },
      { shared: true },
    );
    await storage.put(KEY, stamps.newEntry());
    await stamps.beginRemoving(NAME);
    const expected = becomes === "gone" ? undefined : new TextDecoder().decode(CONDEMNED);
    assertEquals(await textOf(storage), expected);
  }
});

Deno.test("where the store is not shared an entry is empty, and changes of tags leave it alone", async () => {
  const { storage, stamps, calls } = await open({ shared: false });
  await stamps.put(NAME);
  calls.length = 0;
  for (const step of ["beginSetting", "endSetting", "beginRemoving", "endRemoving"] as const) {
    await stamps[step](NAME);
  }
  assertEquals([calls, await textOf(storage)], [[], ""]);
  assert(stamps.newEntry().byteLength === 0);
});
