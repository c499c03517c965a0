import { findPasswordProblem } from "../../plugins/contract/password.ts";
import { hashPassword as hash } from "../../server/config/password_hash.ts";
import type { GlobalFlags } from "../frame.ts";
import { Misuse } from "../misuse.ts";
import { write, writeJson } from "../output.ts";
import { askHidden, canAsk, readSecret } from "../prompts.ts";

/**
 * Hashes a password for `[identity.<id>]`: one that is asked for, where somebody sits at a terminal, else the first line of
 * standard input. Asks no server. Answers the exit code.
 */
export async function hashPassword({ json }: Pick<GlobalFlags, "json">): Promise<number> {
  const password = await readPassword();
  const problem = findPasswordProblem(password);
  if (problem !== undefined) throw new Misuse(`Cannot hash the password: ${problem}`);
  const text = await hash(password);
  if (json) writeJson({ password_hash: text });
  else write(`${text}\n`);
  return 0;
}

async function readPassword(): Promise<string> {
  if (!Deno.stdin.isTerminal()) return await readSecret();
  if (!canAsk()) throw new Misuse("Cannot ask for the password: there is no terminal to ask at");
  const password = await askHidden("Password");
  if (password !== await askHidden("The same again")) throw new Misuse("The two passwords are not the same");
  return password;
}
