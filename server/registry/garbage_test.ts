import { create } from "../../plugins/storage/memory/memory.ts";
import { PluginError } from "../../plugins/contract/error.ts";
import { type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import {
  type Actor,
  interleave,
  randomSchedule,
  type Schedule,
  twoSwitches,
} from "../../tests/support/interleavings.ts";
import type { Digest } from "../oci/digest.ts";
import { OciError } from "../oci/error.ts";
import { OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST } from "../oci/media_type.ts";
import { parseRepositoryName, type RepositoryName } from "../oci/name.ts";
import { parseTag, type Tag } from "../oci/reference.ts";
import type { GarbageReport } from "./garbage.ts";
import { digestBytes } from "./hash.ts";
import { createRegistry, deleteBlob, type Registry } from "./registry.ts";
import type { Task } from "./task.ts";

const NAME = parseRepositoryName("library/app");
const OTHER = parseRepositoryName("library/other");
const TAG = parseTag("v1", "MANIFEST_INVALID");
const TEXT = "a layer";
const BLOB = digestBytes("sha256", bytesOf(TEXT));
const SEEDS = 300;
/** More calls than any of the operations makes. */
const CALLS_MAX = 45;
const HOUR = 3_600_000;

const TASK: Task = {
  signal: new AbortController().signal,
  cursor: undefined,
  report: () => {},
  line: () => Promise.resolve(),
};

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function open(storage: Storage): Promise<Registry> {
  return createRegistry(storage, { openUploadsMax: 100 });
}

async function collect({ garbage }: Registry, graceMs = 0): Promise<GarbageReport> {
  return await garbage.collect({ graceMs, dryRun: false }, TASK);
}

/** A store with a blob that nothing needs. */
async function uploaded(): Promise<Storage> {
  const storage = await create({});
  await upload(await open(storage), NAME);
  return storage;
}

/** Condemns what is not needed: what the next collection removes. */
async function condemned(): Promise<Storage> {
  const storage = await uploaded();
  assertEquals((await collect(await open(storage))).condemned, 1);
  return storage;
}

async function upload({ uploads }: Registry, name: RepositoryName, text = TEXT): Promise<Digest> {
  const digest = digestBytes("sha256", bytesOf(text));
  const id = await uploads.create(name);
  const body = new Blob([text]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
  await uploads.finish(name, id, { digest, chunk: { body } });
  return digest;
}

function manifestOf(config: Digest): Uint8Array<ArrayBuffer> {
  const descriptor = {
    mediaType: "application/vnd.oci.image.config.v1+json",
    digest: config,
    size: TEXT.length,
  };
  return bytesOf(JSON.stringify({ schemaVersion: 2, config: descriptor, layers: [] }));
}

async function push(
  { manifests }: Registry,
  name: RepositoryName,
  { bytes = manifestOf(BLOB), tags = [], contentType = OCI_IMAGE_MANIFEST }: {
    readonly bytes?: Uint8Array<ArrayBuffer>;
    readonly tags?: readonly Tag[];
    readonly contentType?: string;
  } = {},
): Promise<Digest> {
  return (await manifests.put(name, { bytes, tags, contentType })).digest;
}

function indexOver(child: Digest): Uint8Array<ArrayBuffer> {
  const manifests = [{ mediaType: OCI_IMAGE_MANIFEST, digest: child, size: 1 }];
  return bytesOf(JSON.stringify({ schemaVersion: 2, manifests }));
}

/** Whether the repository has the manifest; with all that it refers to, or this fails. */
async function isPullable(storage: Storage, name: RepositoryName, digest: Digest): Promise<boolean> {
  const registry = await open(storage);
  const stored = await registry.manifests.get(name, { digest });
  if (!stored) return false;
  const { config, manifests = [] } = JSON.parse(new TextDecoder().decode(stored.bytes));
  for (const child of manifests) assert(await isPullable(storage, name, child.digest), "a child is lost");
  if (config) assertEquals(await read(registry, name, config.digest), TEXT, "a blob is lost");
  return true;
}

async function read({ blobs }: Registry, name: RepositoryName, digest: Digest): Promise<string | undefined> {
  if (!await blobs.stat(name, digest)) return undefined;
  const opened = await blobs.open(digest);
  return opened && await new Response(opened.body).text();
}

interface Meeting {
  /** The store before. */
  readonly before: () => Promise<Storage>;
  readonly actors: readonly Actor[];
  /** How many orders by chance. */
  readonly seeds?: number;
  /** What must hold after. */
  readonly after: (storage: Storage, results: readonly PromiseSettledResult<unknown>[]) => Promise<void>;
}

/** Has the actors meet in all orders with two switches, where they are two, and in many by chance. */
async function meet({ before, actors, after, seeds = SEEDS }: Meeting): Promise<void> {
  const schedules: { readonly name: string; readonly schedule: Schedule }[] = [];
  if (actors.length === 2) {
    let index = 0;
    for (const schedule of twoSwitches(CALLS_MAX)) schedules.push({ name: `order ${index++}`, schedule });
  }
  for (let seed = 1; seed <= seeds; seed++) {
    schedules.push({ name: `seed ${seed}`, schedule: randomSchedule(seed) });
  }
  for (const { name, schedule } of schedules) {
    const storage = await before();
    const results = await interleave(storage, actors, schedule);
    try {
      await after(storage, results);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
    }
  }
}

function mayBeUnknown(result: PromiseSettledResult<unknown>): void {
  if (result.status === "fulfilled") return;
  assert(
    result.reason instanceof OciError && result.reason.code === "MANIFEST_BLOB_UNKNOWN",
    String(result.reason),
  );
}

function value<T>(result: PromiseSettledResult<unknown>): T | undefined {
  return result.status === "fulfilled" ? result.value as T : undefined;
}

Deno.test("a push that meets the collector of its blob either is whole, or is refused and leaves nothing", async () => {
  const seen = new Set<boolean>();
  await meet({
    before: condemned,
    actors: [
      async (storage) => await collect(await open(storage)),
      async (storage) => await push(await open(storage), NAME, { tags: [TAG] }),
    ],
    async after(storage, [, pushed]) {
      mayBeUnknown(pushed!);
      const digest = digestBytes("sha256", manifestOf(BLOB));
      seen.add(pushed!.status === "fulfilled");
      assertEquals(await isPullable(storage, NAME, digest), pushed!.status === "fulfilled");
    },
  });
  assertEquals(seen.size, 2);
});

Deno.test("an upload of a blob that is being collected is there, and can be pushed", async () => {
  for (const name of [NAME, OTHER]) {
    await meet({
      before: condemned,
      actors: [
        async (storage) => await collect(await open(storage)),
        async (storage) => {
          const registry = await open(storage);
          await upload(registry, name);
          return await push(registry, name);
        },
      ],
      async after(storage, [, pushed]) {
        const digest = value<Digest>(pushed!);
        assert(digest, String((pushed as PromiseRejectedResult).reason));
        assert(await isPullable(storage, name, digest), "the manifest is lost");
      },
    });
  }
});

Deno.test("a blob that is mounted while its last manifest goes and it is collected is there, if that was said", async () => {
  await meet({
    async before() {
      const storage = await create({});
      const registry = await open(storage);
      await upload(registry, NAME);
      await registry.manifests.delete(NAME, await push(registry, NAME));
      await collect(registry);
      return storage;
    },
    actors: [
      async (storage) => await collect(await open(storage)),
      async (storage) => {
        const { blobs } = await open(storage);
        return await blobs.mount(OTHER, BLOB, { from: NAME, mayRead: () => Promise.resolve(true) });
      },
    ],
    async after(storage, [, mounted]) {
      const found = await read(await open(storage), OTHER, BLOB);
      assertEquals(found, value<boolean>(mounted!) ? TEXT : undefined);
    },
  });
});

Deno.test("two collectors and a push of the same blob lose nothing", async () => {
  await meet({
    before: condemned,
    actors: [
      async (storage) => await collect(await open(storage)),
      async (storage) => await collect(await open(storage)),
      async (storage) => {
        const registry = await open(storage);
        await upload(registry, OTHER);
        await push(registry, OTHER);
      },
    ],
    async after(storage, [, , pushed]) {
      // One may condemn and the other remove: nobody has any time of grace here.
      mayBeUnknown(pushed!);
      const digest = digestBytes("sha256", manifestOf(BLOB));
      assertEquals(await isPullable(storage, OTHER, digest), pushed!.status === "fulfilled");
    },
  });
});

Deno.test("a blob's deletion that meets a push at another server is refused, or the push is", async () => {
  await meet({
    before: uploaded,
    actors: [
      async (storage) => await deleteBlob(await open(storage), NAME, BLOB),
      async (storage) => await push(await open(storage), NAME),
    ],
    async after(storage, [deleted, pushed]) {
      mayBeUnknown(pushed!);
      const digest = value<Digest>(pushed!);
      if (digest) assert(await isPullable(storage, NAME, digest), "the manifest is lost");
      if (value<boolean>(deleted!)) assertEquals(digest, undefined, "both went through");
    },
  });
});

Deno.test("a push that believes what its server saw lately meets who takes that away: one of the two gives way", async () => {
  const takers: Readonly<Record<string, Actor>> = {
    "a deletion": async (storage) => await deleteBlob(await open(storage), NAME, BLOB),
    "collections without time of grace": async (storage) => {
      const registry = await open(storage);
      await collect(registry);
      return (await collect(registry)).unlinked > 0;
    },
  };
  for (const [who, taker] of Object.entries(takers)) {
    const seen = new Set<boolean>();
    await meet({
      before: uploaded,
      actors: [
        taker,
        async (storage) => {
          const registry = await open(storage);
          return await registry.blobs.has(NAME, BLOB)
            ? await push(registry, NAME, { tags: [TAG] })
            : undefined;
        },
      ],
      async after(storage, [taken, pushed]) {
        mayBeUnknown(pushed!);
        const digest = value<Digest>(pushed!);
        seen.add(digest !== undefined);
        if (digest) assert(await isPullable(storage, NAME, digest), `the manifest is lost to ${who}`);
        if (value<boolean>(taken!)) assertEquals(digest, undefined, `both ${who} and the push went through`);
        const { tags, manifests } = await open(storage);
        assertEquals(await tags.get(NAME, TAG), digest);
        const stored = await manifests.get(NAME, { digest: digestBytes("sha256", manifestOf(BLOB)) });
        assertEquals(stored?.digest, digest);
      },
    });
    assertEquals(seen.size, 2, who);
  }
});

Deno.test("bytes whose last link is deleted while they are looked at go with the next collection", async () => {
  await meet({
    before: uploaded,
    actors: [
      async (storage) => await deleteBlob(await open(storage), NAME, BLOB),
      async (storage) => await collect(await open(storage), HOUR),
    ],
    async after(storage) {
      await collect(await open(storage), HOUR);
      assertEquals(await storage.list("blobs/", { limit: 10 }), []);
      assertEquals(await storage.list("due_bytes/", { limit: 10 }), []);
    },
  });
});

Deno.test("a manifest that is removed because nothing needs it stays where an index over it is pushed meanwhile", async () => {
  const child = digestBytes("sha256", manifestOf(BLOB));
  await meet({
    async before() {
      const storage = await create({});
      const registry = await open(storage);
      await upload(registry, NAME);
      await push(registry, NAME);
      return storage;
    },
    actors: [
      async (storage) => {
        const { manifests } = await open(storage);
        return await manifests.deleteUnneeded(NAME, [child], async () => {
          const needed = new Set<Digest>();
          for await (const { manifest } of manifests.scan(NAME)) {
            for (const { digest } of manifest.children) needed.add(digest);
          }
          return needed;
        });
      },
      async (storage) => {
        const bytes = indexOver(child);
        return await push(await open(storage), NAME, { bytes, contentType: OCI_IMAGE_INDEX });
      },
    ],
    async after(storage, [, pushed]) {
      mayBeUnknown(pushed!);
      const digest = value<Digest>(pushed!);
      if (digest) assert(await isPullable(storage, NAME, digest), "the index is lost");
    },
  });
});

Deno.test("a push of a manifest and its tag that meets the manifest's deletion is undone wholly, or not at all", async () => {
  const digest = digestBytes("sha256", manifestOf(BLOB));
  await meet({
    async before() {
      const storage = await create({});
      const registry = await open(storage);
      await upload(registry, NAME);
      await push(registry, NAME, { tags: [TAG] });
      return storage;
    },
    actors: [
      async (storage) => await (await open(storage)).manifests.delete(NAME, digest),
      async (storage) => await push(await open(storage), NAME, { tags: [TAG] }),
    ],
    async after(storage, [, pushed]) {
      assertEquals(pushed!.status, "fulfilled", String((pushed as PromiseRejectedResult).reason));
      const { tags } = await open(storage);
      const found = await tags.get(NAME, TAG);
      assertEquals(found === digest, await isPullable(storage, NAME, digest));
    },
  });
});

Deno.test("a push that is refused does not take the same manifest away from one that is accepted", async () => {
  const digest = digestBytes("sha256", manifestOf(BLOB));
  await meet({
    before: condemned,
    actors: [
      async (storage) => await collect(await open(storage)),
      async (storage) => await push(await open(storage), NAME),
      async (storage) => {
        const registry = await open(storage);
        await upload(registry, NAME);
        return await push(registry, NAME);
      },
    ],
    async after(storage, [, , pushed]) {
      assertEquals(pushed!.status, "fulfilled", String((pushed as PromiseRejectedResult).reason));
      assert(await isPullable(storage, NAME, digest), "the manifest is lost");
    },
  });
});

Deno.test("an index whose push was accepted stays, though another push of it is refused because a child comes and goes", async () => {
  const child = digestBytes("sha256", manifestOf(BLOB));
  const bytes = indexOver(child);
  const pushIndex = async (storage: Storage) =>
    await push(await open(storage), NAME, { bytes, contentType: OCI_IMAGE_INDEX });
  await meet({
    async before() {
      const storage = await create({});
      const registry = await open(storage);
      await upload(registry, NAME);
      await push(registry, NAME);
      return storage;
    },
    actors: [
      pushIndex,
      pushIndex,
      async (storage) => {
        const registry = await open(storage);
        await registry.manifests.delete(NAME, child);
        await push(registry, NAME);
        await registry.manifests.delete(NAME, child);
      },
    ],
    seeds: 3_000,
    async after(storage, [first, second]) {
      mayBeUnknown(first!);
      mayBeUnknown(second!);
      const digest = value<Digest>(first!) ?? value<Digest>(second!);
      if (!digest) return;
      assert(await (await open(storage)).manifests.get(NAME, { digest }), "the index is lost");
    },
  });
});

/** Refuses every change after the first `changesMax`: what a crash leaves. */
function crashing(storage: Storage, changesMax: number): Storage {
  let changes = 0;
  const guard = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => (...args: A) =>
    ++changes > changesMax ? Promise.reject(new PluginError("unavailable", "crashed")) : call(...args);
  const { stat, get, open, append, list } = bound(storage);
  const { put, move, delete: remove } = bound(storage);
  return { stat, get, open, append, list, put: guard(put), move: guard(move), delete: guard(remove) };
}

function bound(storage: Storage): Storage {
  const methods = STORAGE_VERBS;
  return Object.fromEntries(
    methods.map((method) => [method, storage[method].bind(storage)]),
  ) as unknown as Storage;
}

Deno.test("what nothing needs is gone without a trace, what is needed stays, wherever collections crash", async () => {
  for (let changesMax = 0, crashed = true; crashed; changesMax++) {
    const storage = await create({});
    const registry = await open(storage);
    await upload(registry, NAME);
    const digest = await push(registry, NAME, { tags: [TAG] });
    await upload(registry, NAME, "never needed");
    await upload(registry, OTHER);
    const gone = await push(registry, NAME, {
      bytes: manifestOf(await upload(registry, NAME, "needed once")),
    });
    await registry.manifests.delete(NAME, gone);

    const dying = await open(crashing(storage, changesMax));
    crashed = await collect(dying).then(() => collect(dying)).then(() => false, () => true);
    for (let round = 0; round < 3; round++) await collect(registry);

    assert(await isPullable(storage, NAME, digest), `the image is lost after ${changesMax} changes`);
    const hex = BLOB.slice("sha256:".length);
    const manifest = digest.slice("sha256:".length);
    const keys = (await storage.list("", { limit: 100 })).filter((key) =>
      !/\/_history\/|^removals\//.test(key)
    );
    assertEquals(keys, [
      `blobs/sha256/${hex.slice(0, 2)}/${hex}`,
      `catalog/${NAME}!`,
      `links/sha256/${hex.slice(0, 2)}/${hex}/${NAME}!`,
      `repositories/${NAME}/_manifests/sha256/${manifest}`,
      `repositories/${NAME}/_tags/${TAG}`,
    ]);
  }
});

Deno.test("what was pushed, or found unneeded, less than the grace time ago stays", async () => {
  const storage = await create({});
  const registry = await open(storage);
  await upload(registry, NAME);
  assertEquals((await collect(registry, HOUR)).condemned, 0);
  assertEquals((await collect(registry)).condemned, 1);
  assertEquals((await collect(registry, HOUR)).unlinked, 0);
  assertEquals(await read(registry, NAME, BLOB), TEXT);
  // That was telling somebody that it is there: everything begins anew.
  assertEquals((await collect(registry)).condemned, 1);
  assertEquals([(await collect(registry)).unlinked, await read(registry, NAME, BLOB)], [1, undefined]);
});

Deno.test("a blob whose upload took longer than the grace time is looked at too", async () => {
  const registry = await open(await create({}));
  const id = await registry.uploads.create(NAME);
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async start(controller) {
      await new Promise((resolve) => setTimeout(resolve, 600));
      assertEquals((await collect(registry)).due, 2);
      controller.enqueue(bytesOf(TEXT));
      controller.close();
    },
  });
  await registry.uploads.finish(NAME, id, { digest: BLOB, chunk: { body } });
  assertEquals((await collect(registry)).condemned, 1);
  assertEquals((await collect(registry)).unlinked, 1);
});

