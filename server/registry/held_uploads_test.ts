import type { Bytes, Storage } from "../../plugins/contract/storage.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/support/assert.ts";
import { keysOf, openReplica, openShared, openTextCache } from "../../tests/support/shared_memory.ts";
import type { Digest, DigestAlgorithm } from "../oci/digest.ts";
import type { OciError, OciErrorCode } from "../oci/error.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { formatUploadSession, parseUploadSession, type UploadSession } from "../oci/upload.ts";
import { digestBytes } from "./hash.ts";
import { blobKey, dueKey, linkKey } from "./keys.ts";
import type { Registry } from "./registry.ts";

const NAME = parseRepositoryName("library/app");
const MIB = 1024 * 1024;

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function bodyOf(content: string | Uint8Array<ArrayBuffer>): Bytes {
  return new Blob([content]).stream();
}

function digestOf(text: string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return digestBytes(algorithm, bytesOf(text));
}

async function refuses(act: () => Promise<unknown>, code: OciErrorCode): Promise<void> {
  await assertRejects(act, (error: OciError) => {
    assertEquals(error.code, code, error.message);
    return true;
  });
}

/** The text, then a failure. */
function breakingOff(text: string): Bytes {
  let isSent = text === "";
  return new ReadableStream({
    pull(controller) {
      if (isSent) throw new Error("it broke off");
      isSent = true;
      controller.enqueue(bytesOf(text));
    },
  });
}

/** A body that ends when it is told to. */
function slow(text: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const body: Bytes = new ReadableStream({
    start: (controller) => controller.enqueue(bytesOf(text)),
    pull: (controller) => promise.then(() => controller.close()),
  });
  return { body, end: resolve };
}

/** Sends a first chunk. Answers how the upload goes on, as a client would read it from the URL. */
async function begin({ uploads }: Registry, text: string): Promise<UploadSession> {
  const { session } = await uploads.append(NAME, await uploads.create(NAME), { body: bodyOf(text) });
  return parseUploadSession(formatUploadSession(session));
}

async function read({ blobs }: Registry, digest: Digest): Promise<string | undefined> {
  if (!await blobs.stat(NAME, digest)) return undefined;
  return await new Response((await blobs.open(digest))!.body).text();
}

async function openTwo(): Promise<{ readonly storage: Storage; readonly a: Registry; readonly b: Registry }> {
  const storage = await openShared();
  return { storage, a: await openReplica(storage), b: await openReplica(storage) };
}

Deno.test("An upload of one short chunk stores what collectors look at, its bytes, and at its end the link", async () => {
  const { storage, a } = await openTwo();
  const digest = digestOf("hello");
  const begun = await a.uploads.create(NAME);
  assertEquals([await a.uploads.size(NAME, begun), await keysOf(storage)], [0, []]);
  const { accepted, size, session } = await a.uploads.append(NAME, begun, { body: bodyOf("hello") });
  assertEquals([accepted, size, session.held?.size, session.held?.digest], [true, 5, 5, digest]);
  assertEquals(await keysOf(storage), [blobKey(digest), dueKey(NAME, digest)]);
  assertEquals([await a.blobs.has(NAME, digest), await a.uploads.size(NAME, session)], [false, 5]);
  assertEquals((await a.uploads.finish(NAME, session, { digest })).accepted, true);
  assertEquals(await keysOf(storage), [blobKey(digest), dueKey(NAME, digest), linkKey(NAME, digest)]);
  assertEquals(await read(a, digest), "hello");
});

Deno.test("finish() ends at any replica what another has taken, by the upload's URL alone", async () => {
  for (const algorithm of ["sha256", "sha512"] as const) {
    const { a, b } = await openTwo();
    const digest = digestOf("hello", algorithm);
    const session = await begin(a, "hello");
    assertEquals(await b.uploads.size(NAME, session), 5);
    assertEquals((await b.uploads.finish(NAME, session, { digest })).accepted, true);
    assertEquals(await read(a, digest), "hello");
    // Its 201 was lost.
    for (const { uploads } of [b, a]) {
      assertEquals((await uploads.finish(NAME, session, { digest })).accepted, true);
    }
    await refuses(() => b.uploads.size(NAME, session), "BLOB_UPLOAD_UNKNOWN");
    await refuses(() => b.uploads.append(NAME, session, { body: bodyOf("x") }), "BLOB_UPLOAD_UNKNOWN");
    const other = { digest: digestOf("other", algorithm) };
    await refuses(() => b.uploads.finish(NAME, session, other), "BLOB_UPLOAD_UNKNOWN");
  }
});

