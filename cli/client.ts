/** Asks a running server for what it decides. */

import { formatQuestion, type PolicyQuestion } from "../server/admin/policy_questions.ts";
import type { Answer } from "./judge.ts";
import { Misuse } from "./misuse.ts";

const PATH = "/admin/v1/policy/decide";
const ANSWER_TIMEOUT_MS = 30_000;
/** Below what the server reads of a request. */
const BODY_BYTES_MAX = 48 * 1024;

/** Asks the server at `url` about questions, many at a time, with the credentials of the environment. */
export async function askServer(url: string, questions: readonly PolicyQuestion[]): Promise<Answer[]> {
  const target = parseServer(url);
  const answers: Answer[] = [];
  for (const batch of batchesOf(questions.map((question) => JSON.stringify(formatQuestion(question))))) {
    answers.push(...await ask(target, batch));
  }
  return answers;
}

async function ask(target: URL, questions: readonly string[]): Promise<Answer[]> {
  const answer = await fetch(target, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...authorization() },
    body: `{"questions":[${questions.join(",")}]}`,
    redirect: "error",
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  }).catch((error: Error) => {
    throw new Misuse(`Cannot reach ${target.origin}: ${error.message}`, { cause: error });
  });
  const text = await answer.text();
  if (!answer.ok) {
    throw new Misuse(`Cannot ask ${target.origin}: ${answer.status} ${reasonOf(answer.status, text)}`);
  }
  const decisions = readDecisions(text);
  if (decisions?.length === questions.length) return decisions;
  throw new Misuse(`Cannot ask ${target.origin}: its answer is not one of sreg's`);
}

function parseServer(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol)) {
    throw new Misuse(`Cannot ask ${JSON.stringify(url)}: expected a URL such as https://registry.example`);
  }
  if (parsed.username || parsed.password) {
    throw new Misuse("Cannot ask the server: SREG_USERNAME and SREG_PASSWORD carry credentials, not the URL");
  }
  return new URL(PATH, parsed);
}

function authorization(): Record<string, string> {
  const [token, username, password] = ["SREG_TOKEN", "SREG_USERNAME", "SREG_PASSWORD"].map((name) =>
    Deno.env.get(name)
  );
  if (token) return { Authorization: `Bearer ${token}` };
  if (!username) return {};
  const pair = new TextEncoder().encode(`${username}:${password ?? ""}`);
  return { Authorization: `Basic ${pair.toBase64()}` };
}

function* batchesOf(questions: readonly string[]): Generator<string[]> {
  let batch: string[] = [];
  let bytes = 0;
  for (const question of questions) {
    const length = new TextEncoder().encode(question).byteLength + 1;
    if (batch.length > 0 && bytes + length > BODY_BYTES_MAX) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(question);
    bytes += length;
  }
  if (batch.length > 0) yield batch;
}

function reasonOf(status: number, text: string): string {
  if (status === 404) return "it has no such API: is it sreg?";
  try {
    const { errors } = JSON.parse(text) as { errors: { message: string }[] };
    return errors.map(({ message }) => message).join("; ");
  } catch {
    return text.trim().slice(0, 200);
  }
}

interface WireDecision {
  readonly decision: "allow" | "deny";
  readonly rule: string;
  readonly reason: string;
  readonly warnings: readonly string[];
}

function readDecisions(text: string): Answer[] | undefined {
  try {
    const { decisions } = JSON.parse(text) as { decisions: readonly WireDecision[] };
    return decisions.map(({ decision, rule, reason, warnings }) => {
      if (![decision, rule, reason].every((item) => typeof item === "string")) throw new TypeError();
      return { effect: decision === "allow" ? "allow" : "deny", rule, reason, warnings };
    });
  } catch {
    return undefined;
  }
}
