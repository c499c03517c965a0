/** Processes that stand still, and go on. */

import { runCommand } from "./command.ts";

/**
 * SIGSTOP, and waits until the process stands still: on a busy machine its threads go on for a while, and answer what comes. It takes
 * connections, and answers nothing.
 */
export async function pauseProcess(pid: number): Promise<void> {
  Deno.kill(pid, "SIGSTOP");
  while (!(await stateOf(pid)).startsWith("T"));
}

/** SIGCONT. One that has ended stays as it is. */
export function resumeProcess(pid: number): void {
  try {
    Deno.kill(pid, "SIGCONT");
  } catch {
    // It has ended already.
  }
}

/** As `ps` has it; "T" is one that was stopped. */
async function stateOf(pid: number): Promise<string> {
  return (await runCommand("ps", ["-o", "stat=", "-p", `${pid}`])).trim();
}
