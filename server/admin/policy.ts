import { jsonAnswer } from "../api/answer.ts";
import type { Call } from "../api/endpoint.ts";
import type { Registry } from "../registry/registry.ts";
import { readFields } from "./body.ts";
import { decideQuestion, explainQuestion, type PolicyChain } from "./explanation.ts";
import { parseQuestion } from "./policy_questions.ts";
import { type AdminRoute, adminRoute, FLAG, listSchema, objectSchema, TEXT, TEXTS } from "./route.ts";

/** A request for decisions: its access knows the chain. */
export interface PolicyCall extends Call {
  readonly access: Call["access"] & PolicyChain;
}

const QUESTIONS_MAX = 1_000;

const QUESTION = {
  type: "object",
  properties: {
    identity: { type: "object" },
    action: TEXT,
    repository: TEXT,
    reference: TEXT,
    digest: TEXT,
    tags: TEXTS,
    client_address: TEXT,
    method: TEXT,
    time: TEXT,
  },
  required: ["action"],
};

const VERDICT = objectSchema({ policy: TEXT, rule: TEXT, text: TEXT, verdict: TEXT }, { optional: ["text"] });

const DECISION = objectSchema({
  decision: { enum: ["allow", "deny"] },
  rule: TEXT,
  reason: TEXT,
  warnings: TEXTS,
  verdicts: listSchema(VERDICT),
}, { optional: ["verdicts"] });

/** The rows about policies. */
export function policyRoutes(): readonly AdminRoute[] {
  return [
    adminRoute("POST", "/admin/v1/policy/decide", {
      action: "admin.explain-policy",
      summary: "What the policies say of questions that nobody asked in earnest",
      body: objectSchema({ questions: listSchema(QUESTION), explain: FLAG }, { optional: ["explain"] }),
      answer: { status: 200, schema: objectSchema({ decisions: listSchema(DECISION) }) },
      endpoint: decide,
    }),
  ];
}

/**
 * `POST /admin/v1/policy/decide`: what the policies say of `questions`, which nobody asked in earnest; with `explain: true`
 * also what became of each rule. Answers `{ decisions }` in the order of the questions.
 */
async function decide(_: Registry, call: PolicyCall): Promise<Response> {
  const fields = await readFields(call, ["questions", "explain"]);
  const asked = fields.required("questions", (value) => Array.isArray(value) ? value : undefined);
  if (asked.length > QUESTIONS_MAX) throw fields.refuse("questions", `at most ${QUESTIONS_MAX}`);
  const explains = fields.optional("explain", (value) => typeof value === "boolean" ? value : undefined);
  const questions = asked.map((value, index) => parseQuestion(value, `questions[${index}]`));
  const decisions = await Promise.all(questions.map(async (question) => {
    const { allowed, rule, reason, warnings } = await decideQuestion(call.access, question);
    const verdicts = explains ? await explainQuestion(call.access, question) : undefined;
    return {
      decision: allowed ? "allow" : "deny",
      rule,
      reason,
      warnings,
      ...(verdicts && { verdicts }),
    };
  }));
  return jsonAnswer({ decisions });
}
