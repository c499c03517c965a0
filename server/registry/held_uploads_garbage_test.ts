/** Uploads that are kept by their digest alone, and collectors, over a store whose moves are two steps. */

import type { Storage } from "../../plugins/contract/storage.ts";
import { assert, assertEquals, assertRejects } from "../../tests/support/assert.ts";
import {
  type Actor,
  interleave,
  randomSchedule,
  type Schedule,
  twoSwitches,
} from "../../tests/support/interleavings.ts";
import { keysOf, openReplica, openShared, openTextCache } from "../../tests/support/shared_memory.ts";
import { type Clock, MOVE_MS, openTicking, twoStepMoves } from "../../tests/support/two_step_moves.ts";
import { OciError } from "../oci/error.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { digestBytes } from "./hash.ts";
import { blobKey, dueBytesKey } from "./keys.ts";
import type { Registry } from "./registry.ts";
import type { Task } from "./task.ts";

const NAME = parseRepositoryName("library/app");
const TEXT = "a layer";
const [BLOB, LONG] = [TEXT, TEXT + TEXT].map((text) =>
  digestBytes("sha256", new TextEncoder().encode(text))
) as [ReturnType<typeof digestBytes>, ReturnType<typeof digestBytes>];
const SEEDS = 600;
const CALLS_MAX = 30;
const HOUR_MS = 3_600_000;

const TASK: Task = {
  signal: new AbortController().signal,
  cursor: undefined,
  report: () => {},
  line: () => Promise.resolve(),
};

type Scene = { readonly storage: Storage; readonly clock: Clock };

function collectAfter(graceMs: number): Actor {
  return async (storage) => {
    const { garbage } = await openReplica(storage);
    await garbage.collect({ graceMs, dryRun: false }, TASK);
  };
}

/** Uploads in two requests, the second one to another replica, and uses the blob at once. */
function uploadAt(isOther: boolean): Actor {
  return async (storage) => {
    const first = await openReplica(storage);
    const { session } = await first.uploads.append(NAME, await first.uploads.create(NAME), {
      body: new Blob([TEXT]).stream(),
    });
    const last = isOther ? await openReplica(storage) : first;
    assert((await last.uploads.finish(NAME, session, { digest: BLOB })).accepted);
    return await read(last);
  };
}

/** Goes on with an upload after its first chunk. */
const uploadMore: Actor = async (storage) => {
  const { uploads } = await openReplica(storage);
  const chunk = () => ({ body: new Blob([TEXT]).stream() });
  const { session } = await uploads.append(NAME, await uploads.create(NAME), chunk());
  const end = { digest: LONG, chunk: { ...chunk(), offset: TEXT.length } };
  assert((await uploads.finish(NAME, session, end)).accepted);
};

async function read({ blobs }: Registry): Promise<string | undefined> {
  if (!await blobs.stat(NAME, BLOB)) return undefined;
  const opened = await blobs.open(BLOB);
  return opened && await new Response(opened.body).text();
}

