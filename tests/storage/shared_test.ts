import { create } from "../../plugins/storage/fs/fs.ts";
import { type Bytes, type Storage, STORAGE_VERBS } from "../../plugins/contract/storage.ts";
import { locatedStorage } from "../../server/sandbox/located.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { makeFolder } from "./folders.ts";
import { readCounter } from "./shared_folder.ts";

const PROCESSES = 3;
const ROUNDS = 100;

Deno.test("several processes on one folder: conditions hold, directories come and go, lists are true", async () => {
  await using folder = await makeFolder();
  const script = new URL("./shared_folder.ts", import.meta.url).pathname;
  const runs = Array.from({ length: PROCESSES }, (_, index) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "-A", "--no-prompt", script, folder.path, `p${index}`, String(ROUNDS)],
    }).output());
  for (const { success, stderr } of await Promise.all(runs)) {
    assertEquals({ success, stderr: new TextDecoder().decode(stderr) }, { success: true, stderr: "" });
  }
  const storage = await create({ root_dir: folder.path });
  assertEquals(await readCounter(storage), PROCESSES * ROUNDS);
  assertEquals(await storage.list("", { limit: 9 }), ["counter"]);
});

Deno.test("a change of one process is seen by another at once, however shortly after its own", async () => {
  await using folder = await makeFolder();
  const ours = await create({ root_dir: folder.path });
  const theirs = await create({ root_dir: folder.path });
  for (let round = 0; round < 50; round++) {
    await ours.put(`a/${round}-ours`, new Uint8Array(1));
    await ours.list("a/", { limit: 1_000 });
    await theirs.put(`a/${round}-theirs`, new Uint8Array(1));
    assertEquals((await ours.list("a/", { limit: 1_000 })).length, 2 * round + 2);
    await theirs.put("value", Uint8Array.of(round));
    assertEquals((await ours.get("value"))?.bytes, Uint8Array.of(round));
  }
});

function bound(storage: Storage): Storage {
  const methods = [...STORAGE_VERBS, "locate"] as const;
  return Object.fromEntries(
    methods.map((name) => [name, storage[name]!.bind(storage)]),
  ) as unknown as Storage;
}

Deno.test("what one process still appends to, no other can move or append to: nothing comes to a blob that was not hashed", async () => {
  await using folder = await makeFolder();
  const root = folder.path;
  const located = { permissions: { read: [root], write: [root] }, onBreach: () => {} };
  for (const isLocated of [false, true]) {
    const open = async () => {
      const storage = await create({ root_dir: root });
      return isLocated ? locatedStorage(bound(storage), located) : storage;
    };
    const [ours, theirs] = [await open(), await open()];
    await ours.append("up", 0, new Blob(["hello"]).stream());
    const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
    const writer = writable.getWriter();
    const appending = theirs.append("up", 5, readable as Bytes);
    await writer.write(new TextEncoder().encode(", world"));
    await assertRejects(() => ours.move("up", "blob", { ifSize: 12 }), Error, "growing");
    await assertRejects(() => ours.append("up", 12, new Blob(["!"]).stream()), Error, "Cannot append");
    await writer.close();
    assertEquals(await appending, { size: 12 });
    assertEquals(await ours.move("up", "blob", { ifSize: 12 }), true);
    assertEquals(await theirs.delete("blob"), true);
  }
});
