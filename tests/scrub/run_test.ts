import { PluginError } from "../../plugins/contract/error.ts";
import { type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";
import type { Digest } from "../../server/oci/digest.ts";
import type { RepositoryName } from "../../server/oci/name.ts";
import type { Finding } from "../../server/registry/scrub/findings.ts";
import type { Progress } from "../../server/registry/task.ts";
import { assert, assertEquals } from "../support/assert.ts";
import {
  blobKeyOf,
  bytesOf,
  createWorld,
  keysOf,
  linkKeyOf,
  manifestKeyOf,
  open,
  pushImage,
  scrubStore,
  STORES,
} from "./scene.ts";

async function assertFails(work: Promise<unknown>, pattern: RegExp): Promise<void> {
  const message = await work.then(() => "nothing", (error: Error) => error.message);
  assert(pattern.test(message), `it failed with ${message}`);
}

/** The store, each of whose calls is told first. */
function watched(storage: Storage, before: (method: string, key: string) => void): Storage {
  const calls = STORAGE_VERBS.map((method) => {
    const call = storage[method].bind(storage) as (...args: unknown[]) => Promise<unknown>;
    return [method, async (...args: unknown[]) => {
      before(method, args[0] as string);
      return await call(...args);
    }];
  });
  return Object.fromEntries(calls) as Storage;
}

/** Many small repositories, some of them damaged. */
async function createMany(storage: Storage): Promise<{ readonly damaged: number }> {
  const registry = await open(storage);
  for (let index = 0; index < 400; index++) {
    const name = `many/${String(index).padStart(4, "0")}` as RepositoryName;
    const { digest } = await pushImage(registry, name, {
      texts: [`config ${index}`, `layer ${index}`],
      tags: ["latest"],
    });
    if (index % 40 === 7) await storage.put(manifestKeyOf(name, digest), bytesOf("{}\n{}"));
    if (index % 40 === 9) await storage.delete(`catalog/${name}!`);
  }
  for (let index = 0; index < 20; index++) {
    await storage.put(
      linkKeyOf("loose", `sha256:${index.toString(16).padStart(64, "e")}` as Digest),
      bytesOf(""),
    );
    await storage.put(`what/${index}`, bytesOf("?"));
  }
  return { damaged: 10 + 10 + 20 + 20 };
}

Deno.test("a scrub that is interrupted again and again finds what one does that is not, each once", async () => {
  const { storage } = await STORES["memory"]!();
  const { damaged } = await createMany(storage);
  const whole = await scrubStore(storage);
  assertEquals(whole.findings.length, damaged);

  let cursor: string | undefined;
  let kept: Finding[] = [];
  let runs = 0;
  for (let isDone = false; !isDone; runs++) {
    const stop = new AbortController();
    const lines: Finding[] = [...kept];
    let cursors = 0;
    const report = (progress: Progress) => {
      if (progress.cursor === undefined) return;
      cursor = progress.cursor;
      kept = [...lines];
      if (++cursors === 1) stop.abort(new Error("interrupted"));
    };
    const line = (value: unknown) => Promise.resolve(void lines.push(value as Finding));
    const run = scrubStore(storage, {}, { cursor, signal: stop.signal, report, line });
    const result = await run.catch((error: Error) => {
      assertEquals(error.message, "interrupted");
      return undefined;
    });
    if (!result) continue;
    isDone = true;
    assertEquals(result.report, whole.report);
    assertEquals(lines.map(({ key }) => key).toSorted(), whole.findings.map(({ key }) => key).toSorted());
  }
  assert(runs >= 4, `it was interrupted only ${runs - 1} times`);
});

Deno.test("a scrub ends with its reason soon after it was cancelled, in the middle of a blob too", async () => {
  const { storage } = await STORES["memory"]!();
  await createWorld(storage);
  const stop = new AbortController();
  const opened = watched(storage, (method) => method === "open" && stop.abort(new Error("cancelled")));
  await assertFails(scrubStore(opened, { rehash: true }, { signal: stop.signal }), /^cancelled$/);
});

Deno.test("a scrub reads no faster than it may, and a wait ends when it is cancelled", async () => {
  const { storage } = await STORES["memory"]!();
  const { report } = await createWorld(storage).then(() => scrubStore(storage, { rehash: true }));
  assertEquals(report.checked.hashed_bytes, 30);
  const startedAt = performance.now();
  await scrubStore(storage, { rehash: true, bytesPerSecond: 100 });
  const tookMs = performance.now() - startedAt;
  assert(tookMs > 250 && tookMs < 2_000, `30 bytes at 100 a second took ${tookMs} ms`);
  const signal = AbortSignal.timeout(20);
  const cancelledAt = performance.now();
  await assertFails(
    scrubStore(storage, { rehash: true, bytesPerSecond: 0.01 }, { signal }),
    /due to timeout/,
  );
  assert(performance.now() - cancelledAt < 2_000, "it waited on");
});

Deno.test("an error of the store, wherever it comes, ends the scrub, and nothing is found or changed for it", async () => {
  const { storage } = await STORES["memory"]!();
  await createWorld(storage);
  const before = await keysOf(storage);
  let calls = 0;
  await scrubStore(watched(storage, () => void calls++), { repair: true, rehash: true });
  for (let failing = 1; failing <= calls; failing++) {
    let call = 0;
    const broken = watched(storage, (method, key) => {
      if (++call === failing) throw new PluginError("unavailable", `no ${method} of ${key}`);
    });
    const found: unknown[] = [];
    const line = (value: unknown) => Promise.resolve(void found.push(value));
    await assertFails(scrubStore(broken, { repair: true, rehash: true }, { line }), /^no /);
    assertEquals(found, []);
  }
  assertEquals(await keysOf(storage), before);
});

Deno.test("a scrub tells how far it is: phases in order, blobs of how many, bytes that were read", async () => {
  const { storage } = await STORES["memory"]!();
  await createMany(storage);
  const { progress } = await scrubStore(storage, { rehash: true });
  const phases = [...new Set(progress.map(({ phase }) => phase))];
  assertEquals(phases, ["entries", "repositories", "blobs"]);
  const { done, total, unit, bytes } = progress.at(-1)!;
  assertEquals([done, total, unit, (bytes ?? 0) > 0], [800, 800, "blobs", true]);
});

Deno.test("bytes that are healed while they are judged stay, even if that is in the moment of their move", async () => {
  for (const moment of ["stat", "move"]) {
    const { storage } = await STORES["memory"]!();
    const { layer } = await createWorld(storage);
    const key = blobKeyOf(layer);
    await storage.put(key, bytesOf("the liver"));
    let read = false;
    const healing = watched(storage, (method, of) => {
      if (of !== key) return;
      if (method === "open") read = true;
      if (read && method === moment) void storage.put(key, bytesOf("the layer"));
    });
    const { findings } = await scrubStore(healing, { repair: true, rehash: true });
    assertEquals(findings, []);
    assertEquals(new TextDecoder().decode((await storage.get(key))!.bytes), "the layer");
    assertEquals(await storage.list("quarantine/", { limit: 9 }), []);
  }
});

Deno.test("a scrub leaves alone what a deletion, an upload or a collector is at work on, and what is in quarantine", async () => {
  const { storage } = await STORES["memory"]!();
  const { registry, image, signature } = await createWorld(storage);
  const hex = signature.slice("sha256:".length);
  await storage.put(`quarantine/before/blobs/sha256/odd`, bytesOf("?"));
  await storage.put("access/tokens/x", bytesOf("{}"));
  await storage.put("audit/2026-01-31T14/1.2.3", bytesOf("{}"));
  await storage.put("jobs/records/x", bytesOf("{}"));
  await registry.uploads.create("team/app" as RepositoryName);
  // A deletion that is under way: noted, its manifest gone, all else still to do.
  await storage.put(`deletions/team/app!/sha256/${hex}`, bytesOf(`{"subject":"${image}","blobs":[]}`));
  await storage.delete(manifestKeyOf("team/app", signature));
  const young = Date.now();
  const ages = aged(storage, (key) => key.startsWith("deletions/") ? young : young - 7_200_000);
  const before = await keysOf(storage);
  const { findings } = await scrubStore(ages, { repair: true, graceMs: 3_600_000, uploadIdleMs: 86_400_000 });
  assertEquals(findings, []);
  assertEquals(await keysOf(storage), before);
});

/** The store, whose objects were last changed when `at` says. */
function aged(storage: Storage, at: (key: string) => number): Storage {
  const { stat, get } = { stat: storage.stat.bind(storage), get: storage.get.bind(storage) };
  return {
    ...watched(storage, () => {}),
    async stat(key) {
      const facts = await stat(key);
      return facts && { ...facts, modifiedAtMs: at(key) };
    },
    async get(key) {
      const value = await get(key);
      return value && { ...value, modifiedAtMs: at(key) };
    },
  };
}
