/** What all commands share: the flags that hold everywhere, examples in the help, the exit code. */

import type { Command } from "@commander-js/extra-typings";

/** The flags that every command has. */
export interface GlobalFlags {
  /** The context to use, not the current one. */
  readonly context?: string | undefined;
  /** The server to ask, not the context's. */
  readonly server?: string | undefined;
  /** Seconds that an answer may take. */
  readonly timeout?: string | undefined;
  readonly json?: true | undefined;
}

/** The flags of what deletes. */
export interface DeleteFlags extends GlobalFlags {
  readonly yes?: true | undefined;
  readonly dryRun?: true | undefined;
}

/** Where nouns add their commands. */
export interface Frame {
  readonly program: Command;
  /** The flags that hold everywhere, as they were given. */
  globals(): GlobalFlags;
  /** Says how the program ends. */
  end(code: number): void;
}

/** Gives commands the flags that every command has. */
export function addGlobals(program: Command): void {
  program
    .option("--context <name>", "the server that was signed in to by this name")
    .option("--server <url>", "the server at this URL")
    .option("--timeout <seconds>", "how long an answer may take (default: 30)")
    .option("--json", "print JSON")
    .option("--no-color", "no colours")
    .configureHelp({ showGlobalOptions: true, helpWidth: 80 });
}

/** The end of a command's help. */
export function example(...commands: readonly string[]): string {
  const lines = commands.map((command) => `  $ ${command}\n`).join("");
  return `\nExample${commands.length === 1 ? "" : "s"}:\n${lines}`;
}

/** For options that may be repeated. */
export function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

/** What `-c` means. */
export const CONFIG_HELP =
  "configuration file, or folder of *.toml; may be repeated (default: as sreg serve)";

/** What `--yes` means. */
export const YES_HELP = "do not ask";

/** What `--dry-run` means. */
export const DRY_RUN_HELP = "say what would be done, and do nothing";
