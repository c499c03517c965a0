/** What uploads believe of what clients and a cache say of them. */

import { assertEquals, assertRejects } from "../../tests/support/assert.ts";
import { openReplica, openShared, openTextCache } from "../../tests/support/shared_memory.ts";
import type { Digest } from "../oci/digest.ts";
import type { OciError } from "../oci/error.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { formatUploadSession, type HeldBytes, type UploadId, type UploadSession } from "../oci/upload.ts";
import { digestBytes } from "./hash.ts";
import { blobKey } from "./keys.ts";
import type { Registry } from "./registry.ts";

const NAME = parseRepositoryName("library/app");
const OTHER = parseRepositoryName("library/other");
const [ANN, BOB, ANYBODY] = ["ann", "bob", ""] as const;
const SECRET = "what only others have";

function digestOf(text: string): Digest {
  return digestBytes("sha256", new TextEncoder().encode(text));
}

async function assertUnknown(act: () => Promise<unknown>): Promise<void> {
  await assertRejects(act, (error: OciError) => error.code === "BLOB_UPLOAD_UNKNOWN");
}

function mayGoOn({ uploads }: Registry, session: UploadSession, owner: string, name = NAME): boolean {
  try {
    uploads.requireOwner(name, session, owner);
    return true;
  } catch (error) {
    assertEquals((error as OciError).code, "BLOB_UPLOAD_UNKNOWN");
    return false;
  }
}

/** A session of `owner` that holds the text. */
async function held({ uploads }: Registry, owner: string, text: string) {
  const begun = await uploads.create(NAME, { owner });
  const { session } = await uploads.append(NAME, begun, { body: new Blob([text]).stream() });
  return { id: begun.id, held: session.held! };
}

/** A registry in which another repository has a blob. */
async function scene() {
  const storage = await openShared();
  const { cache, texts } = openTextCache();
  const registry = await openReplica(storage, { cache });
  const chunk = { body: new Blob([SECRET]).stream() };
  const { uploads } = registry;
  await uploads.finish(OTHER, await uploads.create(OTHER), { digest: digestOf(SECRET), chunk });
  return { registry, texts, storage };
}

Deno.test("requireOwner() lets go on with an upload who began it, where they began it", async () => {
  const { registry, storage } = await scene();
  const replica = await openReplica(storage);
  for (const owner of [ANN, ANYBODY]) {
    const { id, held: bytes } = await held(registry, owner, "hello");
    for (const session of [{ id }, { id, isStored: true } as const, { id, held: bytes }]) {
      for (const asked of [ANN, BOB, ANYBODY, `${owner}\n`]) {
        assertEquals(mayGoOn(replica, session, asked), asked === owner);
        assertEquals(mayGoOn(replica, session, asked, OTHER), false);
      }
    }
  }
});

Deno.test("requireOwner() refuses what nobody was told of an upload", async () => {
  const { registry } = await scene();
  const { id, held: bytes } = await held(registry, ANN, "hello");
  const another = await held(registry, ANN, SECRET.slice(1));
  const digest = digestOf(SECRET);
  const forged: HeldBytes & { readonly seal: string } = { ...bytes, digest, size: SECRET.length };
  for (
    const session of [
      { id, held: forged },
      { id, held: { ...bytes, digest } },
      { id, held: { ...bytes, size: 6 } },
      { id, held: { ...bytes, seal: "0".repeat(32) } },
      { id, held: { ...bytes, seal: id.slice(37) } },
      { id, held: another.held },
      { id: another.id, held: bytes },
    ]
  ) {
    assertEquals(mayGoOn(registry, session, ANN), false);
  }
  // Younger than it is, or without who began it.
  const younger = id.replace(/^./, (digit) => digit === "0" ? "1" : "0");
  for (const bad of [younger, id.slice(0, 36), crypto.randomUUID()]) {
    for (const owner of [ANN, ANYBODY]) {
      assertEquals(mayGoOn(registry, { id: bad as UploadId, held: bytes }, owner), false);
      assertEquals(mayGoOn(registry, { id: bad as UploadId }, owner), false);
    }
  }
});

