import type { Identity } from "../../plugins/contract/identity.ts";
import type { PolicyQuestion, RuleVerdict } from "../../plugins/contract/policy.ts";
import { decide, type Decision, type NamedPolicy } from "../access/policies.ts";

/** What the chain of policies is made of. */
export interface PolicyChain {
  readonly policies: readonly NamedPolicy[];
  /** Whether there is anybody to be: auth plugins, client certificates. */
  readonly hasAuth: boolean;
}

/** What became of one rule of a policy. */
export interface PolicyVerdict extends RuleVerdict {
  /** The policy, as `[access] policies` names it. */
  readonly policy: string;
}

/** What the chain says of a question: as it would of a request. */
export function decideQuestion(
  { policies, hasAuth }: PolicyChain,
  question: PolicyQuestion,
): Promise<Decision> {
  return decide(policies, question, { isKnown: !hasAuth || isSomebody(question.identity) });
}

/** What becomes of every rule of the chain, in its order. One that cannot be asked says so as its verdict. */
export async function explainQuestion(
  { policies }: PolicyChain,
  question: PolicyQuestion,
): Promise<readonly PolicyVerdict[]> {
  const verdicts = await Promise.all(policies.map(async ({ name, policy }) => {
    const told = await tell(name, policy, question);
    return told.map((verdict) => ({ policy: name, ...verdict }));
  }));
  return verdicts.flat();
}

function isSomebody({ id, certificate }: Identity): boolean {
  return id !== null || certificate !== null;
}

async function tell(
  name: string,
  policy: NamedPolicy["policy"],
  question: PolicyQuestion,
): Promise<readonly RuleVerdict[]> {
  const rule = `policy.${name}`;
  try {
    if (policy.explain) return await policy.explain(question);
    const { effect, reason } = await policy.decide(question);
    return [{ rule, text: reason, verdict: effect }];
  } catch (error) {
    return [{ rule, text: "did not answer", verdict: (error as Error).message }];
  }
}