Deno.test("finish() ends an upload whose client does not follow its URL, where replicas have a cache", async () => {
  for (const isCached of [true, false]) {
    const storage = await openShared();
    const options = isCached ? { cache: openTextCache().cache } : {};
    const [a, b] = [await openReplica(storage, options), await openReplica(storage, options)];
    const [begun, digest] = [await a.uploads.create(NAME), digestOf("hello")];
    await a.uploads.append(NAME, begun, { body: bodyOf("hello") });
    assertEquals(await b.uploads.size(NAME, begun), isCached ? 5 : 0);
    const end = (replica: Registry) => replica.uploads.finish(NAME, begun, { digest });
    if (!isCached) await refuses(() => end(b), "DIGEST_INVALID");
    assertEquals((await end(isCached ? b : a)).accepted, true);
    assertEquals(await read(b, digest), "hello");
    if (isCached) await refuses(() => a.uploads.size(NAME, begun), "BLOB_UPLOAD_UNKNOWN");
  }
});

Deno.test("finish() takes all with the last chunk, and nothing at all as the empty blob", async () => {
  const { storage, a } = await openTwo();
  for (const [text, algorithm] of [["", "sha256"], ["hello", "sha256"], ["hello", "sha512"]] as const) {
    const digest = digestOf(text, algorithm);
    const chunks = text === "" ? [undefined, { body: bodyOf("") }] : [{ body: bodyOf(text) }];
    for (const chunk of chunks) {
      const begun = await a.uploads.create(NAME, { algorithm });
      assertEquals((await a.uploads.append(NAME, begun, { body: bodyOf("") })).session, begun);
      assertEquals((await a.uploads.finish(NAME, begun, { digest, chunk })).accepted, true);
      assertEquals(await read(a, digest), text);
    }
  }
  assertEquals(await storage.list("uploads/", { limit: 10 }), []);
});

Deno.test("append() has the upload keep a second chunk, and what was held before it", async () => {
  for (const isFollowed of [true, false]) {
    for (const offset of [undefined, 5]) {
      const { storage, a, b } = await openTwo();
      const session = await begin(a, "hello");
      const [replica, named] = isFollowed ? [b, session] : [a, { id: session.id }];
      const next = await replica.uploads.append(NAME, named, { body: bodyOf(", world"), offset });
      assertEquals([next.accepted, next.size, next.session], [true, 12, { id: session.id, isStored: true }]);
      assertEquals((await storage.list("uploads/", { limit: 10 })).length, 1);
      const digest = digestOf("hello, world!");
      const last = { digest, chunk: { body: bodyOf("!"), offset: 12 } };
      assertEquals((await a.uploads.finish(NAME, next.session, last)).accepted, true);
      assertEquals(await read(b, digest), "hello, world!");
      assertEquals([await read(b, digestOf("hello")), await storage.list("uploads/", { limit: 10 })], [
        undefined,
        [],
      ]);
    }
  }
});

Deno.test("finish() adds its chunk to what is held", async () => {
  for (const [offset, algorithm] of [[undefined, "sha256"], [5, "sha512"]] as const) {
    const { a, b } = await openTwo();
    const digest = digestOf("hello, world", algorithm);
    const session = await begin(a, "hello");
    const end = { digest, chunk: { body: bodyOf(", world"), offset } };
    assertEquals((await b.uploads.finish(NAME, session, end)).accepted, true);
    assertEquals(await read(a, digest), "hello, world");
  }
});

