import type { Policy, PolicyAnswer, PolicyQuestion } from "../../plugins/contract/policy.ts";

/** A policy of the chain. */
export interface NamedPolicy {
  /** As `[access] policies` names it: `cel`, `webhook.audit`. */
  readonly name: string;
  readonly policy: Policy;
}

/** What the chain came to. */
export interface Decision {
  readonly allowed: boolean;
  /** The rule that decided. */
  readonly rule: string;
  /** Why, for the log and the operator. */
  readonly reason: string;
  /** What went wrong in a policy, and made it a denial. */
  readonly warnings: readonly string[];
  /** How long it holds for the same question but for its time, in milliseconds. */
  readonly cacheForMs: number;
}

/**
 * Asks every policy of the chain and puts their answers together: an explicit denial wins, then an explicit permission,
 * then a policy's own default, a denial before a permission. Where no policy says anything: nobody may, if there are
 * policies; if there are none, whoever `isKnown`. A policy that fails has denied.
 */
export async function decide(
  policies: readonly NamedPolicy[],
  question: PolicyQuestion,
  { isKnown }: { readonly isKnown: boolean },
): Promise<Decision> {
  const answers = await Promise.all(policies.map(({ name, policy }) => ask(name, policy, question)));
  const warnings = answers.flatMap(({ warning }) => warning === undefined ? [] : [warning]);
  const cacheForMs = Math.min(...answers.map(({ cacheForMs = 0 }) => cacheForMs), CACHE_MAX_MS);
  return { ...combine(answers, isKnown), warnings, cacheForMs };
}

const CACHE_MAX_MS = 60_000;

function combine(
  answers: readonly PolicyAnswer[],
  isKnown: boolean,
): Pick<Decision, "allowed" | "rule" | "reason"> {
  const found = (effect: PolicyAnswer["effect"]) => answers.find((answer) => answer.effect === effect);
  const falls = (fallback: PolicyAnswer["fallback"]) =>
    answers.find((answer) => answer.effect === "abstain" && answer.fallback === fallback);
  const deciding = found("deny") ?? found("allow") ?? falls("deny") ?? falls("allow");
  if (deciding) {
    const { effect, fallback, rule, reason } = deciding;
    return { allowed: (effect === "abstain" ? fallback : effect) === "allow", rule, reason };
  }
  if (answers.length > 0) return { allowed: false, rule: "default", reason: "no policy allows it" };
  const reason = isKnown ? "no policy is configured" : "no policy is configured, and the caller is anonymous";
  return { allowed: isKnown, rule: "default", reason };
}

async function ask(name: string, policy: Policy, question: PolicyQuestion): Promise<PolicyAnswer> {
  try {
    return await policy.decide(question);
  } catch (error) {
    const { message } = error as Error;
    return { effect: "deny", rule: `policy.${name}`, reason: "the policy did not answer", warning: message };
  }
}
