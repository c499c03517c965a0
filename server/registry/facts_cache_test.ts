import { PluginError } from "../../plugins/contract/error.ts";
import { create } from "../../plugins/cache/memory/memory.ts";
import { assertEquals } from "../../tests/support/assert.ts";
import type { Digest } from "../oci/digest.ts";
import { forgivingCache } from "../sandbox/forgiving_cache.ts";
import { FactsCache } from "./facts_cache.ts";

const ONE = `sha256:${"1".repeat(64)}` as Digest;
const OTHER = `sha256:${"2".repeat(64)}` as Digest;
const OPTIONS = { size: 1_000_000 };

Deno.test("FactsCache answers the sizes that it was told, of empty bytes and of terabytes, until it forgets them", async () => {
  const facts = new FactsCache(await create(OPTIONS));
  assertEquals(await facts.size(ONE), undefined);
  await facts.keep(ONE, 0);
  await facts.keep(OTHER, 5_000_000_000_000);
  assertEquals([await facts.size(ONE), await facts.size(OTHER)], [0, 5_000_000_000_000]);
  await facts.forget(ONE);
  assertEquals([await facts.size(ONE), await facts.size(OTHER)], [undefined, 5_000_000_000_000]);
});

Deno.test("FactsCache is shared by those who share a cache", async () => {
  const cache = await create(OPTIONS);
  await new FactsCache(cache).keep(ONE, 7);
  assertEquals(await new FactsCache(cache).size(ONE), 7);
});

Deno.test("FactsCache does not believe what is no size", async () => {
  const cache = await create(OPTIONS);
  for (const text of ["", "-1", "1.5", "1e3", "12x", "99999999999999999999", "0x10", " 1"]) {
    await cache.put(`size:${ONE}`, new TextEncoder().encode(text), { ttlMs: 1_000 });
    assertEquals(await new FactsCache(cache).size(ONE), undefined, text);
  }
});

Deno.test("FactsCache knows nothing without a cache, and over one that fails", async () => {
  const fail = () => Promise.reject(new PluginError("unavailable", "Cannot ask it: it is away"));
  const broken = forgivingCache({ get: fail, put: fail, delete: fail, count: fail });
  for (const facts of [new FactsCache(undefined), new FactsCache(broken)]) {
    await facts.keep(ONE, 7);
    assertEquals(await facts.size(ONE), undefined);
    await facts.forget(ONE);
  }
});