/** A store in which a blob's bytes are about to be looked at, as of another upload that came to nothing. */
async function open(isDue: boolean): Promise<Scene> {
  const scene = await openTicking();
  await openReplica(twoStepMoves(scene.storage, scene.clock));
  if (!isDue) return scene;
  await scene.storage.put(dueBytesKey(BLOB), new Uint8Array(1));
  await uploadAt(false)(twoStepMoves(scene.storage, scene.clock));
  for (const key of await keysOf(scene.storage)) {
    if (/^(links|due)\//.test(key)) await scene.storage.delete(key);
  }
  return scene;
}

/** All that nothing needs goes, however it came to be. */
async function assertAllGoes({ storage, clock }: Scene): Promise<void> {
  const view = twoStepMoves(storage, clock);
  for (let round = 0; round < 6; round++) {
    clock.pass(2 * HOUR_MS + MOVE_MS);
    await collectAfter(HOUR_MS)(view);
    await (await openReplica(view)).uploads.expire(HOUR_MS);
  }
  // What was condemned is judged by a clock that nobody rules.
  const { now } = Date;
  Date.now = () => now() + 2 * HOUR_MS;
  for (let round = 0; round < 3; round++) {
    await collectAfter(HOUR_MS)(view).finally(() => clock.pass(2 * HOUR_MS + MOVE_MS));
  }
  Date.now = now;
  const left = (await keysOf(storage)).filter((key) => !/^(removals|deletions)\//.test(key));
  assertEquals(left, []);
}

function* schedules(): Generator<readonly [string, Schedule]> {
  let index = 0;
  for (const schedule of twoSwitches(CALLS_MAX)) yield [`order ${index++}`, schedule];
  for (let seed = 1; seed <= SEEDS; seed++) yield [`seed ${seed}`, randomSchedule(seed)];
}

async function meet(actors: readonly Actor[], { isDue, is }: {
  readonly isDue: boolean;
  readonly is: (result: PromiseSettledResult<unknown>, scene: Scene) => Promise<void>;
}): Promise<void> {
  for (const [order, schedule] of schedules()) {
    const scene = await open(isDue);
    using _ = scene.clock.rule();
    const views = actors.map((actor): Actor => (calls) => actor(twoStepMoves(calls, scene.clock)));
    const results = await interleave(scene.storage, views, schedule);
    try {
      await is(results.at(-1)!, scene);
    } catch (error) {
      throw new Error(`${order}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** What was acknowledged is there; what was not, the client is told to begin anew. */
async function isThere(result: PromiseSettledResult<unknown>, { storage, clock }: Scene): Promise<void> {
  if (result.status === "rejected") {
    assert(result.reason instanceof OciError, result.reason);
    assertEquals(result.reason.code, "BLOB_UPLOAD_UNKNOWN");
    return;
  }
  assertEquals(result.value, TEXT);
  const view = twoStepMoves(storage, clock);
  for (let round = 0; round < 3; round++) {
    assertEquals(await read(await openReplica(view)), TEXT);
    clock.pass(MOVE_MS + 60_000);
    await collectAfter(24 * HOUR_MS)(view);
  }
}

for (const isOther of [false, true]) {
  for (const [kind, graceMs] of [["at once", 0], ["after a while", HOUR_MS]] as const) {
    const at = isOther ? "another replica" : "one replica";
    Deno.test(`A blob that was sent and ended at ${at} is there, though collectors take bytes ${kind}`, async () => {
      const collect = collectAfter(graceMs);
      await meet([collect, uploadAt(isOther)], { isDue: true, is: isThere });
      const actors = [collect, collectAfter(HOUR_MS), uploadAt(isOther)];
      await meet(actors, { isDue: true, is: isThere });
    });
  }
}

Deno.test("An upload that goes on is there, though collectors take the bytes of its first chunk", async () => {
  await meet([collectAfter(HOUR_MS), uploadMore], {
    isDue: true,
    is: (result) => Promise.resolve(assertEquals(result.status, "fulfilled")),
  });
});

Deno.test("An upload whose first chunk was collected meanwhile is unknown at its end, at any replica", async () => {
  for (const isOther of [false, true]) {
    const scene = await open(true);
    const { storage, clock } = scene;
    using _ = clock.rule();
    const view = twoStepMoves(storage, clock);
    const first = await openReplica(view);
    const { session } = await first.uploads.append(NAME, await first.uploads.create(NAME), {
      body: new Blob([TEXT]).stream(),
    });
    for (let round = 0; round < 2; round++) {
      clock.pass(MOVE_MS + 60_000);
      await collectAfter(HOUR_MS)(view);
    }
    const { uploads } = isOther ? await openReplica(view) : first;
    await assertRejects(
      () => uploads.finish(NAME, session, { digest: BLOB }),
      (error: OciError) => error.code === "BLOB_UPLOAD_UNKNOWN",
    );
    await assertAllGoes(scene);
  }
});

Deno.test("What an upload leaves is collected, wherever it was killed", async () => {
  for (const isDue of [false, true]) {
    for (const actor of [uploadAt(false), uploadAt(true), uploadMore]) {
      for (let calls = 0; calls < 40; calls++) {
        const scene = await open(isDue);
        using _ = scene.clock.rule();
        await Promise.allSettled([actor(twoStepMoves(dying(scene.storage, calls), scene.clock))]);
        await assertAllGoes(scene);
      }
    }
  }
});

/** Fails from the given call on. */
function dying(storage: Storage, calls: number): Storage {
  let left = calls;
  const verbs = Object.entries(storage).map(([verb, call]) => {
    const counted = (...args: unknown[]) => {
      if (left-- <= 0) return Promise.reject(new Error("killed"));
      return (call as (...args: unknown[]) => unknown)(...args);
    };
    return [verb, counted];
  });
  return Object.fromEntries(verbs) as unknown as Storage;
}

Deno.test("A client is sent to a blob whose bytes a collector took aside between chunk and end, and they are there", async () => {
  const storage = await openShared();
  storage.url = (key) => Promise.resolve(`https://store.example/${key}`);
  const { uploads, garbage, blobs } = await openReplica(storage, { cache: openTextCache().cache });
  await storage.put(dueBytesKey(BLOB), new Uint8Array(1));
  const chunk = { body: new Blob([TEXT]).stream() };
  const { session } = await uploads.append(NAME, await uploads.create(NAME), chunk);
  await garbage.collect({ graceMs: HOUR_MS, dryRun: false }, TASK);
  assertEquals(await storage.stat(blobKey(BLOB)), undefined);
  assert((await uploads.finish(NAME, session, { digest: BLOB })).accepted);
  assertEquals(await blobs.find(NAME, BLOB), { size: TEXT.length });
  const url = await blobs.url(BLOB, { mediaType: "application/octet-stream" });
  assertEquals(url, `https://store.example/${blobKey(BLOB)}`);
  assertEquals((await storage.stat(blobKey(BLOB)))?.size, TEXT.length);
});
