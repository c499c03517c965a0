/** Services that are slow, down, or lying: none of it may ever read as a permission. */

import { gzipSync } from "node:zlib";
import type { PolicyAnswer } from "../../plugins/contract/policy.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { answers, type Deed, says, startOutside, writes } from "./outside.ts";
import { PULL, showBasic, startAuth, startPolicy } from "./scene.ts";

const ALLOW = '{"decision":"allow"}';
const JSON_TYPE = "Content-Type: application/json";
const TIMEOUT_MS = 1_000;

/** What a service does, and what the operator is told of it. */
type Lie = readonly [does: string, deed: Deed, told: RegExp];

const LIES: readonly Lie[] = [
  ["never answers", () => {}, /no answer within 1000 ms$/],
  [
    "sends half of its head",
    (response) => response.socket!.write("HTTP/1.1 200 O"),
    /no answer within 1000 ms$/,
  ],
  ["sends a body a byte a time, for ever", drip, /no answer within 1000 ms$/],
  [
    "sends a head, then nothing",
    (response) => response.writeHead(200, JSON_HEADERS).flushHeaders(),
    /within 1000/,
  ],
  ["ends the connection", (response) => response.socket!.destroy(), /connection/],
  ["speaks no HTTP", writes("220 mail.corp ESMTP", "", ""), /invalid HTTP/],
  ["breaks off in the body", writes("HTTP/1.1 200 OK", JSON_TYPE, "Content-Length: 99", "", ALLOW), /body/],
  ["breaks off before the body", writes("HTTP/1.1 200 OK", "", ""), /expected application\/json, found/],
  ["breaks off before a body of JSON", writes("HTTP/1.1 200 OK", JSON_TYPE, "", ""), /is no JSON$/],
  [
    "breaks off between chunks",
    writes("HTTP/1.1 200 OK", JSON_TYPE, "Transfer-Encoding: chunked", "", "14", ALLOW, ""),
    /body/,
  ],
  ["answers 500", answers(500), /it answered 500$/],
  ["answers 503 and says allow", status(503), /it answered 503$/],
  ["answers 429", answers(429), /it answered 429$/],
  ["answers 400", answers(400), /it answered 400$/],
  ["answers 201 and says allow", status(201), /it answered 201$/],
  ["answers 204", answers(204), /it answered 204$/],
  ["answers HTML", typed("text/html", "<h1>Welcome</h1>"), /expected application\/json, found "text\/html"$/],
  ["calls JSON HTML", typed("text/html", ALLOW), /expected application\/json, found "text\/html"$/],
  ["calls JSON almost JSON", typed("application/json-seq", ALLOW), /expected application\/json/],
  ["calls HTML JSON", typed("application/json", "<h1>Welcome</h1>"), /is no JSON$/],
  [
    "sends 10 MB",
    typed("application/json", `{"decision":"allow","reason":"${"x".repeat(10e6)}"}`),
    /larger than 65536/,
  ],
  ["sends 65,537 bytes", typed("application/json", ALLOW.padEnd(65_537)), /larger than 65536 bytes$/],
  ["sends 10 MB as few", zipped(`{"decision":"allow","reason":"${"x".repeat(10e6)}"}`), /larger than 65536/],
  ["sends what is not UTF-8", typed("application/json", new Uint8Array([0x22, 0xff, 0x22])), /is no JSON$/],
  ["nests without end", typed("application/json", "[".repeat(60_000)), /is no JSON$/],
];

const JSON_HEADERS = { "Content-Type": "application/json" };

function drip(response: Parameters<Deed>[0]): void {
  response.writeHead(200, JSON_HEADERS);
  const timer = setInterval(() => response.write(" "), 20);
  response.on("close", () => clearInterval(timer));
}

function status(code: number): Deed {
  return (response) => response.writeHead(code, JSON_HEADERS).end(ALLOW);
}

function typed(type: string, body: string | Uint8Array): Deed {
  return (response) => response.writeHead(200, { "Content-Type": type }).end(body);
}

