/** Objects that a plugin locates: the core reads and writes them itself, and nothing besides. */

import type { Bytes } from "../../plugins/contract/storage.ts";
import type { PluginError } from "../../plugins/contract/error.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { hasProgram } from "../support/programs.ts";
import { openStage, type Scene, type Stage } from "./scene.ts";

interface Places extends AsyncDisposable {
  /** What the plugin may read and write, and what it may not. */
  readonly granted: string;
  readonly readOnly: string;
  readonly outside: string;
}

const CONTENT = "what may not be changed";

async function makePlaces(): Promise<Places> {
  const root = await Deno.makeTempDir({ prefix: "sreg-located-" });
  const places = {
    granted: `${root}/granted`,
    readOnly: `${root}/read-only`,
    outside: `${root}/granted-not`,
  };
  for (const folder of Object.values(places)) {
    await Deno.mkdir(`${folder}/folder`, { recursive: true });
    await Deno.writeTextFile(`${folder}/file`, CONTENT);
  }
  await Deno.symlink(`${places.outside}/file`, `${places.granted}/link`);
  await Deno.symlink(places.outside, `${places.granted}/linked-folder`);
  await Deno.symlink(`${places.granted}/file`, `${places.granted}/inner-link`);
  await Deno.symlink("/dev/zero", `${places.granted}/device`);
  return { ...places, [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }) };
}

async function openLocating(
  { granted, readOnly }: Places,
  files: Readonly<Record<string, string>>,
  isolation: Scene["isolation"] = "worker",
): Promise<Stage> {
  const permissions = { read: [granted, readOnly], write: [granted] };
  return await openStage({ plugin: "locating", isolation, permissions, options: { files } });
}

function textBytes(text: string): Bytes {
  return new Response(text).body as Bytes;
}

async function readText(body: Bytes): Promise<string> {
  return await new Response(body).text();
}

const BREACHES: readonly (readonly [what: string, file: (places: Places) => string])[] = [
  ["a file of the system", () => "/etc/passwd"],
  ["a file of a folder whose name begins alike", ({ outside }) => `${outside}/file`],
  ["a file outside by way of ..", ({ granted }) => `${granted}/../granted-not/file`],
  ["a link to a file outside", ({ granted }) => `${granted}/link`],
  ["a file by a link to a folder outside", ({ granted }) => `${granted}/linked-folder/file`],
  ["a folder", ({ granted }) => `${granted}/folder`],
  ["the granted folder itself", ({ granted }) => granted],
  ["a link to a device", ({ granted }) => `${granted}/device`],
  ["a device", () => "/dev/zero"],
  ["a relative path", () => "deno.json"],
  ["its own code", () => `${import.meta.dirname}/fixtures/plugins/locating.ts`],
  ["a path with a NUL", ({ granted }) => `${granted}/file\0`],
  ["nothing at all", () => ""],
];

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "succeeded";
  } catch (error) {
    return (error as PluginError).code;
  }
}

for (const [what, file] of BREACHES) {
  for (const access of ["open", "append"] as const) {
    Deno.test(`${access}() refuses to follow a plugin to ${what}, and ends it`, async () => {
      await using places = await makePlaces();
      await using stage = await openLocating(places, { a: file(places) });
      const call = access === "open"
        ? stage.storage.open("a")
        : stage.storage.append("a", 0, textBytes("defaced"));
      assertEquals(await codeOf(call), "failed");
      assert(await stage.logged(/located an object where it may not go/));
      await stage.recover();
      assertEquals(await Deno.readTextFile(`${places.outside}/file`), CONTENT);
    });
  }
}

Deno.test("append() refuses a file that a plugin may only read", async () => {
  await using places = await makePlaces();
  await using stage = await openLocating(places, { a: `${places.readOnly}/file` });
  assertEquals(await readText((await stage.storage.open("a"))!.body), CONTENT);
  assertEquals(await codeOf(stage.storage.append("a", 0, textBytes("defaced"))), "failed");
  assertEquals(await Deno.readTextFile(`${places.readOnly}/file`), CONTENT);
});

