/** Replicas that remember an upload as it was, over a real S3 server: what they remember becomes no blob, and nobody's bytes are lost. */

import { PluginError } from "../../plugins/contract/error.ts";
import type { Bytes, Storage } from "../../plugins/contract/storage.ts";
import { Bucket } from "../../plugins/storage/s3/bucket.ts";
import { Copies } from "../../plugins/storage/s3/copies.ts";
import { GrowingObjects } from "../../plugins/storage/s3/growing.ts";
import { readSettings } from "../../plugins/storage/s3/settings.ts";
import { createTransport, type S3Request, type Transport } from "../../plugins/storage/s3/transport.ts";
import { digestAlgorithm } from "../../server/oci/digest.ts";
import { parseRepositoryName } from "../../server/oci/name.ts";
import { digestBytes } from "../../server/registry/hash.ts";
import { createRegistry, type Registry } from "../../server/registry/registry.ts";
import { withoutConditions } from "../faults/careless_store.ts";
import { assertEquals } from "../support/assert.ts";
import { hasProgram } from "../support/programs.ts";
import { type RunningS3, S3_PROGRAM, startS3 } from "../support/s3_server.ts";
import { openS3, readS3Options } from "../support/s3_store.ts";

const MIB = 1024 * 1024;
const NAME = parseRepositoryName("library/app");
/** Two texts of one length. */
const ONE = new TextEncoder().encode("the first bytes");
const TWO = new TextEncoder().encode("the other bytes");

function test(name: string, fn: (server: RunningS3) => Promise<void>): void {
  Deno.test({
    name: `${name} (versitygw)`,
    ignore: !hasProgram(S3_PROGRAM),
    async fn() {
      await using server = await startS3();
      await fn(server);
    },
  });
}

function bodyOf(bytes: Uint8Array<ArrayBuffer>): Bytes {
  return new Blob([bytes]).stream();
}

/** The text, and so many MiB more: short uploads are kept by their digest. */
function withMore(text: Uint8Array<ArrayBuffer>, mib: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length + mib * MIB);
  bytes.set(text);
  return bytes;
}

function filled(length: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}

interface Replica {
  readonly storage: Storage;
  readonly registry: Registry;
}

async function replicas(server: RunningS3, count: number): Promise<Replica[]> {
  return await Promise.all(Array.from({ length: count }, async () => {
    const storage = await openS3(server);
    return { storage, registry: await createRegistry(storage, { openUploadsMax: 100 }) };
  }));
}

/** Every blob that there is has the digest that it is called by. */
async function assertTrueBlobs({ registry }: Replica, texts = [ONE, TWO]): Promise<void> {
  for (const bytes of texts) {
    for (const algorithm of ["sha256", "sha512"] as const) {
      const digest = digestBytes(algorithm, bytes);
      if (!await registry.blobs.has(NAME, digest)) continue;
      const opened = await registry.blobs.open(digest);
      const found = new Uint8Array(await new Response(opened!.body).arrayBuffer());
      assertEquals(digestBytes(digestAlgorithm(digest), found), digest);
    }
  }
}

for (const mib of [0, 6]) {
  test(`An upload that was cancelled, and made anew, is no blob of another's digest (${mib} MiB)`, async (server) => {
    const [a, b, c] = await replicas(server, 3) as [Replica, Replica, Replica];
    const begun = await b.registry.uploads.create(NAME);
    const one = withMore(ONE, mib);
    const two = withMore(TWO, mib);
    const { session } = await a.registry.uploads.append(NAME, begun, { body: bodyOf(one) });
    assertEquals(await c.registry.uploads.discard(NAME, begun.id), mib > 0);
    const late = await b.registry.uploads.append(NAME, begun, { body: bodyOf(two), offset: 0 });
    assertEquals(late.accepted, true);
    for (const bytes of [one, two]) {
      const end = { digest: digestBytes("sha256", bytes) };
      await Promise.allSettled([a, b].map(({ registry }) => registry.uploads.finish(NAME, session, end)));
    }
    await assertTrueBlobs(a, [one, two]);
  });
}

test("What is moved is what was verified, or nothing", async (server) => {
  const [a, b] = await replicas(server, 2) as [Replica, Replica];
  const key = "uploads/library/app!/one";
  // Somebody puts other bytes of the same length at the same key.
  const first = await a.storage.append(key, 0, bodyOf(ONE));
  await b.storage.delete(key);
  const second = await b.storage.append(key, 0, bodyOf(TWO));
  const condition = { ifSize: ONE.length, ifMatch: first.etag! };
  assertEquals((await failureOf(() => a.storage.move(key, "blobs/x", condition))).code, "conflict");
  assertEquals(await a.storage.stat("blobs/x"), undefined);
  assertEquals(await a.storage.move(key, "blobs/x", { ifSize: TWO.length, ifMatch: second.etag! }), true);
  assertEquals((await b.storage.get("blobs/x"))?.bytes, TWO);
});

