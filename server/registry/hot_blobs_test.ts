import { PluginError } from "../../plugins/contract/error.ts";
import type { OpenedObject, Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { assert, assertEquals, assertMatch } from "../../tests/support/assert.ts";
import type { Digest } from "../oci/digest.ts";
import type { Span } from "../oci/range.ts";
import { digestBytes } from "./hash.ts";
import { HotBlobs } from "./hot_blobs.ts";
import { blobKey } from "./keys.ts";

const KIB = 1024;
const MINUTE_MS = 60_000;
/** Until all that was asked for, and all that failed, is forgotten. */
const LONG_MS = 16 * MINUTE_MS;

interface Blob {
  readonly digest: Digest;
  readonly size: number;
}

/** Hot blobs over a store whose reads can be seen, held back and broken. */
class Scene {
  readonly hot: HotBlobs;
  readonly failures: string[] = [];
  /** Objects that were opened in the store. */
  opened = 0;
  bytesMax: number;
  nowMs = 1_000;
  /** What happens before an object is opened. */
  before: () => Promise<void> = () => Promise.resolve();
  readonly #memory: Storage;

  private constructor(memory: Storage, bytesMax: number) {
    this.#memory = memory;
    this.bytesMax = bytesMax;
    const open = async (key: string): Promise<OpenedObject | undefined> => {
      this.opened++;
      await this.before();
      return await memory.open(key);
    };
    const stat = (key: string) => memory.stat(key);
    this.hot = new HotBlobs({ open, stat } as unknown as Storage, {
      bytesMax: () => this.bytesMax,
      onFailure: (_, { message }) => this.failures.push(message),
      now: () => ++this.nowMs,
    });
  }

  static async open(bytesMax: number): Promise<Scene> {
    return new Scene(await create({}), bytesMax);
  }

  /** A blob of so many bytes that only it has; the store has `stored` in its place. */
  async blob(size: number, value: number, stored?: Uint8Array<ArrayBuffer>): Promise<Blob> {
    const bytes = contentOf(size, value);
    const digest = digestBytes("sha256", bytes);
    await this.#memory.put(blobKey(digest), stored ?? bytes);
    return { digest, size };
  }

  async remove({ digest }: Blob): Promise<void> {
    await this.#memory.delete(blobKey(digest));
  }

  /** Asks for the blob as a pull does; answers whether it was in memory. */
  async pull({ digest, size }: Blob): Promise<boolean> {
    const opened = await this.hot.open(digest);
    await opened?.body.cancel();
    if (!opened) await this.hot.offer(digest, size);
    return opened !== undefined;
  }

  async pulls(...blobs: Blob[]): Promise<boolean[]> {
    const answers: boolean[] = [];
    for (const blob of blobs) answers.push(await this.pull(blob));
    return answers;
  }

  /** The digest of what is in memory, or of a part of it. */
  async read({ digest }: Blob, span?: Span): Promise<Digest | undefined> {
    const opened = await this.hot.open(digest, span);
    return opened && digestBytes("sha256", await new Response(opened.body).bytes());
  }
}

function contentOf(size: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(size).map((_, index) => (index * 31 + value) % 251);
}

Deno.test("HotBlobs takes in what is asked for a second time within five minutes", async () => {
  const scene = await Scene.open(KIB * KIB);
  const [often, seldom] = [await scene.blob(KIB, 1), await scene.blob(KIB, 2)];
  assertEquals(await scene.pulls(often, seldom), [false, false]);
  assertEquals(scene.opened, 0);
  assertEquals(await scene.pulls(often, often, often), [false, true, true]);
  assertEquals(scene.opened, 1);
  scene.nowMs += 6 * MINUTE_MS;
  assertEquals(await scene.pulls(seldom), [false]);
  assertEquals(scene.opened, 1);
});

Deno.test("HotBlobs answers all of a blob and parts of it, to several readers at once", async () => {
  const scene = await Scene.open(10 * KIB * KIB);
  const size = 700 * KIB + 3;
  const blob = await scene.blob(size, 7);
  await scene.pulls(blob, blob);
  const all = contentOf(size, 7);
  const spans = [[0, 1], [size - 1, 1], [5, 600 * KIB], [256 * KIB, 256 * KIB], [0, size]] as const;
  const reads = spans.map(([offset, length]) => scene.read(blob, { offset, length }));
  const expected = spans.map(([offset, length]) =>
    digestBytes("sha256", all.subarray(offset, offset + length))
  );
  assertEquals(await Promise.all([...reads, scene.read(blob)]), [...expected, blob.digest]);
  const opened = await scene.hot.open(blob.digest, { offset: 1, length: 2 });
  assertEquals([opened?.size, await new Response(opened?.body).bytes()], [size, all.slice(1, 3)]);
  assertEquals(scene.opened, 1);
});

Deno.test("HotBlobs reads a blob once, however many ask meanwhile, and no more than two blobs at a time", async () => {
  const scene = await Scene.open(KIB * KIB);
  const blobs = await Promise.all([1, 2, 3].map((value) => scene.blob(KIB, value)));
  await scene.pulls(...blobs);
  const gate = Promise.withResolvers<void>();
  scene.before = () => gate.promise;
  const pulls = [...blobs, ...blobs, ...blobs].map((blob) => scene.pull(blob));
  gate.resolve();
  assertEquals(await Promise.all(pulls), pulls.map(() => false));
  assertEquals(scene.opened, 2);
  assertEquals(await scene.pulls(...blobs), [true, true, false]);
  assertEquals(await scene.pulls(...blobs), [true, true, true]);
});

Deno.test("HotBlobs keeps to its bound, and lets go what was asked for longest ago", async () => {
  const scene = await Scene.open(35 * KIB);
  const [a, b, c, d] = await Promise.all([1, 2, 3, 4].map((value) => scene.blob(10 * KIB, value)));
  await scene.pulls(a!, a!, b!, b!, c!, c!);
  assertEquals(await scene.pulls(b!, c!, a!), [true, true, true]);
  await scene.pulls(d!, d!);
  assertEquals(await scene.pulls(a!, c!, d!, b!), [true, true, true, false]);
  const large = await scene.blob(36 * KIB, 5);
  const before = scene.opened;
  await scene.pulls(large, large, large);
  assertEquals([scene.opened, await scene.pulls(a!, c!, d!)], [before, [true, true, true]]);
});

Deno.test("HotBlobs counts many small blobs for more than their bytes", async () => {
  const scene = await Scene.open(10 * KIB);
  const blobs = await Promise.all(Array.from({ length: 20 }, (_, value) => scene.blob(10, value)));
  for (const blob of blobs) await scene.pulls(blob, blob);
  const kept = (await scene.pulls(...blobs)).filter(Boolean).length;
  assert(kept > 0 && kept < 10, `${kept}`);
});

Deno.test("HotBlobs does not have blobs that are too many for it push each other out", async () => {
  const scene = await Scene.open(15 * KIB);
  const [a, b] = [await scene.blob(10 * KIB, 1), await scene.blob(10 * KIB, 2)];
  await scene.pulls(a, a);
  for (let turn = 0; turn < 10; turn++) assertEquals(await scene.pulls(a, b), [true, false]);
  assertEquals(scene.opened, 1);
  assertEquals(await scene.pulls(b, b, b), [false, true, true]);
});

Deno.test("HotBlobs counts what is being sent until it was sent, or its reader has gone", async () => {
  const scene = await Scene.open(600 * KIB);
  const [a, b] = [await scene.blob(500 * KIB, 1), await scene.blob(500 * KIB, 2)];
  await scene.pulls(a, a);
  const ends = [
    (reader: ReadableStreamDefaultReader) => reader.cancel(),
    async (reader: ReadableStreamDefaultReader) => void (await reader.read(), await reader.read()),
  ];
  let [kept, other] = [a, b];
  for (const end of ends) {
    const opened = await scene.hot.open(kept.digest);
    const reader = opened!.body.getReader();
    assertEquals((await reader.read()).value?.byteLength, 256 * KIB);
    assertEquals(await scene.pulls(other, other, other), [false, false, false]);
    await end(reader);
    assertEquals(await scene.pulls(other, other), [false, true]);
    [kept, other] = [other, kept];
  }
});

Deno.test("HotBlobs copies the last of what is sent, which nobody counts once it was read", async () => {
  const scene = await Scene.open(1_300 * KIB);
  const blob = await scene.blob(1_200 * KIB, 1);
  await scene.pulls(blob, blob);
  const held = async (span?: Span) => {
    const { body } = (await scene.hot.open(blob.digest, span))!;
    return (await Array.fromAsync(body)).map(({ buffer }) => buffer.byteLength / KIB);
  };
  assertEquals(await held(), [1_200, 1_200, 1_200, 256, 176]);
  assertEquals(await held({ offset: 1_000 * KIB, length: KIB }), [1]);
});

Deno.test("HotBlobs keeps no bytes that are not what their digest says, says so, and lets them alone for a while", async () => {
  const scene = await Scene.open(KIB * KIB);
  for (
    const [value, stored] of [contentOf(10 * KIB, 99), contentOf(KIB, 1), contentOf(11 * KIB, 2)].entries()
  ) {
    const { opened } = scene;
    scene.failures.length = 0;
    const blob = await scene.blob(10 * KIB, value, stored);
    assertEquals(await scene.pulls(blob, blob, blob, blob), [false, false, false, false]);
    assertEquals([scene.opened, scene.failures.length], [opened + 1, 1]);
    assertMatch(
      scene.failures[0]!,
      /^Cannot keep sha256:[0-9a-f]{64} in memory: the store answers other bytes/,
    );
  }
  scene.nowMs += LONG_MS;
  const healed = await scene.blob(10 * KIB, 1);
  assertEquals(await scene.pulls(healed, healed, healed), [false, false, true]);
  assertEquals(await scene.read(healed), healed.digest);
});

Deno.test("HotBlobs goes on when the store fails, and counts nothing for it", async () => {
  const scene = await Scene.open(25 * KIB);
  const blob = await scene.blob(20 * KIB, 1);
  for (let turn = 0; turn < 3; turn++) {
    scene.before = () => Promise.reject(new PluginError("unavailable", "Cannot open it: the store is away"));
    await scene.pulls(blob, blob);
    scene.nowMs += LONG_MS;
    await scene.remove(blob);
    scene.before = () => Promise.resolve();
    await scene.pulls(blob, blob);
    await scene.blob(20 * KIB, 1);
    scene.nowMs += LONG_MS;
  }
  assertEquals(scene.failures.length, 6);
  assertMatch(scene.failures[0]!, /the store is away$/);
  assertMatch(scene.failures[1]!, /the store has it no more$/);
  assertEquals(await scene.pulls(blob, blob, blob), [false, false, true]);
});

Deno.test("HotBlobs hides for no longer than a minute that the store has lost a blob", async () => {
  const scene = await Scene.open(KIB * KIB);
  const [lost, other] = [await scene.blob(KIB, 1), await scene.blob(KIB, 2)];
  await scene.pulls(lost, lost, other, other);
  await scene.remove(lost);
  scene.nowMs += MINUTE_MS;
  assertEquals(await scene.pulls(lost, other, lost), [false, true, false]);
});

Deno.test("HotBlobs keeps to a bound that changes, and keeps nothing where it is none", async () => {
  const scene = await Scene.open(KIB * KIB);
  const [a, b] = [await scene.blob(10 * KIB, 1), await scene.blob(10 * KIB, 2)];
  await scene.pulls(a, a, b, b);
  scene.bytesMax = 15 * KIB;
  assertEquals(await scene.pulls(a, b), [false, true]);
  scene.bytesMax = 0;
  assertEquals(await scene.pulls(b, b, b), [false, false, false]);
  scene.bytesMax = KIB * KIB;
  const gate = Promise.withResolvers<void>();
  scene.before = () => gate.promise;
  const filling = scene.pull(b);
  scene.bytesMax = 0;
  gate.resolve();
  await filling;
  scene.bytesMax = KIB * KIB;
  assertEquals(await scene.pull(b), false);
});
