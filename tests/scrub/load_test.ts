import { setImmediate } from "node:timers";
import { type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";
import type { Digest } from "../../server/oci/digest.ts";
import type { RepositoryName } from "../../server/oci/name.ts";
import type { Tag } from "../../server/oci/reference.ts";
import type { Registry } from "../../server/registry/registry.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { open, pushImage, scrubStore, SILENT, STORES } from "./scene.ts";

/** How long each store is under load. */
const SECONDS = Number(Deno.env.get("SREG_SCRUB_SECONDS") ?? 9);

/** Longer than any request takes here. */
const GRACE_MS = 3_000;
const WORKERS = 6;
const LAYERS = 8;
const OPTIONS = { graceMs: GRACE_MS, uploadIdleMs: 60_000, repair: true, rehash: true };

/** What one worker has pushed and not deleted, by tag. */
interface Work {
  readonly name: RepositoryName;
  readonly images: Map<Tag, Digest>;
}

/** Pushes and deletes until the end; layers are shared with the other workers, and come and go with them. */
async function work(
  registries: readonly Registry[],
  { name, images }: Work,
  isOver: () => boolean,
): Promise<number> {
  let steps = 0;
  while (!isOver()) {
    const registry = registries[steps % registries.length]!;
    const tag = `t${Math.floor(Math.random() * 5)}` as Tag;
    const digest = images.get(tag);
    if (Math.random() < 0.4 && digest !== undefined) {
      forget(images, digest);
      await registry.manifests.delete(name, digest);
    } else {
      const layers = Array.from({ length: 3 }, () => `layer ${Math.floor(Math.random() * LAYERS)}`);
      const pushed = await pushImage(registry, name, {
        texts: [`config ${name} ${steps % 7}`, ...layers],
        tags: [tag],
      });
      images.set(tag, pushed.digest);
      await requireWhole(registry, name, pushed.digest);
    }
    steps++;
  }
  return steps;
}

function forget(images: Map<Tag, Digest>, digest: Digest): void {
  for (const [tag, tagged] of images) if (tagged === digest) images.delete(tag);
}

async function requireWhole(registry: Registry, name: RepositoryName, digest: Digest): Promise<void> {
  const stored = await registry.manifests.get(name, { digest });
  assert(stored, `the manifest ${digest} of ${name} is gone`);
  const { config, layers } = JSON.parse(new TextDecoder().decode(stored.bytes));
  for (const { digest, size } of [config, ...layers]) {
    assertEquals((await registry.blobs.stat(name, digest))?.size, size, `a blob of ${name} is gone`);
  }
}

async function repeat(task: () => Promise<unknown>, isOver: () => boolean): Promise<number> {
  let rounds = 0;
  for (; !isOver(); rounds++) await task();
  return rounds;
}

/** The store, each call to which lets others have their turn. */
function fair(storage: Storage): Storage {
  const calls = STORAGE_VERBS.map((method) => {
    const call = storage[method].bind(storage) as (...args: unknown[]) => Promise<unknown>;
    return [method, async (...args: unknown[]) => {
      await new Promise((resolve) => setImmediate(resolve));
      return await call(...args);
    }];
  });
  return Object.fromEntries(calls) as Storage;
}

async function runUnderLoad(storage: Storage): Promise<void> {
  const registries = [await open(storage), await open(storage)];
  const deadline = performance.now() + SECONDS * 1_000;
  const isOver = () => performance.now() > deadline;
  const works = Array.from({ length: WORKERS }, (_, index): Work => ({
    name: (index % 2 === 0 ? `load/${index}` : `load/0/${index}`) as RepositoryName,
    images: new Map(),
  }));
  const found: unknown[] = [];
  const [rounds, ...steps] = await Promise.all([
    repeat(async () => found.push(...(await scrubStore(storage, OPTIONS)).findings), isOver),
    ...works.map((own) => work(registries, own, isOver)),
    repeat(() => registries[0]!.garbage.collect({ graceMs: GRACE_MS, dryRun: false }, SILENT), isOver),
  ]);
  assertEquals(found, [], "a scrub judges what is on its way");
  assert(
    rounds! > 1 && steps.every((count) => count > 3),
    `too little happened: ${rounds} scrubs, ${steps} steps`,
  );
  console.log(`${rounds} scrubs, ${steps} pushes, deletions and collections`);
  for (const { name, images } of works) {
    const tags = await registries[1]!.tags.list(name, { limit: 100 });
    assertEquals(tags.entries, [...images.keys()].toSorted());
    for (const [tag, digest] of images) {
      assertEquals(await registries[1]!.tags.get(name, tag), digest);
      await requireWhole(registries[0]!, name, digest);
    }
  }
  assertEquals((await scrubStore(storage, { ...OPTIONS, graceMs: 0 })).findings, []);
  assertEquals(await storage.list("quarantine/", { limit: 9 }), []);
}

for (const [kind, make] of Object.entries(STORES)) {
  Deno.test(`scrubs that repair without pause do no harm to ${SECONDS} s of pushes, deletions and collection (${kind})`, async () => {
    const { storage, remove } = await make();
    try {
      await runUnderLoad(fair(storage));
    } finally {
      await remove();
    }
  });
}
