import { createHmac } from "node:crypto";
import type { PolicyQuestion } from "../../plugins/contract/policy.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { answers, type Deed, type Received, says, startOutside } from "./outside.ts";
import { PULL, startPolicy } from "./scene.ts";

const CERTIFICATE = {
  commonNames: ["ada"],
  organizations: ["math"],
  dnsNames: [],
  uris: ["spiffe://corp/ada"],
  emails: [],
  fingerprint: "ab".repeat(32),
};

const RULE = "policy.webhook.main";

Deno.test("a policy webhook is told every fact, in the protocol's words", async () => {
  await using service = await startOutside(says({ decision: "allow" }));
  await using scene = await startPolicy(service.url);
  const identity = { ...PULL.identity, certificate: CERTIFICATE };
  await scene.policy.decide({ ...PULL, identity });
  const [question] = service.questions as [Received];
  assertEquals([question.method, question.path], ["POST", "/decide"]);
  assertEquals(question.headers["content-type"], "application/json");
  assertEquals(question.headers["x-sreg-signature"], undefined);
  assertEquals(question.headers["authorization"], undefined);
  assertEquals(question.json, {
    action: "get-manifest",
    namespace: "team/app",
    digest: null,
    reference: "v1",
    tags: [],
    method: "GET",
    client_address: "192.0.2.1",
    time: "2030-01-31T12:00:00.000Z",
    ahead: false,
    identity: {
      id: "identity:ada",
      username: "ada",
      groups: ["math"],
      claims: { team: "engine" },
      provider: null,
      certificate: {
        common_names: ["ada"],
        organizations: ["math"],
        dns_names: [],
        uris: ["spiffe://corp/ada"],
        emails: [],
        fingerprint: "ab".repeat(32),
      },
    },
  });
});

Deno.test("a policy webhook is told no more than `send` names", async () => {
  await using service = await startOutside(says({ decision: "allow" }));
  await using scene = await startPolicy(service.url, 'send = ["action", "namespace", "identity.username"]');
  await scene.policy.decide(PULL);
  assertEquals(service.questions[0]!.json, {
    action: "get-manifest",
    namespace: "team/app",
    identity: { username: "ada" },
  });
});

const DECISIONS: readonly (readonly [does: string, deed: Deed, effect: string, reason: string])[] = [
  ["allows", says({ decision: "allow" }), "allow", "the webhook said allow"],
  ["denies with a reason", says({ decision: "deny", reason: "freeze" }), "deny", "freeze"],
  ["abstains", says({ decision: "abstain" }), "abstain", "the webhook said abstain"],
  ["hides an escape in its reason", says({ decision: "deny", reason: "a\u001b[2Jb\nc" }), "deny", "a [2Jb c"],
  ["answers 200 and nothing else", answers(200), "allow", "the webhook answered 200"],
  ["answers 401", answers(401), "deny", "the webhook answered 401"],
  ["answers 403", answers(403), "deny", "the webhook answered 403"],
  ["answers 403 and says allow", sayAllowWith403, "deny", "the webhook answered 403"],
];

function sayAllowWith403(response: Parameters<Deed>[0]): void {
  response.writeHead(403, { "Content-Type": "application/json" }).end('{"decision":"allow"}');
}

Deno.test("a policy webhook's decision is taken from a service that", async (t) => {
  await using service = await startOutside(answers(500));
  await using scene = await startPolicy(service.url);
  for (const [does, deed, effect, reason] of DECISIONS) {
    await t.step(does, async () => {
      service.does(deed);
      assertEquals(await scene.policy.decide(PULL), { effect, rule: RULE, reason, cacheForMs: 0 });
    });
  }
});

/** What a service does that checks signatures as docs/webhooks.md says. */
function checkSignature(secret: string): Deed {
  return (response, { headers, body }) => {
    const [, seconds = "", mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers["x-sreg-signature"] ?? "") ?? [];
    const expected = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
    const isFresh = Math.abs(Date.now() / 1_000 - Number(seconds)) < 60;
    return answers(isFresh && mac === expected ? 200 : 403)(response, undefined as never);
  };
}

Deno.test("a policy webhook signs its questions so that only the right secret fits", async () => {
  await using service = await startOutside(checkSignature("correct horse"));
  await using right = await startPolicy(service.url, 'secret = "correct horse"');
  await using wrong = await startPolicy(service.url, 'secret = "battery staple"');
  assertEquals((await right.policy.decide(PULL)).effect, "allow");
  assertEquals((await wrong.policy.decide(PULL)).effect, "deny");
});