Deno.test({
  name: `open() and append() wait for no pipe that a plugin locates${
    hasProgram("mkfifo") ? "" : " (no mkfifo)"
  }`,
  ignore: !hasProgram("mkfifo"),
  fn: async () => {
    await using places = await makePlaces();
    await new Deno.Command("mkfifo", { args: [`${places.granted}/pipe`] }).output();
    await using stage = await openLocating(places, { a: `${places.granted}/pipe` });
    assertEquals(await codeOf(stage.storage.open("a")), "failed");
    await stage.recover();
    assertEquals(await codeOf(stage.storage.append("a", 0, textBytes("a"))), "failed");
  },
});

for (const isolation of ["worker", "process"] as const) {
  Deno.test(`open() reads a file that a plugin in a ${isolation} locates, whole and in part, and by a link inside`, async () => {
    await using places = await makePlaces();
    const file = `${places.granted}/file`;
    await using stage = await openLocating(
      places,
      { a: file, link: `${places.granted}/inner-link` },
      isolation,
    );
    const { storage } = stage;
    const { size, mtime } = await Deno.stat(file);
    const { body, ...facts } = (await storage.open("a"))!;
    assertEquals(facts, { size, modifiedAtMs: mtime!.getTime() });
    assertEquals(await readText(body), CONTENT);
    assertEquals(
      await readText((await storage.open("a", { offset: 5, length: 3 }))!.body),
      CONTENT.slice(5, 8),
    );
    assertEquals(await readText((await storage.open("a", { offset: size, length: 0 }))!.body), "");
    assertEquals(await readText((await storage.open("link"))!.body), CONTENT);
  });

  Deno.test(`append() writes to a file that a plugin in a ${isolation} locates, at its end alone`, async () => {
    await using places = await makePlaces();
    const file = `${places.granted}/empty`;
    await Deno.writeTextFile(file, "");
    await using stage = await openLocating(places, { healthy: file }, isolation);
    const { storage } = stage;
    assertEquals((await storage.append("healthy", 0, textBytes("one "))).size, 4);
    assertEquals((await storage.append("healthy", 4, textBytes("two"))).size, 7);
    assertEquals(await codeOf(storage.append("healthy", 3, textBytes("!"))), "conflict");
    assertEquals(await codeOf(storage.append("healthy", 8, textBytes("!"))), "conflict");
    assertEquals(await Deno.readTextFile(file), "one two");
  });
}

Deno.test("open() answers undefined where what a plugin locates is gone", async () => {
  await using places = await makePlaces();
  await using stage = await openLocating(places, { a: `${places.granted}/gone` });
  assertEquals(await stage.storage.open("a"), undefined);
  assertEquals(await codeOf(stage.storage.append("a", 0, textBytes("a"))), "conflict");
  assertEquals(stage.plugin.facts().restarts, 0);
});

Deno.test("open() fails who reads a located file that became shorter", async () => {
  await using places = await makePlaces();
  const file = `${places.granted}/file`;
  await Deno.writeFile(file, new Uint8Array(1024 * 1024));
  await using stage = await openLocating(places, { a: file });
  const opened = await stage.storage.open("a");
  await Deno.truncate(file, 300 * 1024);
  assertEquals(await codeOf(readText(opened!.body)), "failed");
});

Deno.test("append() keeps what had arrived in a located file when its source breaks, and fails with the source's error", async () => {
  await using places = await makePlaces();
  const file = `${places.granted}/empty`;
  await Deno.writeTextFile(file, "");
  await using stage = await openLocating(places, { a: file });
  const gone = new Error("the client went away");
  let chunks = 0;
  const body: Bytes = new ReadableStream({
    pull(controller) {
      if (++chunks > 1) controller.error(gone);
      else controller.enqueue(new TextEncoder().encode("arrived"));
    },
  }, { highWaterMark: 0 });
  assertEquals(await stage.storage.append("a", 0, body).catch((error) => error), gone);
  assertEquals(await Deno.readTextFile(file), "arrived");
});
