/** Asks a running server for what it decides. */

import { formatQuestion, type PolicyQuestion } from "../server/admin/policy_questions.ts";
import { type Client, openClient } from "./client.ts";
import type { GlobalFlags } from "./frame.ts";
import type { Answer } from "./judge.ts";
import { Misuse } from "./misuse.ts";
import { list, object, type Shaped, text } from "./shape.ts";

/** Below what the server reads of a request. */
const BODY_BYTES_MAX = 48 * 1024;

const DECISIONS = object({
  decisions: list(object({ decision: text, rule: text, reason: text, warnings: list(text) })),
});

/** Asks the server that is meant about questions, many at a time. One that does not answer is a misuse. */
export async function askServer(flags: GlobalFlags, questions: readonly PolicyQuestion[]): Promise<Answer[]> {
  using client = await openClient(flags);
  const answers: Answer[] = [];
  for (const batch of batchesOf(questions.map(formatQuestion))) {
    answers.push(...await ask(client, batch));
  }
  return answers;
}

async function ask(client: Client, questions: readonly unknown[]): Promise<Answer[]> {
  const { decisions } = await client.ask({
    method: "POST",
    path: "/admin/v1/policy/decide",
    body: { questions },
    shape: DECISIONS,
  }).catch((error: Error) => {
    throw new Misuse(error.message, { cause: error });
  });
  if (decisions.length === questions.length) return decisions.map(answerOf);
  throw new Misuse(`Cannot ask ${client.origin}: its answer is not one of sreg's`);
}

function answerOf(
  { decision, rule, reason, warnings }: Shaped<typeof DECISIONS>["decisions"][number],
): Answer {
  return { effect: decision === "allow" ? "allow" : "deny", rule, reason, warnings };
}

function* batchesOf<T>(questions: readonly T[]): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const question of questions) {
    const length = new TextEncoder().encode(JSON.stringify(question)).byteLength + 1;
    if (batch.length > 0 && bytes + length > BODY_BYTES_MAX) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(question);
    bytes += length;
  }
  if (batch.length > 0) yield batch;
}
