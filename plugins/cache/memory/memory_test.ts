import { assertEquals } from "../../../tests/support/assert.ts";
import { create } from "./memory.ts";

const LONG = { ttlMs: 60_000 };
const KIB = 1024;

Deno.test("the memory cache lets go first of what was used longest ago", async () => {
  const cache = await create({ size: 4 * KIB });
  for (const key of ["a", "b", "c"]) await cache.put(key, new Uint8Array(KIB), LONG);
  await cache.get("a");
  await cache.put("d", new Uint8Array(KIB), LONG);
  const left = await Promise.all(["a", "b", "c", "d"].map(async (key) => await cache.get(key) !== undefined));
  assertEquals(left, [true, false, true, true]);
});

Deno.test("the memory cache counts what it holds once, however often it is put over, deleted or has ended", async () => {
  const cache = await create({ size: 4 * KIB });
  await cache.put("kept", new Uint8Array(KIB), LONG);
  for (let round = 0; round < 100; round++) {
    await cache.put("over", new Uint8Array(KIB), LONG);
    await cache.put("deleted", new Uint8Array(KIB), LONG);
    await cache.delete(["deleted", "none"]);
    await cache.put("ended", new Uint8Array(KIB), { ttlMs: 0 });
    await cache.get("ended");
    await cache.count("counter", { by: 1, ...LONG });
  }
  assertEquals((await cache.get("kept"))?.bytes.length, KIB);
  assertEquals(await cache.count("counter", { by: 0, ...LONG }), 100);
});

Deno.test("the memory cache keeps nothing that is larger than itself, and many small ones within its size", async () => {
  const cache = await create({ size: 100 * KIB });
  await cache.put("large", new Uint8Array(101 * KIB), LONG);
  assertEquals(await cache.get("large"), undefined);
  for (let at = 0; at < 10_000; at++) await cache.count(`counter${at}`, { by: 1, ...LONG });
  const counts = await Promise.all(
    Array.from({ length: 10_000 }, (_, at) => cache.count(`counter${at}`, { by: 0, ...LONG })),
  );
  const kept = counts.filter((count) => count === 1).length;
  assertEquals([kept > 100, kept < 1_000], [true, true], String(kept));
});
