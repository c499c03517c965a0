import type { Storage } from "../../plugins/contract/storage.ts";
import type { Digest } from "../../server/oci/digest.ts";
import type { Tag } from "../../server/oci/reference.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Actor, interleave, randomSchedule, type Schedule } from "../support/interleavings.ts";
import {
  APP,
  blobKeyOf,
  bytesOf,
  CONFIG_TEXT,
  createWorld,
  hexOf,
  LAYER_TEXT,
  linkKeyOf,
  manifestKeyOf,
  open,
  push,
  pushImage,
  scrubStore,
  SILENT,
  STORES,
  upload,
  type World,
} from "./scene.ts";

const SEEDS = Number(Deno.env.get("SREG_SCRUB_SEEDS") ?? 50);
/** More than any of those who meet makes. */
const CALLS_MAX = 160;
const HOUR_MS = 3_600_000;

interface Meeting {
  /** Damages a world in which all is well. */
  readonly before: (world: World) => Promise<unknown>;
  /** Who meets the scrub that repairs; each over its own view of the store. */
  readonly actors: readonly Actor[];
  /** What must hold after. */
  readonly after: (world: World, results: readonly PromiseSettledResult<unknown>[]) => Promise<void>;
}

/** Has a repair meet others in many orders; what was there before is two hours old, what they write is new. */
async function meet({ before, actors, after }: Meeting): Promise<void> {
  for (const { order, schedule } of schedules()) {
    const { storage } = await STORES["memory"]!();
    const world = await createWorld(storage);
    await before(world);
    const view = ageing(storage);
    const repair: Actor = (storage) => scrubStore(storage, { repair: true, rehash: true, graceMs: HOUR_MS });
    const results = await interleave(view, [repair, ...actors], schedule);
    try {
      throwFirst(results);
      await after({ ...world, storage }, results.slice(1));
      await requireMended(storage);
    } catch (error) {
      throw new Error(`${order}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** One makes so many calls, then the others all of theirs, then it the rest; and orders by chance. */
function* schedules(): Generator<{ readonly order: string; readonly schedule: Schedule }> {
  for (const isScrubFirst of [true, false]) {
    for (let before = 0; before < CALLS_MAX; before++) {
      const who = isScrubFirst ? "the scrub" : "the others";
      yield { order: `${before} calls of ${who} first`, schedule: inTwo(isScrubFirst, before) };
    }
  }
  for (let seed = 1; seed <= SEEDS; seed++) yield { order: `seed ${seed}`, schedule: randomSchedule(seed) };
}

function inTwo(isScrubFirst: boolean, before: number): Schedule {
  let calls = 0;
  return (waiting) => {
    const isScrubsTurn = calls++ < before === isScrubFirst;
    return waiting.find((index) => (index === 0) === isScrubsTurn) ?? waiting[0]!;
  };
}

function throwFirst(results: readonly PromiseSettledResult<unknown>[]): void {
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** Whatever a scrub was too early for, the next ones mend. */
async function requireMended(storage: Storage): Promise<void> {
  const options = { repair: true, rehash: true, uploadIdleMs: HOUR_MS };
  for (let round = 0; round < 3; round++) await scrubStore(storage, options);
  assertEquals((await scrubStore(storage, options)).findings, []);
}

/** The store, in which what is there now is two hours older than what is put from now on. */
function ageing(storage: Storage): Storage {
  const fresh = new Set<string>();
  const age = <Facts extends { readonly modifiedAtMs: number }>(key: string, facts: Facts | undefined) =>
    facts && (fresh.has(key) ? facts : { ...facts, modifiedAtMs: facts.modifiedAtMs - 2 * HOUR_MS });
  return {
    stat: async (key) => age(key, await storage.stat(key)),
    get: async (key) => age(key, await storage.get(key)),
    open: async (key, span) => age(key, await storage.open(key, span)),
    put: async (key, bytes, condition) => {
      const put = await storage.put(key, bytes, condition);
      fresh.add(key);
      return put;
    },
    append: (key, offset, body) => {
      fresh.add(key);
      return storage.append(key, offset, body);
    },
    move: (from, to, options) => {
      fresh.add(to);
      return storage.move(from, to, options);
    },
    delete: (key, condition) => storage.delete(key, condition),
    list: (prefix, page) => storage.list(prefix, page),
  };
}

const IMAGE = { texts: [CONFIG_TEXT, LAYER_TEXT] };
const NOBODY = `sha256:${"5".repeat(64)}` as Digest;

const pushAgain: Actor = async (storage) =>
  await pushImage(await open(storage), APP, { ...IMAGE, tags: ["v1"] });

async function requirePullable({ storage }: World, digest: Digest, tag?: string): Promise<void> {
  const registry = await open(storage);
  const found = tag === undefined ? { digest } : { tag: tag as Tag };
  const stored = await registry.manifests.get(APP, found);
  assertEquals(stored?.digest, digest);
  const { config, layers } = JSON.parse(new TextDecoder().decode(stored!.bytes));
  for (const { digest, size } of [config, ...layers]) {
    assertEquals(await registry.blobs.stat(APP, digest).then((facts) => facts?.size), size);
  }
}

Deno.test("a tag to nothing that is quarantined while it is pushed anew points where it was pushed to", async () => {
  await meet({
    before: ({ storage }) => storage.put(`repositories/${APP}/_tags/v1`, bytesOf(`${NOBODY}\nx`)),
    actors: [pushAgain],
    after: (world) => requirePullable(world, world.image, "v1"),
  });
});

Deno.test("a damaged manifest that is quarantined while it is pushed anew is whole, or can be pushed again", async () => {
  await meet({
    before: ({ storage, image }) => storage.put(manifestKeyOf(APP, image), bytesOf("{}\n{}")),
    actors: [pushAgain],
    async after(world) {
      const stored = await (await open(world.storage)).manifests.get(APP, { digest: world.image });
      // A push beside a damaged manifest finds it there; it is gone now, or it is the new one.
      if (!stored) await pushAgain(world.storage);
      await requirePullable(world, world.image, "v1");
    },
  });
});

Deno.test("a stray note of a tag stays where a push needs it", async () => {
  await meet({
    async before({ storage, registry, image }) {
      await registry.manifests.delete(APP, image);
      await storage.put(`repositories/${APP}/_tagged/sha256/${hexOf(image)}/v1`, bytesOf(""));
      await storage.delete(
        manifestKeyOf(APP, (await registry.manifests.get(APP, { tag: "multi" as Tag }))!.digest),
      );
    },
    actors: [pushAgain],
    async after(world) {
      await requirePullable(world, world.image, "v1");
      const { manifests, tags } = await open(world.storage);
      await manifests.delete(APP, world.image);
      assertEquals(await tags.get(APP, "v1" as Tag), undefined);
      await pushAgain(world.storage);
    },
  });
});

Deno.test("a manifest that is deleted while its place under its subject, or its tag's note, is mended stays deleted", async () => {
  await meet({
    async before({ storage, image, signature }) {
      await storage.delete(
        `repositories/${APP}/_referrers/sha256/${hexOf(image)}/sha256/${hexOf(signature)}`,
      );
      await storage.put(`repositories/${APP}/_tags/signed`, bytesOf(`${signature}\nx`));
    },
    actors: [
      async (storage) => {
        const { manifests, referrers } = await open(storage);
        const [image] = [(await manifests.get(APP, { tag: "latest" as Tag }))!.digest];
        for await (const { stored } of manifests.scan(APP)) {
          if (stored.subject === image) await manifests.delete(APP, stored.digest);
        }
        return await referrers.list(APP, image, { limit: 9 });
      },
    ],
    async after({ storage, image, signature }) {
      const { manifests, referrers } = await open(storage);
      assertEquals(await manifests.get(APP, { digest: signature }), undefined);
      assertEquals((await referrers.list(APP, image, { limit: 9 })).entries, []);
      assertEquals(await storage.list(`repositories/${APP}/_referrers/`, { limit: 9 }), []);
    },
  });
});

Deno.test("wrong bytes that are quarantined while the right ones are pushed are there, and right", async () => {
  await meet({
    before: ({ storage, layer }) => storage.put(blobKeyOf(layer), bytesOf("the liver")),
    actors: [async (storage) => await upload(await open(storage), APP, LAYER_TEXT)],
    async after({ storage, layer }) {
      const value = await storage.get(blobKeyOf(layer));
      assertEquals(value && new TextDecoder().decode(value.bytes), LAYER_TEXT);
    },
  });
});

Deno.test("a link that is noted for collection while a manifest that needs it is pushed, and it is collected, is there", async () => {
  const extra = { mediaType: "text/plain", size: 5 };
  await meet({
    async before({ storage, registry }) {
      await upload(registry, APP, "extra");
      for (const key of await storage.list("due/", { limit: 9 })) await storage.delete(key);
    },
    actors: [
      async (storage) => {
        const registry = await open(storage);
        const digest = await upload(registry, APP, "extra");
        return await push(registry, APP, {
          json: { config: { ...extra, digest }, layers: [] },
          tags: ["extra"],
        });
      },
      async (storage) => {
        const { garbage } = await open(storage);
        for (let round = 0; round < 2; round++) {
          await garbage.collect({ graceMs: HOUR_MS, dryRun: false }, SILENT);
        }
      },
    ],
    async after(world, [pushed]) {
      const { digest } = (pushed as PromiseFulfilledResult<{ digest: Digest }>).value;
      await requirePullable(world, digest, "extra");
    },
  });
});

Deno.test("a repair gives no repository what it does not have, and brings no manifest back", async () => {
  await meet({
    async before({ storage, layer, image }) {
      await storage.delete(linkKeyOf(APP, layer));
      await storage.put(`deletions/${APP}!/sha256/${hexOf(image)}`, bytesOf(`{"blobs":[]}`));
      await storage.delete(manifestKeyOf(APP, image));
    },
    actors: [async (storage) => (await open(storage)).tags.get(APP, "latest" as Tag)],
    async after({ storage, registry, layer, image }) {
      assertEquals(await registry.blobs.has(APP, layer), false);
      assertEquals(await registry.manifests.get(APP, { digest: image }), undefined);
      assert(await storage.stat(linkKeyOf("team/app/other", layer)), "another repository's link is gone");
      // The index over the image is damage that stays; take it away, so that the rest is seen to be mended.
      const { manifests } = await open(storage);
      await manifests.delete(APP, (await manifests.get(APP, { tag: "multi" as Tag }))!.digest);
    },
  });
});
