/** The S3 storage plugin, called as it is, over a real S3 server. */

import { storageSuite } from "../../plugins/contract/storage_suite.ts";
import type { Bytes, Storage } from "../../plugins/contract/storage.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { hasProgram } from "../support/programs.ts";
import { type RunningS3, S3_PROGRAM, startS3 } from "../support/s3_server.ts";
import { openS3, startS3Plugin } from "../support/s3_store.ts";

const MIB = 1024 * 1024;
const PARTS_PREFIX = ":aside/";
const ignore = !hasProgram(S3_PROGRAM);

let shared: Promise<RunningS3> | undefined;
let stores = 0;

/** The server of all tests here; it ends with the last one. */
function server(): Promise<RunningS3> {
  return shared ??= startS3();
}

/** A store in a part of the bucket of its own, or in that of another one. */
async function open(prefix = `store-${++stores}/`): Promise<Storage> {
  return await openS3(await server(), { key_prefix: prefix });
}

if (!ignore) {
  storageSuite({
    name: "s3 in a worker (versitygw)",
    create: async () => await startS3Plugin(await server(), { key_prefix: `store-${++stores}/` }),
    largeBytes: 64 * MIB,
  });
}

/** Bytes that say where they are. */
function patterned(length: number, start: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => ((start + index) * 31 + ((start + index) >> 8)) & 0xff);
}

function bodyOf(bytes: Uint8Array<ArrayBuffer>, breaksAt = Infinity): Bytes {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= breaksAt) return controller.error(new Error("the client went away"));
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + 256 * 1024));
      at += 256 * 1024;
    },
  });
}

async function contentOf(storage: Storage, key: string): Promise<Uint8Array<ArrayBuffer>> {
  const opened = await storage.open(key);
  assert(opened, `${key} is not there`);
  return new Uint8Array(await new Response(opened.body).arrayBuffer());
}

/** What the bucket has aside for a store. */
async function leftAside(prefix: string): Promise<string[]> {
  const { bucketFolder } = await server();
  const names: string[] = [];
  for await (const key of walk(`${bucketFolder}/${prefix}${PARTS_PREFIX}`)) names.push(key);
  for await (const key of walk(`${bucketFolder}/.sgwtmp`)) names.push(key);
  return names;
}

