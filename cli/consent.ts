/** Asks before something is deleted. */

import type { DeleteFlags } from "./frame.ts";
import { Misuse } from "./misuse.ts";
import { harmless, write, writeJson } from "./output.ts";
import { askYes, canAsk, Withdrawn } from "./prompts.ts";

/**
 * Whether to go on with what deletes `what`: "the tag v1 of team/app". `--yes` says so, or whoever sits at the terminal;
 * elsewhere it is a misuse to say nothing. With `--dry-run` only says what would be deleted.
 */
export async function agrees({ yes, dryRun, json }: DeleteFlags, what: string): Promise<boolean> {
  if (dryRun) {
    if (json) writeJson({ dry_run: true, would_delete: what });
    else write(`Would delete ${harmless(what)}\n`);
    return false;
  }
  await requireConsent({ yes }, `Delete ${what}?`);
  return true;
}

/** Goes on only where it is agreed to. What is asked may be more exact than `question`: that is found out only where it is asked. */
export async function requireConsent(
  { yes }: Pick<DeleteFlags, "yes">,
  question: string,
  exactly: () => Promise<string> = () => Promise.resolve(question),
): Promise<void> {
  if (yes) return;
  if (!canAsk()) throw new Misuse(`${question} Say so with --yes: there is no terminal to ask`);
  if (!await askYes(await exactly())) throw new Withdrawn("Nothing was done");
}
