import type { Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { assert, assertEquals, assertMatch } from "../../tests/support/assert.ts";
import { SEAL_KEY } from "./keys.ts";
import { Seals } from "./seals.ts";

Deno.test("Seals of one store are the same, whoever opened them and when", async () => {
  const storage = await create({});
  const [one, two] = await Promise.all([Seals.open(storage), Seals.open(storage)]);
  const later = await Seals.open(storage);
  const seal = one.seal("held", "library/app");
  assertMatch(seal, /^[0-9a-f]{32}$/);
  for (const seals of [one, two, later]) {
    assertEquals(seals.seal("held", "library/app"), seal);
    assert(seals.isSeal(seal, "held", "library/app"));
  }
  assertEquals((await storage.get(SEAL_KEY))!.size, 32);
});

Deno.test("Seals of another store are others", async () => {
  const [one, two] = [await Seals.open(await create({})), await Seals.open(await create({}))];
  assertEquals(two.isSeal(one.seal("text"), "text"), false);
});

Deno.test("isSeal() refuses what is not the seal of just these texts", async () => {
  const seals = await Seals.open(await create({}));
  const seal = seals.seal("a", "b");
  for (const parts of [["a"], ["a", "c"], ["b", "a"], ["a", "b", ""], ["", "a", "b"], ["ab"], []]) {
    assertEquals(seals.isSeal(seal, ...parts), false, parts.join());
  }
  const changed = seal.replace(/^./, (digit) => digit === "0" ? "1" : "0");
  for (const bad of ["", changed, seal.slice(1), `${seal}0`, seal.toUpperCase() + " ", "é".repeat(32)]) {
    assertEquals(seals.isSeal(bad, "a", "b"), false, bad);
  }
});

Deno.test("open() replaces a key that is none, and agrees with who is faster", async () => {
  for (const damaged of [new Uint8Array(0), new Uint8Array(31)]) {
    const storage = await create({});
    await storage.put(SEAL_KEY, damaged);
    let faster: Promise<Seals> | undefined;
    const put: Storage["put"] = async (...request) => {
      faster ??= Seals.open(storage);
      await faster;
      return await storage.put(...request);
    };
    const seals = await Seals.open({ get: (key) => storage.get(key), put } as Storage);
    assertEquals(seals.seal("text"), (await faster!).seal("text"));
  }
});
