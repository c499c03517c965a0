import type { Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { assertEquals } from "../../tests/support/assert.ts";
import {
  type Actor,
  interleave,
  randomSchedule,
  type Schedule,
  twoSwitches,
} from "../../tests/support/interleavings.ts";
import { type Clock, MOVE_MS, openTicking, twoStepMoves } from "../../tests/support/two_step_moves.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { Asides } from "./asides.ts";
import { digestBytes } from "./hash.ts";
import { asideKey } from "./keys.ts";
import { createRegistry, type Registry } from "./registry.ts";
import type { Task } from "./task.ts";

const NAME = parseRepositoryName("library/app");
const TEXT = "a layer";
const BYTES = new TextEncoder().encode(TEXT);
const BLOB = digestBytes("sha256", BYTES);
const SEEDS = 3_000;
const CALLS_MAX = 45;
/** So much longer does what is aside stay. */
const MARGIN_MS = 10_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const TASK: Task = {
  signal: new AbortController().signal,
  cursor: undefined,
  report: () => {},
  line: () => Promise.resolve(),
};

function openRegistry(storage: Storage): Promise<Registry> {
  return createRegistry(storage, { openUploadsMax: 100 });
}

async function upload({ uploads }: Registry): Promise<void> {
  const id = await uploads.create(NAME);
  const body = new Blob([TEXT]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
  await uploads.finish(NAME, id, { digest: BLOB, chunk: { body } });
}

const collect: Actor = async (storage) => {
  const { garbage } = await openRegistry(storage);
  await garbage.collect({ graceMs: HOUR_MS, dryRun: false }, TASK);
};

/** Uploads the blob, and uses it at once. */
const uploadAndRead: Actor = async (storage) => {
  const registry = await openRegistry(storage);
  await upload(registry);
  return await read(registry);
};

async function read({ blobs }: Registry): Promise<string | undefined> {
  if (!await blobs.stat(NAME, BLOB)) return undefined;
  const opened = await blobs.open(BLOB);
  return opened && await new Response(opened.body).text();
}

/** A store in which the blob's bytes are all that is left of it. */
async function unlinked(): Promise<{ readonly storage: Storage; readonly clock: Clock }> {
  const { storage, clock } = await openTicking();
  const view = twoStepMoves(storage, clock);
  const registry = await openRegistry(view);
  await upload(registry);
  await registry.blobs.delete(NAME, BLOB, () => Promise.resolve());
  return { storage, clock };
}

/** Has the actors meet; what they leave is given to `after`, then again when all that was under way has ended or never will. */
async function meet(
  actors: readonly Actor[],
  schedules: Iterable<readonly [order: string, Schedule]>,
  after: (results: readonly PromiseSettledResult<unknown>[], registry: Registry) => Promise<void>,
): Promise<void> {
  for (const [order, schedule] of schedules) {
    const { storage, clock } = await unlinked();
    using _ = clock.rule();
    const viewers = actors.map((actor): Actor => (calls) => actor(twoStepMoves(calls, clock)));
    const results = await interleave(storage, viewers, schedule);
    const view = twoStepMoves(storage, clock);
    try {
      await after(results, await openRegistry(view));
      for (let round = 0; round < 4; round++) {
        clock.pass(MOVE_MS + MINUTE_MS);
        await collect(view);
      }
      assertEquals(await storage.list("aside/", { limit: 10 }), []);
    } catch (error) {
      throw new Error(`${order}: ${(error as Error).message}`, { cause: error });
    }
  }
}

function* inTwoSwitches(): Generator<readonly [string, Schedule]> {
  let index = 0;
  for (const schedule of twoSwitches(CALLS_MAX)) yield [`order ${index++}`, schedule];
}

function* byChance(): Generator<readonly [string, Schedule]> {
  for (let seed = 1; seed <= SEEDS; seed++) yield [`seed ${seed}`, randomSchedule(seed)];
}

Deno.test("a blob is there that was uploaded while a collector was between the two steps of a move", async () => {
  await meet([collect, uploadAndRead], inTwoSwitches(), async ([, uploaded], registry) => {
    assertEquals(uploaded, { status: "fulfilled", value: TEXT });
    assertEquals(await read(registry), TEXT);
  });
});

Deno.test("a blob is there that was uploaded while several collectors were between the steps of their moves", async () => {
  await meet([collect, collect, uploadAndRead, collect], byChance(), async ([, , uploaded], registry) => {
    assertEquals(uploaded, { status: "fulfilled", value: TEXT });
    assertEquals(await read(registry), TEXT);
  });
});

Deno.test("bytes that nobody links to go, though collectors were held up in the middle", async () => {
  await meet([collect, collect], inTwoSwitches(), async (_, registry) => {
    assertEquals(await read(registry), undefined);
  });
});

Deno.test("settle() lets nothing go that became old only while holders were looked for", async () => {
  const memory = await create({});
  const key = asideKey(BLOB, "one");
  await memory.put(key, BYTES);
  const storage: Storage = Object.assign(memory, { copy: () => Promise.resolve(true) });
  const asides = new Asides(storage, { moveMs: MOVE_MS });
  const { now } = Date;
  let passedMs = MOVE_MS + MARGIN_MS - 1_000;
  Date.now = () => now() + passedMs;
  try {
    // Here somebody makes a link, and is sure that the bytes are there still.
    const slowly = () => Promise.resolve((passedMs += 2_000, false));
    assertEquals(await asides.settle(BLOB, slowly), []);
    assertEquals((await storage.stat(key))?.size, BYTES.byteLength);
    assertEquals(await asides.settle(BLOB, () => Promise.resolve(false)), [BYTES.byteLength]);
    assertEquals(await storage.stat(key), undefined);
  } finally {
    Date.now = now;
  }
});