async function* walk(folder: string): AsyncGenerator<string> {
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  for (const { name, isDirectory } of entries) {
    if (isDirectory) yield* walk(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

Deno.test({
  name: "An upload grows at many replicas by turns, and is read and moved at any (versitygw)",
  ignore,
  fn: async () => {
    const prefix = `store-${++stores}/`;
    const replicas = [await open(prefix), await open(prefix), await open(prefix)];
    const whole = patterned(27 * MIB + 12_345, 0);
    const cuts = [0, 1, MIB, 7 * MIB, 7 * MIB + 5, 18 * MIB, 26 * MIB, whole.length];
    for (const [index, start] of cuts.slice(0, -1).entries()) {
      const storage = replicas[index % 3]!;
      const chunk = whole.slice(start, cuts[index + 1]);
      assertEquals((await storage.append("up", start, bodyOf(chunk))).size, cuts[index + 1]!);
      assertEquals((await replicas[(index + 1) % 3]!.stat("up"))?.size, cuts[index + 1]!);
      // One that is read in the middle is made whole first, and goes on growing.
      if (index === 4) assertEquals(await contentOf(replicas[2]!, "up"), whole.slice(0, cuts[index + 1]));
      await assertRejects(() => storage.append("up", start, bodyOf(chunk)), Error, "not");
    }
    assertEquals(await replicas[0]!.move("up", "blob", { ifSize: whole.length }), true);
    assertEquals(await contentOf(replicas[1]!, "blob"), whole);
    assertEquals(await replicas[2]!.list("", { limit: 10 }), ["blob"]);
    assertEquals(await leftAside(prefix), []);
  },
});

Deno.test({
  name: "An upload that breaks off keeps what had arrived, and goes on elsewhere (versitygw)",
  ignore,
  fn: async () => {
    const prefix = `store-${++stores}/`;
    const [one, other] = [await open(prefix), await open(prefix)];
    const whole = patterned(12 * MIB, 7);
    await assertRejects(() => one.append("up", 0, bodyOf(whole, 8 * MIB)), Error, "went away");
    assert((await leftAside(prefix)).length > 0, "nothing is aside, so nothing can be left there");
    assertEquals((await other.stat("up"))?.size, 8 * MIB);
    await other.append("up", 8 * MIB, bodyOf(whole.slice(8 * MIB)));
    assertEquals(await contentOf(one, "up"), whole);
    assertEquals(await one.delete("up"), true);
    assertEquals(await one.stat("up"), undefined);
    assertEquals(await leftAside(prefix), []);
  },
});

Deno.test({
  name: "Of two who append to one upload at once one is refused, and it can be finished (versitygw)",
  ignore,
  fn: async () => {
    const prefix = `store-${++stores}/`;
    const [one, other] = [await open(prefix), await open(prefix)];
    const whole = patterned(13 * MIB, 3);
    await one.append("up", 0, bodyOf(whole.slice(0, 6 * MIB)));
    const results = await Promise.allSettled([
      one.append("up", 6 * MIB, bodyOf(whole.slice(6 * MIB))),
      other.append("up", 6 * MIB, bodyOf(whole.slice(6 * MIB, 9 * MIB))),
    ]);
    const sizes = results.flatMap((result) => result.status === "fulfilled" ? [result.value.size] : []);
    assertEquals(sizes.length, 1);
    const refused = results.find((result) => result.status === "rejected");
    assertEquals((refused as PromiseRejectedResult).reason.code, "conflict");
    // What the loser sent may have come over a part of the winner's: then it cannot be finished, and is never wrong.
    const isMoved = await one.move("up", "blob").catch(() => false);
    if (isMoved) assertEquals(await contentOf(other, "blob"), whole.slice(0, sizes[0]));
    else assertEquals(await other.stat("blob"), undefined);
    if (!isMoved) await other.delete("up");
    assertEquals(await leftAside(prefix), []);
  },
});

Deno.test({
  name: "An upload that was finished in part is finished by another replica (versitygw)",
  ignore,
  fn: async () => {
    const prefix = `store-${++stores}/`;
    // The server fails, for a while, whoever copies what another has just removed.
    const settings = { key_prefix: prefix, retry_budget: "3s" };
    const [one, other] = [await openS3(await server(), settings), await openS3(await server(), settings)];
    const whole = patterned(11 * MIB, 1);
    await one.append("up", 0, bodyOf(whole));
    const results = await Promise.allSettled([one.move("up", "blob"), other.move("up", "blob")]);
    assert(results.some((result) => result.status === "fulfilled" && result.value), "nobody has moved it");
    assertEquals(await contentOf(other, "blob"), whole);
    assertEquals(await one.stat("up"), undefined);
    // The server keeps the last part of whoever sends it when the other has finished: it makes a folder for it anew.
    await Deno.remove(`${(await server()).bucketFolder}/.sgwtmp/multipart`, { recursive: true });
  },
});

Deno.test({
  name: "What is larger than the threshold is copied in parts, byte by byte the same (versitygw)",
  ignore,
  fn: async () => {
    const prefix = `store-${++stores}/`;
    const storage = await openS3(await server(), {
      key_prefix: prefix,
      multipart_copy_threshold: "12MiB",
      multipart_copy_chunk_size: "6MiB",
      multipart_copy_jobs: 3,
    });
    const whole = patterned(27 * MIB + 1, 5);
    await storage.append("up", 0, bodyOf(whole));
    assertEquals(await storage.move("up", "blob"), true);
    assertEquals(await storage.move("blob", "moved"), true);
    assertEquals(await contentOf(storage, "moved"), whole);
    assertEquals(await storage.copy!("moved", "copied"), true);
    assertEquals(await contentOf(storage, "copied"), whole);
    assertEquals(await storage.list("", { limit: 10 }), ["copied", "moved"]);
    assertEquals(await leftAside(prefix), []);
  },
});

Deno.test({
  name: "A store that is not there stops the start in time to say why",
  ignore,
  fn: async () => {
    const s3 = { ...await server(), endpoint: "http://127.0.0.1:1" };
    const startedAt = performance.now();
    await assertRejects(() => startS3Plugin(s3), Error, "refused");
    assert(performance.now() - startedAt < 9_000, "it took too long");
  },
});

Deno.test({
  name: "A bucket that is not there stops the start, by name (versitygw)",
  ignore,
  fn: async () => {
    const s3 = await server();
    await assertRejects(() => openS3(s3, { bucket: "nobodys" }), Error, "NoSuchBucket");
  },
});

Deno.test({
  name: "Wrong keys stop the start, and are in no message (versitygw)",
  ignore,
  fn: async () => {
    const opening = openS3(await server(), { secret_key: "not-the-secret" });
    const error: unknown = await opening.then(() => undefined, (error) => error);
    assert(error instanceof Error && error.message.includes("SignatureDoesNotMatch"), `${error}`);
    assert(!`${error.stack}`.includes("not-the-secret"), "the secret is in the error");
  },
});

Deno.test({ name: "s3 ends its server (versitygw)", ignore, fn: async () => await (await server()).stop() });
