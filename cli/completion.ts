/** What makes shells complete commands, and what they ask then. */

import type { Command } from "@commander-js/extra-typings";
import { askList, openClient } from "./client.ts";
import { readContexts } from "./contexts.ts";
import type { GlobalFlags } from "./frame.ts";
import { JOB } from "./job.ts";
import { Misuse } from "./misuse.ts";
import { write, writeJson } from "./output.ts";
import { object, text } from "./shape.ts";

const SHELLS = ["bash", "zsh", "fish"];

/** Where the package bash-completion is not there; what is sourced twice need not say so. */
const BASH_HEAD = `{
declare -F _get_comp_words_by_ref || _get_comp_words_by_ref() {
  cword=$COMP_CWORD words=("\${COMP_WORDS[@]}")
  cur=\${words[cword]} prev=\${words[cword-1]}
}
`;
const BASH_TAIL = "} >/dev/null 2>&1\n";

/** Prints the script for a shell. */
export async function printCompletion(
  shell: string,
  { json, program }: GlobalFlags & { readonly program: Command },
): Promise<number> {
  if (!SHELLS.includes(shell)) throw new Misuse(`There is completion for ${SHELLS.join(", ")}`);
  const name = program.name();
  if (json) {
    writeJson({ shell, command: `${name} complete -- WORD…` });
    return 0;
  }
  const { script } = await import("@bomb.sh/tab");
  if (shell === "bash") write(BASH_HEAD);
  script(shell, name, name);
  if (shell === "bash") write(BASH_TAIL);
  return 0;
}

/** Prints what may come next after `complete -- WORD…`. */
export async function answerCompletion(program: Command, args: readonly string[]): Promise<void> {
  const words = args.slice(args.indexOf("--") + 1);
  const { RootCommand } = await import("@bomb.sh/tab");
  const root = new RootCommand();
  const values = await valuesFor(program, words);
  const add = (command: Command, path: readonly string[]): void => {
    const target = path.length === 0 ? root : root.command(path.join(" "), command.description());
    for (const { long, short, description, required, optional } of [...command.options, ...program.options]) {
      const takesValue = required || optional;
      const letter = short?.slice(1);
      if (!long) continue;
      if (takesValue) target.option(long.slice(2), description, () => {}, letter);
      else target.option(long.slice(2), description, letter ?? "");
    }
    for (const argument of command.registeredArguments) {
      target.argument(argument.name(), (complete) => {
        for (const value of values) complete(value, "");
      }, argument.variadic);
    }
    for (const child of visibleOf(command)) add(child, [...path, child.name()]);
  };
  add(program, []);
  root.parse([...words]);
}

function visibleOf(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(command as never).filter((child) =>
    child.name() !== "help"
  ) as never;
}

const NAME = object({ name: text });
const PATIENCE_S = 2;
const VALUES_MAX = 1_000;
/** Shells would take other characters for their own. */
const HARMLESS = /^[\w./@+][\w./@+-]*$/;

/** The values that may stand where a word is to be completed. Nothing, where they cannot be had at once. */
async function valuesFor(program: Command, words: readonly string[]): Promise<readonly string[]> {
  const given = words.filter((word) => !word.startsWith("-"));
  const typed = given.at(-1) ?? "";
  let command = program;
  let depth = 0;
  for (const word of given.slice(0, -1)) {
    const child = visibleOf(command).find((candidate) => candidate.name() === word);
    if (!child) break;
    [command, depth] = [child, depth + 1];
  }
  const argument = command.registeredArguments[given.length - 1 - depth]?.name();
  const parent = command.parent?.name();
  try {
    const asking = ask(`${parent} ${argument}`, { words, typed });
    const found = await Promise.race([asking, noneAfter(PATIENCE_S)]);
    return found.filter((value) => HARMLESS.test(value));
  } catch {
    return [];
  }
}

/** A list may take many answers, each of which is in time. */
function noneAfter(seconds: number): Promise<readonly string[]> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000, []));
}

async function ask(
  wanted: string,
  { words, typed }: { readonly words: readonly string[]; readonly typed: string },
): Promise<readonly string[]> {
  if (wanted.endsWith(" shell")) return SHELLS;
  if (wanted === "context name") return Object.keys((await readContexts()).contexts);
  const isRepository = wanted.endsWith(" repository");
  if (!isRepository && wanted !== "job job") return [];
  using client = await openClient({ ...globalsOf(words), timeout: String(PATIENCE_S) });
  if (isRepository) {
    const query = { filter: typed === "" ? undefined : typed };
    const found = await askList(client, {
      name: "repositories",
      item: NAME,
      path: "/admin/v1/repositories",
      query,
      limit: VALUES_MAX,
    });
    return found.map(({ name }) => name);
  }
  const jobs = await askList(client, { name: "jobs", item: JOB, path: "/admin/v1/jobs", limit: VALUES_MAX });
  return jobs.map(({ id }) => id);
}

function globalsOf(words: readonly string[]): GlobalFlags {
  const after = (flag: string) => words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined;
  return { context: after("--context"), server: after("--server") };
}