Deno.test("a dry run tells what would go, and changes nothing", async () => {
  const storage = await create({});
  const registry = await open(storage);
  await upload(registry, NAME);
  await upload(registry, OTHER);
  await push(registry, OTHER);
  await upload(registry, NAME, "mine alone");
  const before = await storage.list("", { limit: 100 });
  const lines: unknown[] = [];
  const task = { ...TASK, line: (line: unknown) => Promise.resolve(void lines.push(line)) };
  const report = await registry.garbage.collect({ graceMs: 0, dryRun: true }, task);
  assertEquals(report, { due: 3, needed: 1, condemned: 0, unlinked: 2, blobs: 1, bytes: 10, unreadable: [] });
  const mine = digestBytes("sha256", bytesOf("mine alone"));
  const told = [
    { repository: NAME, digest: BLOB, size: TEXT.length, shared: true },
    { repository: NAME, digest: mine, size: 10, shared: false },
  ];
  assertEquals(lines, told.toSorted((a, b) => a.digest < b.digest ? -1 : 1));
  assertEquals(await storage.list("", { limit: 100 }), before);
});

Deno.test("nothing of a repository is collected while one of its manifests cannot be read", async () => {
  const storage = await condemned();
  await storage.put(`repositories/${NAME}/_manifests/sha256/${"0".repeat(64)}`, bytesOf("no manifest"));
  const report = await collect(await open(storage));
  assertEquals([report.unlinked, report.unreadable], [0, [NAME]]);
  assertEquals(await read(await open(storage), NAME, BLOB), TEXT);
});