Deno.test("append() and finish() refuse a chunk that does not begin where what is held ends", async () => {
  const { storage, a, b } = await openTwo();
  const session = await begin(a, "hello");
  for (const offset of [0, 4, 6]) {
    for (const { uploads } of [a, b]) {
      const chunk = () => ({ body: bodyOf("hello"), offset });
      const { accepted, size } = await uploads.append(NAME, session, chunk());
      assertEquals([accepted, size], [false, 5]);
      const refused = await uploads.finish(NAME, session, { digest: digestOf("hello"), chunk: chunk() });
      assertEquals([refused.accepted, refused.size], [false, 5]);
    }
  }
  const begun = await a.uploads.create(NAME);
  await refuses(
    () => a.uploads.append(NAME, begun, { body: bodyOf("hello"), offset: 5 }),
    "BLOB_UPLOAD_UNKNOWN",
  );
  assertEquals((await a.uploads.finish(NAME, session, { digest: digestOf("hello") })).accepted, true);
  assertEquals(await storage.list("due_bytes/", { limit: 10 }), []);
});

Deno.test("finish() refuses another digest, and the upload is gone", async () => {
  for (const algorithm of ["sha256", "sha512"] as const) {
    const { storage, a } = await openTwo();
    const digest = digestOf("other", algorithm);
    const session = await begin(a, "hello");
    await refuses(() => a.uploads.finish(NAME, session, { digest }), "DIGEST_INVALID");
    const right = { digest: digestOf("hello") };
    await refuses(() => a.uploads.finish(NAME, session, right), "BLOB_UPLOAD_UNKNOWN");
    const whole = await a.uploads.create(NAME);
    const end = () => ({ digest, chunk: { body: bodyOf("hello") } });
    await refuses(() => a.uploads.finish(NAME, whole, end()), "DIGEST_INVALID");
    await refuses(() => a.uploads.finish(NAME, whole, end()), "BLOB_UPLOAD_UNKNOWN");
    assertEquals(await storage.list("links/", { limit: 10 }), []);
    assertEquals(await storage.list(blobKey(digest), { limit: 10 }), []);
  }
});

Deno.test("cancel() ends an upload, whatever it has come to", async () => {
  const { cache } = openTextCache();
  const storage = await openShared();
  const [a, b] = [await openReplica(storage, { cache }), await openReplica(storage, { cache })];
  const held = await begin(a, "hello");
  const { session: stored } = await a.uploads.append(NAME, await begin(a, "hello"), { body: bodyOf("!") });
  for (const session of [await a.uploads.create(NAME), held, stored]) {
    await b.uploads.cancel(NAME, session);
    for (const { uploads } of [a, b]) {
      const end = { digest: digestOf("hello"), chunk: { body: bodyOf("hello") } };
      await refuses(() => uploads.finish(NAME, session, end), "BLOB_UPLOAD_UNKNOWN");
      await refuses(() => uploads.append(NAME, session, { body: bodyOf("x") }), "BLOB_UPLOAD_UNKNOWN");
      await refuses(() => uploads.size(NAME, session), "BLOB_UPLOAD_UNKNOWN");
      await refuses(() => uploads.cancel(NAME, session), "BLOB_UPLOAD_UNKNOWN");
    }
  }
  assertEquals(await storage.list("uploads/", { limit: 10 }), []);
  assertEquals(await storage.list("links/", { limit: 10 }), []);
});

Deno.test("append() has the upload keep what came of a body that broke off, for any replica", async () => {
  const { storage, a, b } = await openTwo();
  for (const isLast of [false, true]) {
    const begun = await a.uploads.create(NAME);
    const chunk = { body: breakingOff("hel") };
    const digest = digestOf("hello");
    const send = () =>
      isLast ? a.uploads.finish(NAME, begun, { digest, chunk }) : a.uploads.append(NAME, begun, chunk);
    await assertRejects(send, /broke off/);
    assertEquals([await a.uploads.size(NAME, begun), await b.uploads.size(NAME, begun)], [3, 3]);
    const again = await a.uploads.append(NAME, begun, { body: bodyOf("hello"), offset: 0 });
    assertEquals([again.accepted, again.size, again.session.isStored], [false, 3, true]);
    const rest = { digest, chunk: { body: bodyOf("lo"), offset: 3 } };
    assertEquals((await b.uploads.finish(NAME, begun, rest)).accepted, true);
    assertEquals(await read(a, digest), "hello");
  }
  const begun = await a.uploads.create(NAME);
  await assertRejects(() => a.uploads.append(NAME, begun, { body: breakingOff("") }), /broke off/);
  assertEquals(await storage.list("uploads/", { limit: 10 }), []);
});