Deno.test("A seal of one store is worth nothing at another", async () => {
  const [one, two] = [await scene(), await scene()];
  const { id, held: bytes } = await held(one.registry, ANN, SECRET);
  assertEquals(mayGoOn(two.registry, { id }, ANN), false);
  const own = await two.registry.uploads.create(NAME, { owner: ANN });
  assertEquals(mayGoOn(two.registry, { id: own.id, held: bytes }, ANN), false);
});

Deno.test("Whoever writes to the cache gives nobody a blob whose bytes they never sent", async () => {
  const { registry, texts, storage } = await scene();
  const digest = digestOf(SECRET);
  const begun = await registry.uploads.create(NAME, { owner: ANN });
  const { id, held: bytes } = await held(registry, ANN, "hello");
  const key = `upload:${begun.id}`;
  const other = await openReplica(storage, { cache: openTextCache().cache });
  const elsewhere = await other.uploads.append(OTHER, await other.uploads.create(OTHER), {
    body: new Blob([SECRET]).stream(),
  });
  const lies = [
    digest,
    "cancelled",
    "",
    "goes on: ",
    `goes on: ${begun.id}.s`,
    `goes on: ${formatUploadSession({ id, held: bytes })}`,
    `goes on: ${formatUploadSession({ id: begun.id, held: bytes })}`,
    `goes on: ${formatUploadSession({ id: begun.id, held: { ...bytes, digest, size: SECRET.length } })}`,
    `goes on: ${formatUploadSession({ id: begun.id, held: elsewhere.session.held! })}`,
    `goes on: ${formatUploadSession(elsewhere.session)}`,
  ];
  for (const lie of lies) {
    texts.set(key, lie);
    texts.set(`size:${digest}`, String(SECRET.length));
    // A replica that remembers nothing itself.
    const replica = await openReplica(storage, { cache: openTextCache(texts).cache });
    await assertRejects(() => replica.uploads.finish(NAME, begun, { digest }), Error, lie);
    texts.set(key, lie);
    const added = { body: new Blob(["x"]).stream() };
    await replica.uploads.append(NAME, begun, added).catch(() => {});
    await assertRejects(() => replica.uploads.finish(NAME, begun, { digest }), Error, lie);
    assertEquals(await replica.blobs.has(NAME, digest), false, lie);
  }
});

Deno.test("What the cache says of an upload is used where it is true", async () => {
  const { texts, storage } = await scene();
  const a = await openReplica(storage, { cache: openTextCache(texts).cache });
  const begun = await a.uploads.create(NAME, { owner: ANN });
  const { session } = await a.uploads.append(NAME, begun, { body: new Blob(["hello"]).stream() });
  assertEquals(texts.get(`upload:${begun.id}`), `goes on: ${formatUploadSession(session)}`);
  const b = await openReplica(storage, { cache: openTextCache(texts).cache });
  await assertUnknown(() => b.uploads.size(NAME, { ...begun, isStored: true }));
  assertEquals(await b.uploads.size(NAME, begun), 5);
  assertEquals((await b.uploads.finish(NAME, begun, { digest: digestOf("hello") })).accepted, true);
  assertEquals(texts.get(`upload:${begun.id}`), digestOf("hello"));
});

Deno.test("finish() does not believe of what was held long ago what is told of what was held since", async () => {
  const storage = await openShared();
  const { cache, texts } = openTextCache();
  const open = () => openReplica(storage, { cache });
  const [a, b, c] = [await open(), await open(), await open()];
  const { id, held: bytes } = await held(a, ANYBODY, "hello");
  // A collector comes, and the cache forgets.
  await storage.delete(blobKey(bytes.digest));
  texts.clear();
  await b.uploads.append(NAME, { id }, { body: new Blob(["other"]).stream() });
  await assertUnknown(() => c.uploads.finish(NAME, { id, held: bytes }, { digest: bytes.digest }));
});
