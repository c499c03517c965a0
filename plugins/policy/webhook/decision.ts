import type { PolicyAnswer } from "@sreg/contract/policy.ts";
import { readCount, readOptional, readWord } from "@sreg/contract/wire_shapes.ts";
import type { Reply } from "../../webhook/caller.ts";
import { readKnown, readWords } from "../../webhook/replies.ts";
import type { Meaning } from "../../webhook/webhook.ts";

/** What a service decided. */
export type Decision = Pick<PolicyAnswer, "effect" | "reason">;

/**
 * The decision that a reply means: by its content, `{ decision, reason?, cache_seconds? }`, or, where it has none, by
 * its status. Throws where it means none.
 */
export function readDecision({ status, content }: Reply): Meaning<Decision> {
  if (status === 404) throw new TypeError("it answered 404");
  if (status !== 200) return { answer: { effect: "deny", reason: `the webhook answered ${status}` } };
  if (content === undefined) return { answer: { effect: "allow", reason: "the webhook answered 200" } };
  const properties = readKnown(content, ["decision", "reason", "cache_seconds"]);
  const effect = readWord(properties["decision"], ["allow", "deny", "abstain"]);
  const { reason = `the webhook said ${effect}` } = readOptional(properties, "reason", readWords);
  const { cache_seconds: seconds } = readOptional(properties, "cache_seconds", readCount);
  return { answer: { effect, reason }, ...(seconds !== undefined && { holdsMs: seconds * 1_000 }) };
}
