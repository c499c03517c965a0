import { create } from "../../plugins/storage/memory/memory.ts";
import { PluginError } from "../../plugins/contract/error.ts";
import { type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";
import type { Digest } from "../../server/oci/digest.ts";
import { OciError } from "../../server/oci/error.ts";
import { parseManifest } from "../../server/oci/manifest.ts";
import { createRegistry, type Registry } from "../../server/registry/registry.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  type Actor,
  interleave,
  randomSchedule,
  type Schedule,
  twoSwitches,
} from "../support/interleavings.ts";
import { agedCopy, APP, DAY_MS, pushImage, pushIndex, runOver, tagOf } from "./scene.ts";

const SEEDS = 150;
/** More calls to the store than a push makes, and about as many as a run. */
const CALLS_MAX = 60;

/** What a push means to make, and whether it was told that it did. */
interface Race {
  readonly what: string;
  /** What is there before: `latest` is kept, all else goes. */
  readonly before: (registry: Registry) => Promise<unknown>;
  /** What is pushed meanwhile. Answers what must be there if it succeeds. */
  readonly push: (registry: Registry) => Promise<readonly Digest[]>;
  /** The tag that it sets, and what to. */
  readonly tag?: string;
}

const image = (registry: Registry, text: string, ...tags: string[]) => pushImage(registry, { text, tags });

const RACES: readonly Race[] = [
  {
    what: "pushed again under its tag",
    before: (registry) => image(registry, "one", "v1"),
    push: async (registry) => [await image(registry, "one", "v1")],
    tag: "v1",
  },
  {
    what: "pushed again under another tag",
    before: (registry) => image(registry, "one", "v1"),
    push: async (registry) => [await image(registry, "one", "v2")],
    tag: "v2",
  },
  {
    what: "left by its tag, which moves to another image",
    before: (registry) => image(registry, "one", "v1"),
    push: async (registry) => [await image(registry, "two", "v1")],
    tag: "v1",
  },
  {
    what: "listed by a new index",
    before: (registry) => image(registry, "one", "v1"),
    async push(registry) {
      const child = await digestOf("one");
      return [await pushIndex(registry, [child], ["v2"]), child];
    },
    tag: "v2",
  },
  {
    what: "an index that is pushed again, children first",
    before: async (registry) =>
      pushIndex(registry, [await image(registry, "one"), await image(registry, "two")], ["v1"]),
    async push(registry) {
      const children = [await image(registry, "one"), await image(registry, "two")];
      return [await pushIndex(registry, children, ["v2"]), ...children];
    },
    tag: "v2",
  },
  {
    what: "an index whose tag is set again while it is there",
    before: async (registry) => pushIndex(registry, [await image(registry, "one")], ["v1"]),
    async push(registry) {
      const child = await digestOf("one");
      return [await pushIndex(registry, [child], ["v1"]), child];
    },
    tag: "v1",
  },
  {
    what: "named as its subject by a new referrer",
    before: (registry) => image(registry, "one", "v1"),
    push: async (registry) => [
      await pushImage(registry, { text: "signature", subject: await digestOf("one") }),
    ],
  },
];

for (const { what, before, push, tag } of RACES) {
  Deno.test(`what retention deletes is ${what}: the push is whole or fails, whoever is first`, async () => {
    const start = await create({});
    await before(await open(start));
    let pushed = 0;
    let runs = 0;
    for (const schedule of schedules()) {
      const storage = await agedCopy(start, DAY_MS);
      let digests: readonly Digest[] = [];
      const pusher: Actor = async (view) => digests = await push(await open(view));
      const [ran, result] = await interleave(storage, [retain, pusher], schedule);
      assert(ran!.status === "fulfilled", String((ran as PromiseRejectedResult).reason));
      runs++;
      const registry = await open(storage);
      if (result!.status === "fulfilled") {
        pushed++;
        await assertHas(registry, digests);
        if (tag !== undefined) assertEquals(await registry.tags.get(APP, tagOf(tag)), digests[0]);
      } else assert(result!.reason instanceof OciError, String(result!.reason));
      await assertWhole(registry);
    }
    assert(pushed > runs / 2, `${pushed} of ${runs} pushes succeeded`);
  });
}