function zipped(body: string): Deed {
  const bytes = gzipSync(body);
  return (response) => response.writeHead(200, { ...JSON_HEADERS, "Content-Encoding": "gzip" }).end(bytes);
}

/** Contents that are no decision, each with what is said of it. */
const NONSENSE: readonly (readonly [content: unknown, told: RegExp])[] = [
  [null, /expected an object, found null/],
  [[], /expected an object/],
  ["allow", /expected an object, found allow/],
  [{}, /expected one of allow, deny, abstain, found undefined/],
  [{ decision: "Allow" }, /expected one of allow, deny, abstain, found Allow/],
  [{ decision: true }, /expected one of allow, deny, abstain, found true/],
  [{ decision: ["allow"] }, /expected one of allow, deny, abstain/],
  [{ allow: true }, /there is no property "allow"/],
  [{ decision: "allow", cacheSeconds: 1 }, /there is no property "cacheSeconds"/],
  [{ decision: "allow", reason: 1 }, /expected a text, found 1/],
  [{ decision: "allow", cache_seconds: -1 }, /expected a length, found -1/],
  [{ decision: "allow", cache_seconds: 1.5 }, /expected a length, found 1.5/],
];

/** A denial that is silence's, and what the operator is told. */
function assertSilent({ warning, ...answer }: PolicyAnswer, told: RegExp): void {
  assertEquals(answer, {
    effect: "deny",
    rule: "policy.webhook.main",
    reason: "the webhook did not answer",
  });
  assertMatch(warning ?? "", told);
  assertMatch(warning ?? "", /^Cannot ask https?:\/\/127\.0\.0\.1:\d+\/decide: /);
}

Deno.test("a policy webhook denies, and says why, where the service", async (t) => {
  await using service = await startOutside(answers(200));
  // Such answers would be kept if they were taken for some.
  await using scene = await startPolicy(service.url, `timeout_ms = ${TIMEOUT_MS}`, 'cache = "1h"');
  for (const [does, deed, told] of LIES) {
    await t.step(does, async () => {
      service.does(deed);
      const startMs = performance.now();
      assertSilent(await scene.policy.decide(PULL), told);
      assert(performance.now() - startMs < TIMEOUT_MS + 2_000);
    });
  }
  for (const [content, told] of NONSENSE) {
    await t.step(`says ${JSON.stringify(content)}`, async () => {
      service.does(says(content));
      assertSilent(await scene.policy.decide(PULL), told);
    });
  }
  await t.step("answers 404", async () => {
    service.does(answers(404));
    assertSilent(await scene.policy.decide(PULL), /it answered 404$/);
  });
  await t.step("was silent so far, and denies no longer when it answers", async () => {
    service.does(says({ decision: "allow" }));
    assertEquals((await scene.policy.decide(PULL)).effect, "allow");
  });
});

Deno.test("a policy webhook follows no redirect, not even one that keeps the method", async () => {
  await using elsewhere = await startOutside(says({ decision: "allow" }));
  await using service = await startOutside((response) =>
    response.writeHead(307, { Location: elsewhere.url, "Content-Length": "0" }).end()
  );
  await using scene = await startPolicy(service.url);
  assertSilent(await scene.policy.decide(PULL), /it answered 307, and redirects are not followed$/);
  assertEquals(elsewhere.questions, []);
});

Deno.test("a policy webhook denies while the service is down", async () => {
  const service = await startOutside(says({ decision: "allow" }));
  await using scene = await startPolicy(service.url);
  assertEquals((await scene.policy.decide(PULL)).effect, "allow");
  await service.stop();
  assertSilent(await scene.policy.decide(PULL), /refused/);
});

Deno.test("a policy webhook keeps a query out of the log", async () => {
  const service = await startOutside(says({ decision: "allow" }));
  await using scene = await startPolicy(`${service.url}?key=hidden`);
  await service.stop();
  const { warning } = await scene.policy.decide(PULL);
  assertEquals(warning?.includes("hidden"), false);
});

