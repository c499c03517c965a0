/**
 * `sregctl`: the operator's command line.
 *
 * @module
 */

import { CommanderError } from "@commander-js/extra-typings";
import { harmlessLines, writeError } from "./output.ts";
import { createProgram } from "./program.ts";

/** The exit code of what was not asked for rightly. */
const MISUSE = 2;

Deno.exit(await run());

async function run(): Promise<number> {
  const { program, exitCode } = createProgram();
  try {
    await program.parseAsync(Deno.args, { from: "user" });
    return exitCode();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSE;
    const { name, message } = error as Error;
    writeError(harmlessLines(message));
    return name === "Misuse" ? MISUSE : 1;
  }
}
