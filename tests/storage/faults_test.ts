/** The file system plugin when the disk is full, broken, read-only, or holds what a crash has left. */

import { PluginError, type PluginErrorCode } from "../../plugins/contract/error.ts";
import type { Bytes, Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/fs/fs.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "../support/assert.ts";
import { CAN_MOUNT, CAN_MOUNT_DISKS, makeFolder, mountFailingDisk, mountTmpfs } from "./folders.ts";

const MIB = 1024 * 1024;

async function open(root: string): Promise<Storage> {
  return await create({ root_dir: root });
}

function bytesOf(...chunks: Uint8Array<ArrayBuffer>[]): Bytes {
  return ReadableStream.from(chunks) as Bytes;
}

function filled(value: number, size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(size).fill(value);
}

async function assertFails(promise: Promise<unknown>, code: PluginErrorCode, message: RegExp): Promise<void> {
  await assertRejects(promise, (error: unknown) => {
    assert(error instanceof PluginError, String(error));
    assertEquals(error.code, code);
    assertMatch(error.message, message);
    return true;
  });
}

function leftAside(root: string): string[] {
  return [...Deno.readDirSync(`${root}/%temp`)].map(({ name }) => name);
}

/** Puts objects until it fails. Answers how many there are. */
async function fill(storage: Storage, size: number): Promise<number> {
  for (let count = 0;; count++) {
    try {
      await storage.put(`full/${count}`, filled(count, size));
    } catch {
      return count;
    }
  }
}

Deno.test({
  name:
    "a full disk: put() is unavailable, names path and reason, leaves nothing, and works again when there is room (needs mount)",
  ignore: !CAN_MOUNT,
  fn: async () => {
    await using disk = await mountTmpfs("size=1m");
    const storage = await open(disk.path);
    const count = await fill(storage, 100_000);
    assert(count > 2);
    const reason = new RegExp(`^Cannot put more/a: ${disk.path}: No space left on device`);
    await assertFails(storage.put("more/a", filled(1, 100_000)), "unavailable", reason);
    assertEquals(leftAside(disk.path), []);
    assertEquals(await storage.stat("more/a"), undefined);
    assertEquals((await storage.list("", { limit: 100 })).length, count);
    await assertFails(storage.put("full/0", filled(9, 100_000)), "unavailable", /No space left/);
    assertEquals((await storage.get("full/0"))?.bytes, filled(0, 100_000));
    await storage.delete("full/1");
    await storage.put("more/a", filled(1, 90_000));
    assertEquals((await storage.get("more/a"))?.bytes, filled(1, 90_000));
  },
});

Deno.test({
  name:
    "a full disk: append() is unavailable, keeps what was written, and goes on from there when there is room (needs mount)",
  ignore: !CAN_MOUNT,
  fn: async () => {
    await using disk = await mountTmpfs("size=1m");
    const storage = await open(disk.path);
    await storage.put("other", filled(1, 300_000));
    await storage.append("up", 0, bytesOf(filled(2, 300_000)));
    await assertFails(
      storage.append("up", 300_000, bytesOf(filled(3, 300_000), filled(3, 300_000))),
      "unavailable",
      /No space/,
    );
    const { size } = (await storage.stat("up"))!;
    assert(size >= 600_000 && size < 900_000, `${size}`);
    await storage.delete("other");
    assertEquals((await storage.append("up", size, bytesOf(filled(3, 900_000 - size)))).size, 900_000);
    assertEquals(await storage.move("up", "blob"), true);
    const expected = filled(3, 900_000).fill(2, 0, 300_000);
    assertEquals((await storage.get("blob"))?.bytes, expected);
  },
});

Deno.test({
  name:
    "a disk without room for names: put(), append() and locate() are unavailable and make nothing (needs mount)",
  ignore: !CAN_MOUNT,
  fn: async () => {
    await using disk = await mountTmpfs("size=1m,nr_inodes=20");
    const storage = await open(disk.path);
    await fill(storage, 0);
    const before = await storage.list("", { limit: 100 });
    await assertFails(storage.put("empty", filled(0, 0)), "unavailable", /No space left/);
    await assertFails(storage.put("new/full", filled(0, 1)), "unavailable", /No space left/);
    await assertFails(storage.append("up", 0, bytesOf()), "unavailable", /No space left/);
    await assertFails(storage.locate!("up", "append"), "unavailable", /No space left/);
    assertEquals(await storage.list("", { limit: 100 }), before);
  },
});

Deno.test({
  name:
    "a read-only file system: changes fail and name path and reason, reading goes on, nothing is lost (needs mount)",
  ignore: !CAN_MOUNT,
  fn: async () => {
    await using disk = await mountTmpfs("size=1m");
    const storage = await open(disk.path);
    await storage.put("a/b", filled(1, 3));
    await storage.append("up", 0, bytesOf(filled(2, 3)));
    await disk.remount("ro");
    const reason = new RegExp(`: ${disk.path}: Read-only file system`);
    await assertFails(storage.put("a/b", filled(2, 3)), "failed", reason);
    await assertFails(storage.put("c", filled(0, 0)), "failed", reason);
    await assertFails(storage.append("up", 3, bytesOf(filled(2, 3))), "failed", reason);
    await assertFails(storage.move("up", "d"), "failed", reason);
    await assertFails(storage.delete("a/b"), "failed", reason);
    assertEquals((await storage.get("a/b"))?.bytes, filled(1, 3));
    assertEquals(await storage.list("", { limit: 9 }), ["a/b", "up"]);
    await disk.remount("rw");
    assertEquals(await storage.move("up", "d"), true);
  },
});

Deno.test({
  name:
    "a read-only file system: a store that is not there yet cannot be opened, and the error says why (needs mount)",
  ignore: !CAN_MOUNT,
  fn: async () => {
    await using disk = await mountTmpfs("size=1m");
    await disk.remount("ro");
    await assertFails(
      open(`${disk.path}/data`),
      "failed",
      /^Cannot open the store: .*\/data: Read-only file system/,
    );
  },
});

Deno.test({
  name: "a disk that loses bytes: put() fails and is not seen (needs mount, mkfs.ext4)",
  ignore: !CAN_MOUNT_DISKS,
  fn: async () => {
    await using disk = await mountFailingDisk(12 * MIB);
    const storage = await open(disk.path);
    const count = await fill(storage, 2 * MIB);
    assert(count > 0 && count < 12, `${count}`);
    assertEquals(await storage.stat(`full/${count}`), undefined);
    assertEquals(leftAside(disk.path), []);
  },
});

Deno.test({
  name:
    "a disk that loses bytes: move() fails, and no second try takes the lost bytes for good (needs mount, mkfs.ext4)",
  ignore: !CAN_MOUNT_DISKS,
  fn: async () => {
    await using disk = await mountFailingDisk(12 * MIB);
    const storage = await open(disk.path);
    await storage.append("up", 0, bytesOf(filled(1, 20 * MIB)));
    await assertFails(storage.move("up", "blob"), "unavailable", /^Cannot move to blob up: /);
    assertEquals(await storage.move("up", "blob"), false);
    assertEquals(await storage.list("", { limit: 9 }), []);
  },
});

Deno.test("a directory where an object should be, or an object where a directory should be: put() fails and names it", async () => {
  await using folder = await makeFolder();
  const storage = await open(folder.path);
  await storage.put("a/b", filled(1, 1));
  await storage.put("file", filled(1, 1));
  await assertFails(storage.put("a", filled(2, 1)), "failed", /^Cannot put a: .*directory/);
  await assertFails(
    storage.put("file/c", filled(2, 1)),
    "failed",
    /^Cannot put file\/c: .*Not a directory/,
  );
  assertEquals([await storage.stat("a"), await storage.get("a"), await storage.stat("file/c")], [
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(await storage.list("", { limit: 9 }), ["a/b", "file"]);
  assertEquals(leftAside(folder.path), []);
});

Deno.test("what a crash has left aside is never listed, and gone at the next start", async () => {
  await using folder = await makeFolder();
  await (await open(folder.path)).put("a", filled(1, 1));
  await Deno.writeFile(`${folder.path}/%temp/half`, filled(1, 100));
  using written = await Deno.open(`${folder.path}/%temp/written-by-another`, { write: true, create: true });
  await written.lock(true);
  await Deno.mkdir(`${folder.path}/empty/emptier`, { recursive: true });
  const storage = await open(folder.path);
  assertEquals(leftAside(folder.path), ["written-by-another"]);
  assertEquals(await storage.list("", { limit: 9 }), ["a"]);
});

Deno.test("a root that is a file: the store cannot be opened, and the error names it", async () => {
  await using folder = await makeFolder();
  await Deno.writeTextFile(`${folder.path}/file`, "");
  const reason = new RegExp(`^Cannot open the store: ${folder.path}/file: `);
  assertThrows(() => create({ root_dir: `${folder.path}/file` }), {
    name: "PluginError",
    code: "failed",
    message: reason,
  });
});

Deno.test("a root that goes away: changes fail, and reading finds nothing", async () => {
  await using folder = await makeFolder();
  const storage = await open(`${folder.path}/data`);
  await storage.put("a/b", filled(1, 1));
  await Deno.remove(`${folder.path}/data`, { recursive: true });
  await assertFails(storage.put("a/c", filled(1, 1)), "failed", /^Cannot put a\/c: .*\/data: No such file/);
  assertEquals([await storage.get("a/b"), await storage.list("", { limit: 9 })], [undefined, []]);
});
