/** What the file system plugin does beyond the contract: it stays in its root, and sees what others change there. */

import { PluginError } from "../../plugins/contract/error.ts";
import type { Bytes, Storage } from "../../plugins/contract/storage.ts";
import { create } from "../../plugins/storage/fs/fs.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { type Folder, makeFolder } from "./folders.ts";

const SECRET = "not yours";

/** A root, and beside it a folder that nobody was granted. */
interface Ground extends Folder {
  readonly root: string;
  readonly outside: string;
  readonly storage: Storage;
}

async function makeGround(): Promise<Ground> {
  const folder = await makeFolder();
  const [root, outside] = [`${folder.path}/root`, `${folder.path}/outside`];
  await Deno.mkdir(`${outside}/deep`, { recursive: true });
  await Deno.writeTextFile(`${outside}/secret`, SECRET);
  return { ...folder, root, outside, storage: await create({ root_dir: root }) };
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function bytesOf(text: string): Bytes {
  return ReadableStream.from([encode(text)]) as Bytes;
}

/** Every verb on the key, as "what it answered" or "the code of its error". */
async function tryAll(storage: Storage, key: string): Promise<unknown[]> {
  const calls: (() => Promise<unknown>)[] = [
    () => storage.stat(key),
    () => storage.get(key),
    () => storage.open(key),
    () => storage.locate!(key, "read"),
    () => storage.locate!(key, "append"),
    () => storage.put(key, encode("x")),
    () => storage.put(key, encode("")),
    () => storage.append(key, 0, bytesOf("x")),
    () => storage.move(key, "moved"),
    () => storage.move("mine", key),
    () => storage.delete(key),
  ];
  const answers = [];
  for (const call of calls) answers.push(await call().catch((error) => error.code));
  return answers;
}

async function outsideOf({ outside }: Ground): Promise<string[]> {
  const names = [];
  for await (const { name } of Deno.readDir(outside)) names.push(name);
  for await (const { name } of Deno.readDir(`${outside}/deep`)) names.push(`deep/${name}`);
  return [...names.sort(), await Deno.readTextFile(`${outside}/secret`)];
}

Deno.test("a key that leads out of the root fails with every verb and reaches nothing", async () => {
  await using ground = await makeGround();
  await ground.storage.put("mine", encode("mine"));
  for (
    const key of [
      "../outside/secret",
      "a/../../outside/secret",
      `${ground.outside}/secret`,
      "a//b",
      ".",
      "",
      "a\0b",
    ]
  ) {
    assertEquals(await tryAll(ground.storage, key), Array(11).fill("failed"), JSON.stringify(key));
  }
  assertEquals(await outsideOf(ground), ["deep", "secret", SECRET]);
  assertEquals(await ground.storage.list("", { limit: 9 }), ["mine"]);
});

Deno.test("list() of a prefix that leads out of the root answers nothing", async () => {
  await using ground = await makeGround();
  await ground.storage.put("a/b", encode("x"));
  for (const prefix of ["../", "../outside/", "a/../", "/", `${ground.outside}/`, "./", "a//", "%temp/"]) {
    assertEquals(await ground.storage.list(prefix, { limit: 9 }), [], prefix);
  }
});

Deno.test("a symbolic link to a directory outside is not followed by any verb", async () => {
  await using ground = await makeGround();
  const { storage, root, outside } = ground;
  await storage.put("mine", encode("mine"));
  await Deno.symlink(outside, `${root}/link`);
  const none = Array(4).fill(undefined);
  for (const key of ["link/secret", "link/new", "link/deep/new", "link/new/new"]) {
    assertEquals(
      await tryAll(storage, key),
      [...none, ...Array(4).fill("failed"), false, "failed", false],
      key,
    );
  }
  assertEquals(await outsideOf(ground), ["deep", "secret", SECRET]);
  assertEquals(await storage.list("", { limit: 9 }), ["mine"]);
  assertEquals(await storage.list("link/", { limit: 9 }), []);
});

Deno.test("a symbolic link to a file outside is no object; put() and move() replace the link, not the file", async () => {
  await using ground = await makeGround();
  const { storage, root, outside } = ground;
  await Deno.symlink(`${outside}/secret`, `${root}/a`);
  await Deno.symlink(`${outside}/secret`, `${root}/b`);
  await Deno.symlink(`${outside}/new`, `${root}/c`);
  for (const key of ["a", "b", "c"]) {
    assertEquals([
      await storage.stat(key),
      await storage.get(key),
      await storage.open(key),
      await storage.delete(key),
    ], [
      undefined,
      undefined,
      undefined,
      false,
    ]);
    for (
      const attempt of [
        storage.append(key, 0, bytesOf("x")),
        storage.put(key, encode("")),
        storage.locate!(key, "append"),
      ]
    ) {
      await assertRejects(attempt, PluginError);
    }
  }
  assertEquals(await storage.list("", { limit: 9 }), []);
  await storage.put("a", encode("mine"));
  await storage.move("a", "b");
  assertEquals((await storage.get("b"))?.bytes, encode("mine"));
  assertEquals(await outsideOf(ground), ["deep", "secret", SECRET]);
});

Deno.test("a root that is a symbolic link itself is followed: the operator wrote it", async () => {
  await using folder = await makeFolder();
  await Deno.mkdir(`${folder.path}/disk`);
  await Deno.symlink(`${folder.path}/disk`, `${folder.path}/root`);
  const storage = await create({ root_dir: `${folder.path}/root` });
  await storage.put("a/b", encode("x"));
  assertEquals((await storage.get("a/b"))?.bytes, encode("x"));
  assertEquals(await Deno.readTextFile(`${folder.path}/disk/a/b`), "x");
});

Deno.test("objects and directories that others make and remove are seen by the next list()", async () => {
  await using ground = await makeGround();
  const { storage, root } = ground;
  await storage.put("tags/b", encode("x"));
  assertEquals(await storage.list("", { limit: 9 }), ["tags/b"]);
  await settle(`${root}/tags`);
  await Deno.writeTextFile(`${root}/tags/a`, "");
  assertEquals(await storage.list("tags/", { limit: 9 }), ["tags/a", "tags/b"]);
  await settle(`${root}/tags`);
  await Deno.remove(`${root}/tags`, { recursive: true });
  await Deno.mkdir(`${root}/new/er`, { recursive: true });
  await Deno.writeTextFile(`${root}/new/er/c`, "");
  assertEquals(await storage.list("", { limit: 9 }), ["new/er/c"]);
});

Deno.test("a value that others change, in place or by another file, is seen by the next get()", async () => {
  await using ground = await makeGround();
  const { storage, root } = ground;
  const path = `${root}/tags/a`;
  const get = async () => new TextDecoder().decode((await storage.get("tags/a"))?.bytes);
  const seen = [];
  await storage.put("tags/a", encode("one"));
  for (
    const change of [
      () => Deno.writeTextFile(path, "longer"),
      () => Deno.writeTextFile(path, "edited"),
      async () => {
        await Deno.writeTextFile(`${root}/tags/b`, "moved!");
        await Deno.rename(`${root}/tags/b`, path);
      },
      () => Deno.remove(path),
    ]
  ) {
    seen.push(await get());
    await settle(path);
    await change();
  }
  assertEquals([...seen, await storage.get("tags/a")], ["one", "longer", "edited", "moved!", undefined]);
});

Deno.test("names that are no keys' are not listed", async () => {
  await using ground = await makeGround();
  for (const name of ["a b", "a%b", "ü", "a:b", "fine"]) {
    await Deno.writeTextFile(`${ground.root}/${name}`, "");
  }
  assertEquals(await ground.storage.list("", { limit: 9 }), ["fine"]);
});

Deno.test("a deleted object takes its empty directories with it, and the root stays", async () => {
  await using ground = await makeGround();
  const { storage, root } = ground;
  await storage.put("a/b/c/d", encode("x"));
  await storage.put("a/e", encode("x"));
  await storage.delete("a/b/c/d");
  assertEquals([...Deno.readDirSync(`${root}/a`)].map(({ name }) => name), ["e"]);
  await storage.move("a/e", "f");
  await storage.delete("f");
  assertEquals([...Deno.readDirSync(root)].map(({ name }) => name).sort(), ["%lock", "%temp"]);
});

/** Waits until the clock of the file system, which moves in steps, has moved on from the folder's last change. */
async function settle(path: string): Promise<void> {
  const modified = (await Deno.stat(path)).mtime!.getTime();
  const probe = await Deno.makeTempFile();
  do await Deno.writeTextFile(probe, "x"); while ((await Deno.stat(probe)).mtime!.getTime() <= modified);
  await Deno.remove(probe);
}
