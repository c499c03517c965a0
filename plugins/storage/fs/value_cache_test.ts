import { assertEquals } from "../../../tests/support/assert.ts";
import { ValueCache } from "./value_cache.ts";

function facts(size: number, more: { modifiedAtMs?: number; inode?: number } = {}): Deno.FileInfo {
  return { size, mtime: new Date(more.modifiedAtMs ?? 1), ino: more.inode ?? 1 } as Deno.FileInfo;
}

function value(size: number) {
  return { size, modifiedAtMs: 1, etag: `${size}`, bytes: new Uint8Array(size) };
}

Deno.test("get() answers what was set, in bytes that are the caller's", () => {
  const cache = new ValueCache();
  const given = value(3);
  cache.set("a", facts(3), given);
  given.bytes.fill(9);
  cache.get("a", facts(3))!.bytes.fill(9);
  assertEquals(cache.get("a", facts(3)), value(3));
});

Deno.test("get() answers nothing for a file that has other facts, and nothing that was forgotten", () => {
  const cache = new ValueCache();
  cache.set("a", facts(3), value(3));
  for (const other of [facts(4), facts(3, { modifiedAtMs: 2 }), facts(3, { inode: 2 })]) {
    assertEquals(cache.get("a", other), undefined);
  }
  cache.forget("a");
  assertEquals(cache.get("a", facts(3)), undefined);
});

Deno.test("set() keeps the values used last, up to so many bytes, and no large one", () => {
  const cache = new ValueCache({ totalBytesMax: 3 * 1_500 });
  for (const key of ["a", "b", "c", "a", "d"]) {
    if (!cache.get(key, facts(1_000))) cache.set(key, facts(1_000), value(1_000));
  }
  assertEquals(["a", "b", "c", "d"].filter((key) => cache.get(key, facts(1_000))), ["a", "c", "d"]);
  const large = 64 * 1024 + 1;
  const roomy = new ValueCache();
  roomy.set("large", facts(large), value(large));
  assertEquals(roomy.get("large", facts(large)), undefined);
});
