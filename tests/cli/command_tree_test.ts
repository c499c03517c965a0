import type { Command } from "@commander-js/extra-typings";
import { createProgram } from "../../cli/program.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";
import { openDesk, refused } from "./scene.ts";

interface Leaf {
  /** `repo delete`. */
  readonly name: string;
  readonly command: Command;
}

/** The commands that do something, by what users type. */
function leaves(command: Command, path: readonly string[] = []): Leaf[] {
  const children = command.createHelp().visibleCommands(command as never) as unknown as readonly Command[];
  const shown = children.filter((child) => child.name() !== "help");
  if (shown.length === 0) return [{ name: path.join(" "), command }];
  return shown.flatMap((child) => leaves(child, [...path, child.name()]));
}

const LEAVES = leaves(createProgram().program);
const COLUMNS = 80;

/** What `--help` shows; told from commander itself, which is what the program prints. */
function helpOf({ command }: Leaf): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => text += part });
  command.outputHelp();
  return text;
}

Deno.test("Every command of sregctl has help with an example of itself and --json, in 80 columns", () => {
  assert(LEAVES.length > 50, `there are only ${LEAVES.length}`);
  const bad = LEAVES.flatMap((leaf) => {
    const help = helpOf(leaf);
    return [
      ...(/\nExamples?:\n/.test(help) && help.includes(`sregctl ${leaf.name}`)
        ? []
        : [`${leaf.name}: no example`]),
      ...(help.includes("--json") ? [] : [`${leaf.name}: no --json`]),
      ...help.split("\n").filter((line) => line.length > COLUMNS).map((line) => `${leaf.name}: ${line}`),
    ];
  });
  assertEquals(bad, []);
});

Deno.test("Every command of sregctl that deletes asks, or is told --yes, and has --dry-run", () => {
  const deleting = LEAVES.filter(({ name }) =>
    /\b(?:delete|revoke|cancel)$|^retention run$/.test(name) && name !== "job cancel"
  );
  const options = deleting.map(({ name, command }) => [
    name,
    ["--yes", "--dry-run"].every((flag) => command.options.some(({ long }) => long === flag)),
  ]);
  assertEquals(options.filter(([, has]) => !has), []);
  assertEquals(deleting.length, 9);
});

Deno.test("docs/sregctl.md has a heading for every command of sregctl, and for no other", async () => {
  const text = await Deno.readTextFile(`${ROOT}docs/sregctl.md`);
  const documented = [...text.matchAll(/^### `sregctl ([a-z ]+?)(?= [^a-z ]| [A-Z]|`)/gm)].map(([, name]) =>
    name
  );
  assertEquals(documented.toSorted(), LEAVES.map(({ name }) => name).toSorted());
});

Deno.test("docs/sregctl.md shows the arguments and options of every command as they are", async () => {
  const text = await Deno.readTextFile(`${ROOT}docs/sregctl.md`);
  const sections = text.split(/^### /m).slice(1);
  const missing = LEAVES.flatMap(({ name, command }) => {
    const section = sections.find((part) => new RegExp(`^\`sregctl ${name}(?:\`| [^a-z])`).test(part)) ?? "";
    return command.options.flatMap(({ long }) => section.includes(`${long}`) ? [] : [`${name} ${long}`]);
  });
  assertEquals(missing, []);
});

Deno.test("sregctl answers 2 to what is no command, no option, and too little", async () => {
  await using desk = await openDesk({});
  assertEquals(await desk.run(["nonsense"]), refused("sregctl: unknown command 'nonsense'\n"));
  assertEquals(
    await desk.run(["repo", "list", "--nonsense"]),
    refused("sregctl: unknown option '--nonsense'\n"),
  );
  assertEquals(
    await desk.run(["tag", "show", "team/app"]),
    refused("sregctl: missing required argument 'tag'\n"),
  );
  assertEquals(
    await desk.run(["repo", "list", "--timeout", "x"], { SREG_SERVER: "http://127.0.0.1" }),
    refused("sregctl: --timeout: expected seconds\n"),
  );
});

Deno.test("sregctl answers help within a moment, and loads nothing for it that only commands need", async () => {
  await using desk = await openDesk({});
  const { code, stdout } = await desk.run(["--help"]);
  assertEquals([code, stdout.startsWith("Usage: sregctl [options] [command]\n")], [0, true]);
  const graph = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `${ROOT}cli/main.ts`],
    cwd: ROOT,
    stdout: "piped",
    stderr: "null",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(graph.stdout)) as {
    modules: readonly {
      specifier: string;
      dependencies?: readonly { specifier: string; isDynamic?: boolean }[];
    }[];
  };
  const eager = modules.flatMap(({ specifier, dependencies = [] }) =>
    /cli\/(?:main|program|frame|output)\.ts$|cli\/nouns\//.test(specifier)
      ? dependencies.filter(({ isDynamic }) => !isDynamic).map(({ specifier }) => specifier)
      : []
  );
  assertEquals(eager.filter((specifier) => /commands|clack|cli-|tab$|server\//.test(specifier)), []);
});
