/** Who answers questions of access: the policies of files, or a running server. */

import type { PolicyQuestion } from "../server/admin/policy_questions.ts";
import { resolveConfigFiles } from "../server/config/load.ts";
import { openPolicyTrial, type PolicyTrial } from "../server/policy_trial.ts";
import { orMisuse } from "./misuse.ts";
import { harmlessLines, writeError } from "./output.ts";

/** What was decided, and why. */
export interface Answer {
  readonly effect: "allow" | "deny";
  /** The rule that decided. */
  readonly rule: string;
  readonly reason: string;
  /** What went wrong in a policy, and made it a denial. */
  readonly warnings: readonly string[];
}

/** Questions that are put to sandboxed policies at a time. */
const QUESTIONS_AT_ONCE = 64;

/** Starts the policies of configuration files: those named, else the ones that `sreg serve` would read here. */
export async function openTrial(paths: readonly string[] | undefined): Promise<PolicyTrial> {
  const files = await resolveConfigFiles(Deno.cwd(), paths);
  return await orMisuse("the configuration", openPolicyTrial({ files }, warn));
}

/** Shows what a plugin has to say. */
export function warn(message: string): void {
  writeError(harmlessLines(message));
}

/** What the policies of a trial say of questions, in their order. */
export async function askTrial(trial: PolicyTrial, questions: readonly PolicyQuestion[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let index = 0; index < questions.length; index += QUESTIONS_AT_ONCE) {
    const batch = questions.slice(index, index + QUESTIONS_AT_ONCE);
    answers.push(...await Promise.all(batch.map((question) => askOne(trial, question))));
  }
  return answers;
}

async function askOne(trial: PolicyTrial, question: PolicyQuestion): Promise<Answer> {
  const { allowed, rule, reason, warnings } = await trial.decide(question);
  return { effect: allowed ? "allow" : "deny", rule, reason, warnings };
}