Deno.test("finish() takes what a second try has sent whole, though the first one kept a part", async () => {
  const { cache } = openTextCache();
  const storage = await openShared();
  const [a, b] = [await openReplica(storage, { cache }), await openReplica(storage, { cache })];
  const begun = await a.uploads.create(NAME);
  const { promise, reject } = Promise.withResolvers<never>();
  const stalling: Bytes = new ReadableStream({
    start: (controller) => controller.enqueue(bytesOf("hel")),
    pull: () => promise,
  });
  const first = a.uploads.append(NAME, begun, { body: stalling });
  const { session } = await b.uploads.append(NAME, begun, { body: bodyOf("hello"), offset: 0 });
  assert(session.held);
  reject(new Error("it stalled"));
  await assertRejects(() => first, /stalled/);
  const digest = digestOf("hello");
  assertEquals((await b.uploads.finish(NAME, session, { digest })).accepted, true);
  assertEquals([await read(b, digest), await storage.list("uploads/", { limit: 10 })], ["hello", []]);
});

Deno.test("append() has the upload keep what is long from the first byte on", async () => {
  const { a, b } = await openTwo();
  const bytes = new Uint8Array(5 * MIB + 1).fill(7);
  const digest = digestBytes("sha256", bytes);
  for (const length of [undefined, bytes.byteLength]) {
    const begun = await a.uploads.create(NAME);
    const { size, session } = await a.uploads.append(NAME, begun, { body: bodyOf(bytes), length });
    assertEquals([size, session.isStored], [bytes.byteLength, true]);
    assertEquals((await b.uploads.finish(NAME, session, { digest })).accepted, true);
    const whole = { digest, chunk: { body: bodyOf(bytes), length } };
    assertEquals((await a.uploads.finish(NAME, await a.uploads.create(NAME), whole)).accepted, true);
    assertEquals(await b.blobs.stat(NAME, digest).then((facts) => facts?.size), bytes.byteLength);
  }
  const most = bytes.subarray(1);
  const held = await a.uploads.append(NAME, await a.uploads.create(NAME), { body: bodyOf(most) });
  assertEquals(held.session.held?.size, 5 * MIB);
});

Deno.test("append() keeps no more in memory than there is for all, and gives back all that it took", async () => {
  const { storage, a } = await openTwo();
  const many = Array.from({ length: 14 }, (_, index) => ({ ...slow(`upload ${index}`), index }));
  const answers = many.map(async ({ body }) =>
    await a.uploads.append(NAME, await a.uploads.create(NAME), { body })
  );
  // Those for which there is no memory have begun to be stored by now, or would never.
  while ((await storage.list("uploads/", { limit: 100 })).length < 2) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  for (const { end } of many) end();
  const sessions = (await Promise.all(answers)).map(({ session }) => session);
  assertEquals(sessions.filter(({ isStored }) => isStored).length, 2);
  for (const [index, session] of sessions.entries()) {
    const digest = digestOf(`upload ${index}`);
    assertEquals((await a.uploads.finish(NAME, session, { digest })).accepted, true);
  }
  // However bodies end, each gives back what it took.
  const begin = () => a.uploads.create(NAME);
  for (let turn = 0; turn < 30; turn++) {
    await a.uploads.append(NAME, await begin(), { body: breakingOff("x") }).catch(() => {});
    await a.uploads.append(NAME, await begin(), { body: breakingOff("") }).catch(() => {});
    const wrong = { digest: digestOf("other"), chunk: { body: bodyOf("x") } };
    await a.uploads.finish(NAME, await begin(), wrong).catch(() => {});
    const long = { body: bodyOf(new Uint8Array(3)), length: 2 };
    await a.uploads.append(NAME, await begin(), long);
  }
  const last = await Promise.all(
    Array.from(
      { length: 12 },
      async (_, index) => (await a.uploads.append(NAME, await begin(), { body: bodyOf(`${index}`) })).session,
    ),
  );
  assertEquals(last.filter(({ held }) => held).length, 12);
});

