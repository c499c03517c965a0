import type { Cache } from "../../plugins/contract/cache.ts";
import type { Bytes } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { assertEquals } from "../../tests/support/assert.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { digestBytes } from "../registry/hash.ts";
import { createRegistry } from "../registry/registry.ts";
import { get } from "./blobs.ts";
import type { Call } from "./endpoint.ts";

const NAME = parseRepositoryName("library/app");
const TEXT = "ten  bytes";
const BLOB = digestBytes("sha256", bytesOf(TEXT));

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function cacheOf(values: Map<string, Uint8Array<ArrayBuffer>>): Cache {
  return {
    get: (key) => Promise.resolve(values.has(key) ? { bytes: values.get(key)! } : undefined),
    put: (key, bytes) => Promise.resolve(void values.set(key, bytes)),
    delete: (keys) => Promise.resolve(keys.forEach((key) => values.delete(key))),
    count: () => Promise.resolve(0),
  };
}

function callFor(range?: string): Call<"name" | "digest"> {
  return {
    method: "GET",
    words: { name: NAME, digest: BLOB },
    headers: new Headers(range === undefined ? {} : { Range: range }),
    request: {},
  } as Call<"name" | "digest">;
}

Deno.test("get() answers the blob that there is, whatever size the cache says it has", async () => {
  const values = new Map<string, Uint8Array<ArrayBuffer>>();
  const registry = await createRegistry(await create({}), { openUploadsMax: 10, cache: cacheOf(values) });
  const upload = await registry.uploads.create(NAME);
  const body = new Blob([TEXT]).stream() as Bytes;
  await registry.uploads.finish(NAME, upload, { digest: BLOB, chunk: { body } });
  for (
    const [range, lie, status, expected] of [
      [undefined, "3", 200, TEXT],
      [undefined, "3000", 200, TEXT],
      ["bytes=1-2", "3000", 206, TEXT.slice(1, 3)],
      ["bytes=-4", "3000", 206, TEXT.slice(-4)],
    ] as const
  ) {
    values.set(`size:${BLOB}`, bytesOf(lie));
    const answer = await get(registry, callFor(range));
    assertEquals([answer.status, await answer.text()], [status, expected]);
    assertEquals(answer.headers.get("Content-Length"), String(expected.length));
    if (range) assertEquals(answer.headers.get("Content-Range")?.split("/")[1], String(TEXT.length));
  }
});
