import type { PolicyQuestion } from "../../plugins/contract/policy.ts";
import { assertEquals } from "../../tests/support/assert.ts";
import { createLog } from "../observe/log.ts";
import { DECIDED, formatDecisionFields, parseDecisionLine } from "./decision_lines.ts";
import { ANONYMOUS, askedBy } from "./policy_questions.ts";

const CERTIFICATE = {
  commonNames: ["ci"],
  organizations: ["Example"],
  dnsNames: ["ci.example"],
  uris: ["spiffe://example/ci"],
  emails: ["ci@example"],
  fingerprint: "0".repeat(64),
};

const FULL: PolicyQuestion = {
  identity: {
    id: "oidc:1",
    username: "b\u202eob",
    groups: ["a", "b"],
    claims: {},
    provider: "https://issuer.example",
    certificate: CERTIFICATE,
  },
  action: "put-manifest",
  namespace: "team/app",
  digest: `sha256:${"a".repeat(64)}`,
  reference: "v1",
  tags: ["v1", "v2"],
  method: "PUT",
  clientAddress: "2001:db8::1",
  timeMs: 0,
  ahead: true,
};

const EMPTY: PolicyQuestion = { ...askedBy({ identity: ANONYMOUS, action: "list-catalog" }), timeMs: 0 };

/** The line that the log would have, and what is read from it. */
function logged(question: PolicyQuestion) {
  let line = "";
  const log = createLog("debug", (text) => line = text);
  log.debug(DECIDED, { ...formatDecisionFields(question), allowed: true, rule: "r", reason: "x" });
  const read = parseDecisionLine(line)!;
  return { line, read: { ...read, question: { ...read.question, timeMs: 0 } } };
}

Deno.test("parseDecisionLine() reads from a line what formatDecisionFields() wrote", () => {
  for (const question of [FULL, EMPTY]) {
    assertEquals(logged(question).read, { question, allowed: true, lacksClaims: false });
  }
});

Deno.test("formatDecisionFields() keeps the values of claims to itself", () => {
  const question = { ...FULL, identity: { ...FULL.identity, claims: { email: "bob@home.example" } } };
  const { line, read } = logged(question);
  assertEquals(line.includes("bob@home.example"), false);
  assertEquals(read, { question: FULL, allowed: true, lacksClaims: true });
});

Deno.test("parseDecisionLine() has nothing to say of other lines", () => {
  const line = { time: "2025-11-03T10:00:00.000Z", message: DECIDED, action: "get-blob", allowed: true };
  const others = [
    { ...line, message: "Served a request" },
    { ...line, time: "today" },
    { ...line, allowed: "yes" },
    { ...line, action: undefined },
    null,
    7,
    [],
  ];
  assertEquals(others.map((other) => parseDecisionLine(JSON.stringify(other))), others.map(() => undefined));
  assertEquals(parseDecisionLine('{"message":"Decided",'), undefined);
  assertEquals(parseDecisionLine(JSON.stringify(line))?.question.action, "get-blob");
});
