import type { Cache } from "../../plugins/contract/cache.ts";
import type { Bytes, Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { OciError } from "../oci/error.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { digestBytes } from "../registry/hash.ts";
import { createRegistry, deleteBlob, type Registry } from "../registry/registry.ts";
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

function callFor(range?: string, name = NAME): Call<"name" | "digest"> {
  return {
    method: "GET",
    words: { name, digest: BLOB },
    headers: new Headers(range === undefined ? {} : { Range: range }),
    request: {},
  } as Call<"name" | "digest">;
}

async function push({ uploads }: Registry): Promise<void> {
  const upload = await uploads.create(NAME);
  const body = new Blob([TEXT]).stream() as Bytes;
  await uploads.finish(NAME, upload, { digest: BLOB, chunk: { body } });
}

Deno.test("get() answers the blob that there is, whatever size the cache says it has", async () => {
  const values = new Map<string, Uint8Array<ArrayBuffer>>();
  const registry = await createRegistry(await create({}), { openUploadsMax: 10, cache: cacheOf(values) });
  await push(registry);
  for (
    const [range, lie, status, expected] of [
      [undefined, "3", 200, TEXT],
      [undefined, "3000", 200, TEXT],
      ["bytes=1-2", "3000", 206, TEXT.slice(1, 3)],
      ["bytes=-4", "3000", 206, TEXT.slice(-4)],
      ["bytes=5-6", "3", 206, TEXT.slice(5, 7)],
      ["bytes=0-", "0", 206, TEXT],
    ] as const
  ) {
    values.set(`size:${BLOB}`, bytesOf(lie));
    const answer = await get(registry, callFor(range));
    assertEquals([answer.status, await answer.text()], [status, expected]);
    assertEquals(answer.headers.get("Content-Length"), String(expected.length));
    if (range) assertEquals(answer.headers.get("Content-Range")?.split("/")[1], String(TEXT.length));
  }
});

/** A registry over a store that others share, whose reads are counted, with the blob in memory. */
async function openHot(more: Partial<Storage> & { readonly cache?: Cache } = {}) {
  const { cache, ...verbs } = more;
  const store: Storage = await create({});
  const open = store.open.bind(store);
  let opened = 0;
  const storage = Object.assign(store, verbs, {
    features: () => Promise.resolve({ shared: true, conditions: true, moveMs: 0, notes: false }),
    open: (...request: Parameters<typeof open>) => (opened++, open(...request)),
  });
  const failures: string[] = [];
  const hotBlobs = {
    bytesMax: () => 10_000,
    onFailure: (_: unknown, { message }: Error) => failures.push(message),
  };
  const registry = await createRegistry(storage, { openUploadsMax: 10, cache, hotBlobs });
  await push(registry);
  const reads = async (act: () => Promise<Response>) => {
    const before = opened;
    const text = await (await act()).text();
    return [text, opened - before];
  };
  for (let turn = 0; turn < 2; turn++) await reads(() => get(registry, fromHere()));
  while ((await reads(() => get(registry, fromHere())))[1] !== 0) assertEquals(failures, []);
  return { registry, reads };
}

/** `If-Range` keeps a client from being sent to the store. */
function fromHere(): Call<"name" | "digest"> {
  const call = callFor();
  call.headers.set("If-Range", '"other"');
  return call;
}

Deno.test("get() answers a blob that is pulled again and again from memory, and parts of it", async () => {
  const { registry, reads } = await openHot();
  assertEquals(await reads(() => get(registry, callFor())), [TEXT, 0]);
  const part = await get(registry, callFor("bytes=2-6"));
  assertEquals([part.status, part.headers.get("Content-Range")], [206, `bytes 2-6/${TEXT.length}`]);
  assertEquals([part.headers.get("Content-Length"), await part.text()], ["5", TEXT.slice(2, 7)]);
  await assertRejects(() => get(registry, callFor("bytes=99-")), (error: OciError) => error.status === 416);
});

Deno.test("get() answers a blob in memory only to repositories that have it", async () => {
  const { registry } = await openHot();
  const unknown = (error: OciError) => error.code === "BLOB_UNKNOWN";
  await assertRejects(() => get(registry, callFor(undefined, parseRepositoryName("library/other"))), unknown);
  await deleteBlob(registry, NAME, BLOB);
  await assertRejects(() => get(registry, callFor()), unknown);
  await assertRejects(() => get(registry, callFor("bytes=1-2")), unknown);
});

Deno.test("get() answers a blob in memory rightly, whatever size the cache says it has", async () => {
  const values = new Map<string, Uint8Array<ArrayBuffer>>();
  const { registry, reads } = await openHot({ cache: cacheOf(values) });
  for (const lie of ["3", "3000"]) {
    values.set(`size:${BLOB}`, bytesOf(lie));
    assertEquals(await reads(() => get(registry, callFor("bytes=-4"))), [TEXT.slice(-4), 0]);
    values.set(`size:${BLOB}`, bytesOf(lie));
    assertEquals(await reads(() => get(registry, callFor())), [TEXT, 0]);
  }
});

Deno.test("get() sends clients to the store, though the blob is in memory", async () => {
  const { registry } = await openHot({ url: () => Promise.resolve("https://store.example/blob") });
  const answer = await get(registry, callFor());
  assertEquals([answer.status, answer.headers.get("Location")], [307, "https://store.example/blob"]);
});
