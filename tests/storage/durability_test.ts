/** That what the file system plugin has answered survives a power cut: by the system calls it makes, in their order. */

import { assert, assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";
import { hasProgram } from "../support/programs.ts";
import { makeFolder } from "./folders.ts";

/** A system call on paths, which `%temp/…`, relative to the root, stand for; from the line it began to the one it ended. */
interface SystemCall {
  readonly text: string;
  readonly begin: number;
  readonly end: number;
}

const CALLS = "fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,openat,statx";
const LINE = /^(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)$/;

/** Runs steps on a store, each followed by a look at the path `/answered/<step>`. Answers the system calls. */
async function trace(steps: Readonly<Record<string, string>>): Promise<SystemCall[]> {
  await using folder = await makeFolder();
  const root = `${folder.path}/root`;
  const program = [
    `import { create } from ${JSON.stringify(`${ROOT}plugins/storage/fs/fs.ts`)};`,
    `const storage = await create({ root_dir: ${JSON.stringify(root)} });`,
    "const bytes = (text) => new TextEncoder().encode(text);",
    ...Object.entries(steps).map(([step, code]) =>
      `${code}; try { Deno.lstatSync("/answered/${step}") } catch {}`
    ),
  ];
  await Deno.writeTextFile(`${folder.path}/steps.ts`, program.join("\n"));
  const { success, stderr } = await new Deno.Command("strace", {
    args: ["-f", "-y", "-s", "300", "-e", `trace=${CALLS}`, "-o", `${folder.path}/calls`].concat([
      Deno.execPath(),
      "run",
      "--no-prompt",
      "--no-check",
      "--allow-all",
      `${folder.path}/steps.ts`,
    ]),
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return parseCalls(await Deno.readTextFile(`${folder.path}/calls`), root);
}

function parseCalls(log: string, root: string): SystemCall[] {
  const unfinished = new Map<string, SystemCall & { end: number }>();
  const calls: SystemCall[] = [];
  log.split("\n").forEach((line, index) => {
    const [, thread = "", name = "", rest = ""] = line.match(LINE) ?? [];
    if (line.includes(" resumed>")) {
      const call = unfinished.get(thread);
      if (call) call.end = index;
      // What the thread resumes later is another call.
      unfinished.delete(thread);
      return;
    }
    const text = describe(name, rest, root);
    if (text === undefined) return;
    const call = { text, begin: index, end: index };
    if (rest.includes("<unfinished")) unfinished.set(thread, call);
    calls.push(call);
  });
  return calls;
}

/** "rename %temp/1 a", or `undefined` for a call that changes nothing in the root. */
function describe(name: string, rest: string, root: string): string | undefined {
  const paths = [...rest.matchAll(/"([^"]*)"|\d+<([^>]*)>/g)].map(([, quoted, open]) => quoted ?? open!);
  if (name === "statx") {
    return paths[0]?.startsWith("/answered/") ? `answer ${paths[0].slice(10)}` : undefined;
  }
  if (name === "openat" && !rest.includes("O_CREAT")) return undefined;
  const inRoot = paths.filter((path) => path === root || path.startsWith(`${root}/`));
  if (inRoot.length === 0) return undefined;
  const verb = name === "openat" ? "create" : name.replace(/at2?$/, "");
  const short = inRoot.map((path) => path.slice(root.length + 1).replace(/%temp\/.*/, "%temp/file") || ".");
  return [verb, ...(name === "openat" ? short.slice(0, 1) : short)].join(" ");
}

/** The calls between two answers: those before `step`'s. */
function callsOf(calls: readonly SystemCall[], step: string): SystemCall[] {
  const answers = calls.filter(({ text }) => text.startsWith("answer "));
  const index = answers.findIndex(({ text }) => text === `answer ${step}`);
  const [from, to] = [answers[index - 1]?.begin ?? -1, answers[index]!.begin];
  return calls.filter(({ begin }) => begin > from && begin < to).map((call) => {
    assert(call.end < to, `${call.text} is still running when ${step} is answered`);
    return call;
  });
}

/** Asserts that each call is made, and that none begins before the ones of the groups before it have ended. */
function assertOrder(calls: readonly SystemCall[], groups: readonly (readonly string[])[]): void {
  assertEquals(calls.map(({ text }) => text).sort(), groups.flat().sort());
  let ended = -1;
  for (const group of groups) {
    const made = group.map((text) => calls.find((call) => call.text === text)!);
    for (const { begin, text } of made) assert(begin > ended, `${text} begins too early`);
    ended = Math.max(...made.map(({ end }) => end));
  }
}

Deno.test({
  name:
    "put, move and delete are answered after the fsyncs that make them survive a power cut, if they must (needs strace)",
  ignore: !hasProgram("strace"),
  fn: async (t) => {
    const calls = await trace({
      start: "",
      create: `await storage.put("a/b/c", bytes("1"))`,
      replace: `await storage.put("a/b/c", bytes("2"))`,
      empty: `await storage.put("a/b/d", bytes(""))`,
      append: `await storage.append("up/x", 0, new Response("bytes").body)`,
      move: `await storage.move("up/x", "blobs/x")`,
      delete: `await storage.delete("a/b/c")`,
      prune: `await storage.delete("a/b/d")`,
      passing: `await storage.put("p", bytes("1"), { lasting: false });
        await storage.move("p", "q", { lasting: false });
        await storage.delete("q", { lasting: false })`,
      refuse: `await storage.put("blobs/x", bytes("2"), { ifAbsent: true }).catch(() => {})`,
    });
    const steps: Readonly<Record<string, readonly (readonly string[])[]>> = {
      create: [
        ["create %temp/file"],
        ["fdatasync %temp/file"],
        ["mkdir a"],
        ["mkdir a/b"],
        ["rename %temp/file a/b/c"],
        ["fsync a/b", "fsync a", "fsync ."],
      ],
      replace: [["create %temp/file"], ["fdatasync %temp/file"], ["rename %temp/file a/b/c"], ["fsync a/b"]],
      empty: [["create a/b/d"], ["fsync a/b"]],
      append: [["mkdir up"], ["create up/x"]],
      move: [["fsync up/x"], ["mkdir blobs"], ["rename up/x blobs/x"], ["rmdir up"], [
        "fsync blobs",
        "fsync .",
      ]],
      delete: [["unlink a/b/c"], ["rmdir a/b"], ["fsync a/b"]],
      prune: [["unlink a/b/d"], ["rmdir a/b"], ["rmdir a"], ["fsync ."]],
      passing: [["create %temp/file"], ["rename %temp/file p"], ["rename p q"], ["unlink q"]],
      refuse: [],
    };
    for (const [step, groups] of Object.entries(steps)) {
      await t.step(
        `${step}: ${groups.flat().join(", ") || "nothing"}`,
        () => assertOrder(callsOf(calls, step), groups),
      );
    }
  },
});
