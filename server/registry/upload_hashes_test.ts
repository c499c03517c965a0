import { create } from "../../plugins/storage/memory/memory.ts";
import type { ObjectFacts, Storage } from "../../plugins/contract/storage.ts";
import { assertEquals, assertRejects } from "../../tests/support/assert.ts";
import type { DigestAlgorithm } from "../oci/digest.ts";
import { parseRepositoryName } from "../oci/name.ts";
import { digestBytes } from "./hash.ts";
import { createRegistry } from "./registry.ts";

const NAME = parseRepositoryName("library/app");

/** A store that keeps notes, and counts what is read back. */
async function noting(): Promise<{ readonly storage: Storage; readonly opened: () => number }> {
  const memory = await create({});
  const notes = new Map<string, string>();
  let opened = 0;
  const noted = (key: string, facts: ObjectFacts | undefined) =>
    facts && { ...facts, ...(notes.has(key) && { note: notes.get(key)! }) };
  const storage: Storage = {
    stat: async (key) => noted(key, await memory.stat(key)),
    get: (key) => memory.get(key),
    open: (key, span) => (opened++, memory.open(key, span)),
    put: (key, bytes, condition) => memory.put(key, bytes, condition),
    move: (from, to, condition) => memory.move(from, to, condition),
    delete: (key, condition) => memory.delete(key, condition),
    list: (prefix, page) => memory.list(prefix, page),
    features: () => Promise.resolve({ shared: true, conditions: true, moveMs: 0, notes: true }),
    async append(key, offset, body, { noteBytes = 0 } = {}) {
      const bytes = new Uint8Array(await new Response(body).arrayBuffer());
      const end = bytes.length - noteBytes;
      notes.delete(key);
      if (noteBytes > 0) notes.set(key, new TextDecoder().decode(bytes.subarray(end)).trimEnd());
      return await memory.append(key, offset, new Blob([bytes.subarray(0, end)]).stream());
    },
  };
  return { storage, opened: () => opened };
}

/** Pushes chunks, each by another replica, and ends the upload at one more. Answers how often what had arrived was read back. */
async function pushByTurns(
  chunks: readonly string[],
  algorithm: DigestAlgorithm = "sha256",
): Promise<number> {
  const { storage, opened } = await noting();
  const replica = async () => (await createRegistry(storage, { openUploadsMax: 10 })).uploads;
  const id = await (await replica()).create(NAME);
  for (const chunk of chunks) {
    await (await replica()).append(NAME, id, { body: new Blob([chunk]).stream() });
  }
  const wrong = digestBytes(algorithm, new TextEncoder().encode("other"));
  const digest = digestBytes(algorithm, new TextEncoder().encode(chunks.join("")));
  if (chunks.length > 5) {
    await assertRejects(async () => (await replica()).finish(NAME, id, { digest: wrong }));
  } else assertEquals((await (await replica()).finish(NAME, id, { digest })).accepted, true);
  return opened();
}

Deno.test("The digest of an upload of one chunk is known at every replica", async () => {
  assertEquals(await pushByTurns(["hello, world"]), 0);
  assertEquals(await pushByTurns([""]), 0);
});

Deno.test("An upload of many chunks that goes from replica to replica is read back once", async () => {
  assertEquals(await pushByTurns(["hello", ", ", "world", "!"]), 1);
  assertEquals(await pushByTurns([..."another digest"]), 1);
});

Deno.test("Chunks that do not say where they begin go on where the upload ends, whichever replica takes them", async () => {
  const { storage } = await noting();
  const [one, other] = [
    await createRegistry(storage, { openUploadsMax: 10 }),
    await createRegistry(storage, { openUploadsMax: 10 }),
  ];
  const id = await one.uploads.create(NAME);
  for (const [{ uploads }, chunk] of [[other, "ab"], [one, "cd"], [other, "ef"]] as const) {
    assertEquals((await uploads.append(NAME, id, { body: new Blob([chunk]).stream() })).accepted, true);
  }
  const digest = digestBytes("sha256", new TextEncoder().encode("abcdefgh"));
  const chunk = { body: new Blob(["gh"]).stream() };
  const { accepted, size } = await one.uploads.finish(NAME, id, { digest, chunk });
  assertEquals([accepted, size], [true, 8]);
});

Deno.test("An upload is read back for a digest that nobody has foreseen", async () => {
  assertEquals(await pushByTurns(["hello"], "sha512"), 1);
});
