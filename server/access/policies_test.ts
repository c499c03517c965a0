import { ANONYMOUS } from "../../plugins/contract/identity.ts";
import type { PolicyAnswer, PolicyQuestion } from "../../plugins/contract/policy.ts";
import { assertEquals } from "../../tests/support/assert.ts";
import { decide } from "./policies.ts";

const QUESTION: PolicyQuestion = {
  identity: ANONYMOUS,
  action: "get-manifest",
  namespace: "a",
  digest: null,
  reference: "v1",
  tags: [],
  method: "GET",
  clientAddress: "127.0.0.1",
  timeMs: 0,
  ahead: false,
};

/** A policy that answers what the word says; `fails` does not answer. */
function policyOf(word: string) {
  const decide = (): Promise<PolicyAnswer> => {
    if (word === "fails") return Promise.reject(new Error("it is silent"));
    const [effect, fallback] = word.split("/") as [PolicyAnswer["effect"], PolicyAnswer["fallback"]];
    return Promise.resolve({ effect, rule: word, reason: word, ...(fallback && { fallback }) });
  };
  return { name: word, policy: { decide } };
}

Deno.test("decide() puts the answers of the chain together", async (t) => {
  const cases: [answers: string[], isKnown: boolean, allowed: boolean, rule: string][] = [
    [[], true, true, "default"],
    [[], false, false, "default"],
    [["abstain"], true, false, "default"],
    [["allow"], false, true, "allow"],
    [["deny"], true, false, "deny"],
    [["allow", "deny"], true, false, "deny"],
    [["abstain/allow", "deny"], true, false, "deny"],
    [["abstain/deny", "allow"], true, true, "allow"],
    [["abstain/allow", "abstain/deny"], true, false, "abstain/deny"],
    [["abstain/allow", "abstain"], true, true, "abstain/allow"],
    [["fails"], true, false, "policy.fails"],
    [["allow", "fails"], true, false, "policy.fails"],
  ];
  for (const [answers, isKnown, allowed, rule] of cases) {
    const who = isKnown ? "somebody" : "nobody";
    await t.step(
      `${answers.join(" and ") || "nothing"} for ${who}: ${allowed ? "allowed" : "denied"} by ${rule}`,
      async () => {
        const decision = await decide(answers.map(policyOf), QUESTION, { isKnown });
        assertEquals({ allowed: decision.allowed, rule: decision.rule }, { allowed, rule });
      },
    );
  }
});

Deno.test("decide() tells of a policy that did not answer, and keeps nothing of it", async () => {
  const decision = await decide([policyOf("fails")], QUESTION, { isKnown: true });
  assertEquals(decision.warnings, ["it is silent"]);
  assertEquals(decision.cacheForMs, 0);
});

Deno.test("decide() answers how long all answers hold", async () => {
  const lasting = (cacheForMs: number) => ({
    name: "a",
    policy: { decide: () => Promise.resolve({ effect: "allow", rule: "", reason: "", cacheForMs } as const) },
  });
  assertEquals((await decide([lasting(5), lasting(7)], QUESTION, { isKnown: true })).cacheForMs, 5);
  assertEquals((await decide([lasting(5), policyOf("allow")], QUESTION, { isKnown: true })).cacheForMs, 0);
});
