/** Asks whoever sits at the terminal. */

import process from "node:process";
import { Misuse } from "./misuse.ts";
import { harmless } from "./output.ts";

/** Somebody did not want to answer. */
export class Withdrawn extends Error {
  override readonly name = "Withdrawn";
}

/** Whether somebody can be asked. What is asked goes to standard error: the output may be going elsewhere. */
export function canAsk(): boolean {
  return Deno.stdin.isTerminal() && Deno.stderr.isTerminal() && Deno.env.get("TERM") !== "dumb" &&
    (process.stderr.columns ?? 0) > 0;
}

/** A line of text. */
export async function askText(message: string): Promise<string> {
  const { text } = await import("@clack/prompts");
  return answered(await text({ message: harmless(message), output: process.stderr }));
}

/** A line that the terminal does not show. */
export async function askHidden(message: string): Promise<string> {
  const { password } = await import("@clack/prompts");
  return answered(await password({ message: harmless(message), output: process.stderr }));
}

/** Yes, or no; no unless it is said. */
export async function askYes(message: string): Promise<boolean> {
  const { confirm } = await import("@clack/prompts");
  return answered(await confirm({ message: harmless(message), initialValue: false, output: process.stderr }));
}

/** One of some. Whoever withdraws takes `otherwise`. */
export async function askChoice<T extends string>(
  message: string,
  { choices, otherwise }: { readonly choices: Readonly<Record<T, string>>; readonly otherwise: NoInfer<T> },
): Promise<T> {
  const { isCancel, select } = await import("@clack/prompts");
  const options = Object.entries<string>(choices).map(([value, label]) => ({ value, label }));
  const answer = await select({ message: harmless(message), options, output: process.stderr });
  return isCancel(answer) ? otherwise : answer as T;
}

const SECRET_BYTES_MAX = 64 * 1024;

/** The first line of standard input. */
export async function readSecret(): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let content = "";
  let bytes = 0;
  for await (const chunk of Deno.stdin.readable) {
    bytes += chunk.byteLength;
    if (bytes > SECRET_BYTES_MAX) throw new Misuse("Cannot read the password: it is too long");
    content += decoder.decode(chunk, { stream: true });
  }
  return content.replace(/\r?\n[^]*$/, "");
}

async function answered<T>(answer: T): Promise<Exclude<T, symbol>> {
  const { isCancel } = await import("@clack/prompts");
  if (isCancel(answer)) throw new Withdrawn("Nothing was done");
  return answer as Exclude<T, symbol>;
}