Deno.test("An upload's URL says when it began, and for how long it may go on that keeps nothing", async () => {
  const { a } = await openTwo();
  const [begun, session] = [await a.uploads.create(NAME), await begin(a, "hello")];
  const first = await begin(a, "hello");
  const { session: stored } = await a.uploads.append(NAME, first, { body: bodyOf("!") });
  assertMatch(begun.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-[0-9a-f]{32}$/);
  const { now } = Date;
  try {
    Date.now = () => now() + 25 * 3_600_000;
    const digest = digestOf("hello");
    const end = { digest, chunk: { body: bodyOf("hello") } };
    await refuses(() => a.uploads.size(NAME, begun), "BLOB_UPLOAD_UNKNOWN");
    await refuses(() => a.uploads.append(NAME, begun, { body: bodyOf("x") }), "BLOB_UPLOAD_UNKNOWN");
    await refuses(() => a.uploads.finish(NAME, begun, end), "BLOB_UPLOAD_UNKNOWN");
    await refuses(() => a.uploads.finish(NAME, session, { digest }), "BLOB_UPLOAD_UNKNOWN");
    await refuses(() => a.uploads.finish(NAME, first, { digest }), "BLOB_UPLOAD_UNKNOWN");
    await refuses(() => a.uploads.append(NAME, session, { body: bodyOf("x") }), "BLOB_UPLOAD_UNKNOWN");
    assertEquals(await a.uploads.size(NAME, stored), 6);
  } finally {
    Date.now = now;
  }
});

Deno.test("finish() by another algorithm reads again no more at once than there is memory for", async () => {
  const { storage, a } = await openTwo();
  const bytes = new Uint8Array(5 * MIB).fill(7);
  const [held, digest] = [digestBytes("sha256", bytes), digestBytes("sha512", bytes)];
  const begin = async () =>
    await a.uploads.append(NAME, await a.uploads.create(NAME), { body: bodyOf(bytes) });
  const begun = await Promise.all(Array.from({ length: 10 }, begin));
  const sessions = begun.map(({ session }) => session).filter((session) => session.held);
  const all = Promise.withResolvers<void>();
  let reading = 0;
  const get = storage.get.bind(storage);
  storage.get = async (key) => {
    if (key !== blobKey(held)) return await get(key);
    reading++;
    await all.promise;
    return await get(key);
  };
  const ends = sessions.map((session) => a.uploads.finish(NAME, session, { digest }));
  const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
  while (reading < 8) await turn();
  for (let turns = 0; turns < 10; turns++) await turn();
  assertEquals([sessions.length, reading], [10, 8]);
  all.resolve();
  for (const { accepted } of await Promise.all(ends)) assert(accepted);
  assertEquals(reading, 10);
});

Deno.test("append() reads no more ahead than there is memory for, of bodies that turn out to be long", async () => {
  const { storage, a } = await openTwo();
  const go = Promise.withResolvers<void>();
  const append = storage.append.bind(storage);
  let waiting = 0;
  storage.append = async (...args) => {
    waiting++;
    await go.promise;
    return await append(...args);
  };
  let readMib = 0;
  const long = (): Bytes => {
    let left = 6;
    const pull = (controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>) => {
      if (left-- === 0) return controller.close();
      readMib++;
      controller.enqueue(new Uint8Array(MIB));
    };
    return new ReadableStream({ pull }, { highWaterMark: 0 });
  };
  const answers = [];
  for (let turn = 1; turn <= 20; turn++) {
    answers.push(a.uploads.append(NAME, await a.uploads.create(NAME), { body: long() }));
    while (waiting < turn) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assertEquals(readMib, 12 * 6);
  go.resolve();
  for (const { size, session } of await Promise.all(answers)) {
    assertEquals([size, session.isStored], [6 * MIB, true]);
  }
  const next = await a.uploads.append(NAME, await a.uploads.create(NAME), { body: bodyOf("hello") });
  assert(next.session.held);
});