test("What has grown elsewhere is not moved as the part of it that a replica remembers", async (server) => {
  const [a, b] = await replicas(server, 2) as [Replica, Replica];
  const key = "uploads/library/app!/two";
  await a.storage.append(key, 0, bodyOf(ONE));
  await b.storage.append(key, ONE.length, bodyOf(TWO));
  const moved = await failureOf(() => a.storage.move(key, "blobs/y", { ifSize: ONE.length }));
  assertEquals([moved.code, (await b.storage.stat(key))?.size], ["conflict", ONE.length + TWO.length]);
});

test("A replica that remembers an upload as it was writes over no part of another's", async (server) => {
  const [a, b] = await replicas(server, 2) as [Replica, Replica];
  const key = "uploads/library/app!/three";
  await a.storage.append(key, 0, bodyOf(filled(9 * MIB, 1)));
  await b.storage.append(key, 9 * MIB, bodyOf(filled(9 * MIB, 2)));
  const late = await failureOf(() => a.storage.append(key, 9 * MIB, bodyOf(filled(10 * MIB, 3))));
  assertEquals(late.code, "conflict");
  assertEquals(await b.storage.move(key, "blobs/z", { ifSize: 18 * MIB }), true);
  const opened = (await a.storage.open("blobs/z"))!;
  const found = new Uint8Array(await new Response(opened.body).arrayBuffer());
  assertEquals([found.length, found[0], found[9 * MIB - 1], found[9 * MIB]], [18 * MIB, 1, 1, 2]);
});

for (const lost of ["one answer, and somebody goes on elsewhere", "all answers"]) {
  test(`Parts whose state was written stay, though that lost ${lost}`, async (server) => {
    const other = await openS3(server);
    const key = "uploads/library/app!/four";
    await other.put(key, new Uint8Array(0));
    const settings = readSettings(await readS3Options(server));
    const real = createTransport(settings);
    const transport = {
      clockOffsetMs: 0,
      async request(request: S3Request) {
        const answer = await real.request(request);
        if (request.method !== "PUT" || request.headers?.["if-match"] === undefined) return answer;
        if (lost === "all answers") throw new PluginError("unavailable", "lost");
        await other.append(key, 9 * MIB, bodyOf(filled(9 * MIB, 2)));
        assertEquals(await request.isWorthwhile?.(), false);
        throw new PluginError("conflict", "lost");
      },
    } as unknown as Transport;
    const bucket = new Bucket(transport, { name: server.bucket });
    const { partSize } = settings;
    const growing = new GrowingObjects(bucket, new Copies(bucket, settings.copies), {
      asidePrefix: ":aside/",
      partSize,
      conditions: true,
    });
    const before = (await growing.read(key))!;
    await failureOf(() => growing.append(key, before, { body: bodyOf(filled(9 * MIB, 1)), noteBytes: 0 }));
    const { size } = (await other.stat(key))!;
    assertEquals(size, lost === "all answers" ? 9 * MIB : 18 * MIB);
    assertEquals(await other.move(key, "blobs/w", { ifSize: size }), true);
  });
}

test("Over a store without conditions a replica appends to what is there, not to what it remembers", async (server) => {
  const ground = { s3: server, redis: undefined as never, [Symbol.asyncDispose]: () => Promise.resolve() };
  await using careless = withoutConditions(ground, "ignores");
  const [a, b] = await replicas(careless.s3, 2) as [Replica, Replica];
  const begun = await b.registry.uploads.create(NAME);
  const one = withMore(ONE, 6);
  const { session } = await a.registry.uploads.append(NAME, begun, { body: bodyOf(one) });
  const late = await b.registry.uploads.append(NAME, begun, { body: bodyOf(withMore(TWO, 6)), offset: 0 });
  assertEquals([late.accepted, late.size], [false, one.length]);
  await a.registry.uploads.finish(NAME, session, { digest: digestBytes("sha512", one) });
  await assertTrueBlobs(b, [one]);
});

/** How the plugin's call fails. */
async function failureOf(call: () => Promise<unknown>): Promise<PluginError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof PluginError) return error;
    throw error;
  }
  throw new Error("The call did not fail");
}