Deno.test("a run that a crash cuts short at any write leaves nothing broken, and the next one ends it", async () => {
  const start = await create({});
  const registry = await open(start);
  const [amd64, arm64] = [await image(registry, "amd64"), await image(registry, "arm64")];
  const index = await pushIndex(registry, [amd64!, arm64!], ["v1", "v2"]);
  await pushImage(registry, { text: "signature", subject: index });
  await pushIndex(registry, [arm64!], ["latest", "v3"]);
  for (let crashAt = 0;; crashAt++) {
    const storage = await agedCopy(start, DAY_MS);
    const broken = crashing(storage, crashAt);
    const run = await Promise.allSettled([retain(broken)]);
    const left = await open(storage);
    await assertWhole(left);
    // What was condemned counts as new: it goes when it is old again.
    await runOver(left, { rules: ["image.tag == 'latest'"], minAgeMs: 0, untaggedAfterMs: 0 });
    await assertWhole(left);
    assertEquals((await left.tags.list(APP, { limit: 10 })).entries, ["latest"]);
    const digests = (await Array.fromAsync(left.manifests.pages(APP))).flat();
    assertEquals([digests.length, digests.includes(arm64!)], [2, true]);
    if (run[0]!.status === "fulfilled") return assert(crashAt > 10, `there were only ${crashAt} writes`);
  }
});

/** A store that breaks at its write number `crashAt`, and stays broken. */
function crashing(storage: Storage, crashAt: number): Storage {
  let writes = 0;
  const methods = STORAGE_VERBS.map((name) => {
    const call = storage[name].bind(storage) as (...args: unknown[]) => Promise<unknown>;
    const guarded = (...args: unknown[]) => {
      if (["put", "append", "move", "delete"].includes(name)) writes++;
      return writes > crashAt ? Promise.reject(new PluginError("unavailable", "crashed")) : call(...args);
    };
    return [name, guarded] as const;
  });
  return Object.fromEntries(methods) as unknown as Storage;
}

function* schedules(): Generator<Schedule> {
  let count = 0;
  for (const schedule of twoSwitches(CALLS_MAX)) if (count++ % 13 === 0) yield schedule;
  for (let seed = 1; seed <= SEEDS; seed++) yield randomSchedule(seed);
}

const retain: Actor = async (view) => {
  const rules = ["image.tag == 'latest'"];
  const { report } = await runOver(await open(view), { rules, untaggedAfterMs: 0 });
  assertEquals(report.failed, []);
};

function open(storage: Storage): Promise<Registry> {
  return createRegistry(storage, { openUploadsMax: 100 });
}

async function digestOf(text: string): Promise<Digest> {
  return await image(await open(await create({})), text);
}

async function assertHas({ manifests }: Registry, digests: readonly Digest[]): Promise<void> {
  const found = await Promise.all(digests.map((digest) => manifests.get(APP, { digest })));
  assertEquals(digests.filter((_, index) => !found[index]), [], "what was acknowledged is gone");
}

/** What is there refers to nothing that is not; no tag points to nothing. */
async function assertWhole({ manifests, tags }: Registry): Promise<void> {
  for (const tag of (await tags.list(APP, { limit: 100 })).entries) {
    assert(await manifests.get(APP, { tag }), `the tag ${tag} points to nothing`);
  }
  for await (const { stored, manifest } of manifests.scan(APP)) {
    for (const { digest } of parseManifest(stored.bytes, stored.mediaType).children) {
      assert(await manifests.get(APP, { digest }), `${stored.digest} lists ${digest}, which is gone`);
    }
    assertEquals(manifest.kind === "index" || manifest.kind === "image", true);
  }
}