Deno.test("a policy webhook reads its secret from a file, without the line's end", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "correct horse\n");
  await using service = await startOutside(checkSignature("correct horse"));
  await using scene = await startPolicy(service.url, `secret_file = "${path}"`);
  await Deno.remove(path);
  assertEquals((await scene.policy.decide(PULL)).effect, "allow");
});

Deno.test("a policy webhook says who it is by a bearer token or a password", async () => {
  await using service = await startOutside(says({ decision: "allow" }));
  await using bearer = await startPolicy(service.url, 'bearer_token = "abc"');
  await using basic = await startPolicy(service.url, 'basic_auth = { username = "sreg", password = "p:ß" }');
  await bearer.policy.decide(PULL);
  await basic.policy.decide(PULL);
  assertEquals(service.questions.map(({ headers }) => headers["authorization"]), [
    "Bearer abc",
    "Basic c3JlZzpwOsOf",
  ]);
});

Deno.test("a policy webhook asks again for each question where nobody says that answers hold", async () => {
  await using service = await startOutside(says({ decision: "allow" }));
  await using scene = await startPolicy(service.url);
  await scene.policy.decide(PULL);
  await scene.policy.decide(PULL);
  assertEquals(service.questions.length, 2);
});

const CHANGES: Readonly<Record<string, Partial<PolicyQuestion>>> = {
  action: { action: "put-manifest" },
  namespace: { namespace: "team/other" },
  digest: { digest: `sha256:${"0".repeat(64)}` },
  reference: { reference: "v2" },
  tags: { tags: ["v1"] },
  method: { method: "HEAD" },
  client_address: { clientAddress: "192.0.2.2" },
  ahead: { ahead: true },
  "identity.id": { identity: { ...PULL.identity, id: "identity:bob" } },
  "identity.username": { identity: { ...PULL.identity, username: "bob" } },
  "identity.groups": { identity: { ...PULL.identity, groups: ["math", "root"] } },
  "identity.claims": { identity: { ...PULL.identity, claims: { team: "other" } } },
  "identity.provider": { identity: { ...PULL.identity, provider: "github" } },
  "identity.certificate": { identity: { ...PULL.identity, certificate: CERTIFICATE } },
};

Deno.test("a policy webhook's cached answer is used", async (t) => {
  await using service = await startOutside(says({ decision: "allow" }));
  await using scene = await startPolicy(service.url, 'cache = "1h"');
  await scene.policy.decide(PULL);
  await t.step("again at another time, and says how long it still holds", async () => {
    const { cacheForMs = 0 } = await scene.policy.decide({ ...PULL, timeMs: PULL.timeMs + 1 });
    assertEquals(service.questions.length, 1);
    assert(cacheForMs > 3_500_000 && cacheForMs <= 3_600_000);
  });
  for (const [fact, change] of Object.entries(CHANGES)) {
    await t.step(`not for another ${fact}`, async () => {
      const before = service.questions.length;
      await scene.policy.decide({ ...PULL, ...change });
      assertEquals(service.questions.length, before + 1);
    });
  }
});

Deno.test("a policy webhook uses an answer for as long as the service says", async () => {
  await using service = await startOutside(says({ decision: "allow", cache_seconds: 0 }));
  await using scene = await startPolicy(service.url, "cache_ttl = 60");
  assertEquals((await scene.policy.decide(PULL)).cacheForMs, 0);
  service.does(says({ decision: "deny", cache_seconds: 600 }));
  const { cacheForMs = 0, effect } = await scene.policy.decide(PULL);
  assert(cacheForMs > 590_000 && cacheForMs <= 600_000);
  service.does(says({ decision: "allow" }));
  assertEquals([effect, (await scene.policy.decide(PULL)).effect, service.questions.length], [
    "deny",
    "deny",
    2,
  ]);
});

Deno.test("a policy webhook uses no answer for longer than an hour, whatever the service says", async () => {
  await using service = await startOutside(
    says({ decision: "allow", cache_seconds: Number.MAX_SAFE_INTEGER }),
  );
  await using scene = await startPolicy(service.url);
  const { cacheForMs = 0 } = await scene.policy.decide(PULL);
  assert(cacheForMs > 3_500_000 && cacheForMs <= 3_600_000);
});

Deno.test("a policy webhook explains itself by what the service says", async () => {
  await using service = await startOutside(says({ decision: "deny", reason: "freeze" }));
  await using scene = await startPolicy(`${service.url}?key=hidden`);
  const [verdict, ...others] = await scene.policy.explain!(PULL);
  assertEquals(others, []);
  assertEquals(verdict, { rule: RULE, text: `asks ${service.url}`, verdict: "deny: freeze" });
  assertMatch(service.questions[0]!.path, /\?key=hidden$/);
});
