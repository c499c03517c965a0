import type { PolicyQuestion } from "../../plugins/contract/policy.ts";
import { assertEquals } from "../../tests/support/assert.ts";
import { ANONYMOUS, askedBy, formatQuestion, parseQuestion } from "./policy_questions.ts";

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
    username: "bob",
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
  ahead: false,
};

const EMPTY: PolicyQuestion = { ...askedBy({ identity: ANONYMOUS, action: "list-catalog" }), timeMs: 0 };

Deno.test("parseQuestion() reads what formatQuestion() wrote", () => {
  const claims = { sub: "1", nested: { list: [1, null, true] } };
  const asked = { ...FULL, identity: { ...FULL.identity, claims } };
  for (const question of [asked, EMPTY]) {
    assertEquals(parseQuestion(JSON.parse(JSON.stringify(formatQuestion(question))), "it"), question);
  }
});

Deno.test("askedBy() fills in what a request of the action would have", () => {
  const ask = (
    action: "put-manifest" | "get-manifest" | "cancel-upload" | "start-upload",
    reference?: string,
  ) => {
    const { digest, tags, method } = askedBy({ identity: ANONYMOUS, action, repository: "a", reference });
    return { digest, tags, method };
  };
  const digest = `sha256:${"b".repeat(64)}`;
  assertEquals([
    ask("put-manifest", "v1"),
    ask("put-manifest", digest),
    ask("get-manifest", "v1"),
    ask("cancel-upload"),
    ask("start-upload"),
  ], [
    { digest: null, tags: ["v1"], method: "PUT" },
    { digest, tags: [], method: "PUT" },
    { digest: null, tags: [], method: "GET" },
    { digest: null, tags: [], method: "DELETE" },
    { digest: null, tags: [], method: "POST" },
  ]);
});