Deno.test("a policy webhook allows where there is no answer and the operator wants that, and warns", async () => {
  await using service = await startOutside(answers(500));
  await using scene = await startPolicy(service.url, 'on_silence = "allow"');
  const { warning, ...answer } = await scene.policy.decide(PULL);
  assertEquals(answer, {
    effect: "allow",
    rule: "policy.webhook.main",
    reason: "the webhook did not answer",
  });
  assertMatch(warning ?? "", /: it answered 500$/);
  service.does(answers(403));
  assertEquals((await scene.policy.decide(PULL)).effect, "deny");
});

Deno.test("a policy webhook asks no more than calls_max questions at once", async () => {
  const release = Promise.withResolvers<void>();
  await using service = await startOutside(async (response, question) => {
    await release.promise;
    await says({ decision: "allow" })(response, question);
  });
  await using scene = await startPolicy(service.url, "calls_max = 2", 'timeout = "10s"');
  const waiting = [scene.policy.decide(PULL), scene.policy.decide(PULL)];
  await service.asked(2);
  assertSilent(await scene.policy.decide(PULL), /2 questions are under way already$/);
  release.resolve();
  assertEquals((await Promise.all(waiting)).map(({ effect }) => effect), ["allow", "allow"]);
  assertEquals([(await scene.policy.decide(PULL)).effect, service.questions.length], ["allow", 3]);
});

/** Contents that are no identity, each with what is said of it. */
const NOBODY: readonly (readonly [content: unknown, told: RegExp])[] = [
  [{}, /expected an object, found undefined/],
  [{ identity: "ada" }, /expected an object, found ada/],
  [{ identity: {} }, /expected a text, found undefined/],
  [{ identity: { id: "" } }, /expected a name/],
  [{ identity: { id: "a\u202eb" } }, /expected a name/],
  [{ identity: { id: "7", username: "a\nb" } }, /expected a name/],
  [{ identity: { id: "7", groups: "admin" } }, /expected a list/],
  [{ identity: { id: "7", groups: [1] } }, /expected a text, found 1/],
  [{ identity: { id: "7", claims: [] } }, /expected an object/],
  [{ identity: { id: "7", claims: JSON.parse('{"a":'.repeat(20) + "1" + "}".repeat(20)) } }, /of some depth/],
  [{ identity: { id: "7", is_admin: true } }, /there is no property "is_admin"/],
  [{ identity: { id: "7" }, expires_at: 1_900_000_000 }, /expected a text/],
  [{ identity: { id: "7" }, expires_at: "tomorrow" }, /expected a time/],
  [{ identity: { id: "7" }, expiresAt: "2030-01-31T12:00:00Z" }, /there is no property "expiresAt"/],
];

Deno.test("an auth webhook cannot find out, and says why, where the service", async (t) => {
  await using service = await startOutside(answers(500));
  await using scene = await startAuth(service.url, `timeout_ms = ${TIMEOUT_MS}`, 'cache = "1h"');
  const steps: readonly Lie[] = [
    ...LIES,
    ...NOBODY.map(([content, told]) => [`says ${JSON.stringify(content)}`, says(content), told] as const),
    ["answers 200 and nothing else", answers(200), /expected an object/],
  ];
  for (const [does, deed, told] of steps) {
    await t.step(does, async () => {
      service.does(deed);
      await assertRejects(scene.auth.authenticate(showBasic("ada", "secret-of-hers")), (error: Error) => {
        const { name, code, message } = error as Error & { readonly code: string };
        assertEquals([name, code], ["PluginError", "unavailable"]);
        assertMatch(message, told);
        assertEquals(message.includes("secret-of-hers"), false);
        return true;
      });
    });
  }
});

Deno.test("an auth webhook leaves it to the next plugin where there is no answer and the operator wants that", async () => {
  await using service = await startOutside(answers(500));
  await using scene = await startAuth(service.url, 'on_silence = "ignore"');
  assertEquals(await scene.auth.authenticate(showBasic("ada", "pass")), { outcome: "foreign" });
  service.does(answers(403));
  assertEquals((await scene.auth.authenticate(showBasic("ada", "pass"))).outcome, "refused");
});
