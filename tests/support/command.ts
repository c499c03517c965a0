/** Runs the programs that tests drive, and keeps what they say for when they fail. */

/** How to run a program. */
export interface CommandOptions {
  /** Further environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where to run it. */
  readonly cwd?: string;
  /** When to end it, in milliseconds. */
  readonly timeoutMs?: number;
}

/** How a program ended. */
export interface CommandResult {
  readonly success: boolean;
  /** Standard output. */
  readonly stdout: string;
  /** Standard error. */
  readonly stderr: string;
}

/** Runs a program to its end; answers how it ended, also where it failed. */
export async function tryCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { ...options.env },
    signal: AbortSignal.timeout(options.timeoutMs ?? 60_000),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  }).output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs a program to its end and answers its standard output. Fails, with all it said, where it fails. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { success, stdout, stderr } = await tryCommand(program, args, options);
  if (!success) throw new Error(`Cannot run ${program} ${args.join(" ")}:\n${stdout}${stderr}`);
  return stdout;
}
