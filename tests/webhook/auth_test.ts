import { assert, assertEquals } from "../support/assert.ts";
import { answers, type Deed, says, startOutside } from "./outside.ts";
import { showBasic, showBearer, startAuth } from "./scene.ts";

const ADA = { id: "7", username: "ada", groups: ["math"], claims: { team: "engine" } };

const KNOWN_ADA = {
  outcome: "known",
  identity: {
    id: "webhook:main:7",
    username: "ada",
    groups: ["math"],
    claims: { team: "engine" },
    provider: null,
  },
  cacheForMs: 0,
};

const CERTIFICATE = {
  commonNames: ["ada"],
  organizations: [],
  dnsNames: ["ada.corp"],
  uris: [],
  emails: [],
  fingerprint: "ab".repeat(32),
};

Deno.test("an auth webhook is shown passwords and tokens, in the protocol's words", async () => {
  await using service = await startOutside(says({ identity: null }));
  await using scene = await startAuth(service.url);
  await scene.auth.authenticate(showBasic("ada", "p:ß"));
  await scene.auth.authenticate({ ...showBearer("abc"), certificate: CERTIFICATE });
  assertEquals(service.questions.map(({ json }) => json), [
    { scheme: "basic", username: "ada", password: "p:ß", certificate: null, client_address: "192.0.2.1" },
    {
      scheme: "bearer",
      token: "abc",
      certificate: {
        common_names: ["ada"],
        organizations: [],
        dns_names: ["ada.corp"],
        uris: [],
        emails: [],
        fingerprint: "ab".repeat(32),
      },
      client_address: "192.0.2.1",
    },
  ]);
});

Deno.test("an auth webhook is told no more than `send` names", async () => {
  await using service = await startOutside(says({ identity: null }));
  await using scene = await startAuth(service.url, "send = []");
  await scene.auth.authenticate(showBearer("abc"));
  assertEquals(service.questions[0]!.json, { scheme: "bearer", token: "abc" });
});

Deno.test("an auth webhook is shown only the credentials that it is for", async () => {
  await using service = await startOutside(says({ identity: ADA }));
  await using basic = await startAuth(service.url, 'credentials = "basic"');
  await using bearer = await startAuth(service.url, 'credentials = "bearer"');
  assertEquals(await basic.auth.authenticate(showBearer("abc")), { outcome: "foreign" });
  assertEquals(await bearer.auth.authenticate(showBasic("ada", "pass")), { outcome: "foreign" });
  const nothing = { ...showBearer(""), credential: { scheme: "none" } } as const;
  assertEquals(await basic.auth.authenticate(nothing), { outcome: "foreign" });
  assertEquals(service.questions, []);
  assertEquals(plain(await basic.auth.authenticate(showBasic("ada", "pass"))), KNOWN_ADA);
  assertEquals(plain(await bearer.auth.authenticate(showBearer("abc"))), KNOWN_ADA);
});

const ANSWERS: readonly (readonly [does: string, deed: Deed, answer: object])[] = [
  ["knows everything of somebody", says({ identity: ADA }), KNOWN_ADA],
  ["knows an id alone", says({ identity: { id: "7" } }), {
    outcome: "known",
    identity: { id: "webhook:main:7", username: null, groups: [], claims: {}, provider: null },
    cacheForMs: 0,
  }],
  ["knows somebody until some day", says({ identity: ADA, expires_at: "2100-01-01T01:00:00+01:00" }), {
    ...KNOWN_ADA,
    expiresAtMs: Date.UTC(2100, 0, 1),
  }],
  [
    "knows somebody until a day that has passed",
    says({ identity: ADA, expires_at: "2020-01-01T00:00:00Z" }),
    {
      outcome: "refused",
      reason: "the webhook says that it has expired",
    },
  ],
  ["answers 401", answers(401), { outcome: "refused", reason: "the webhook answered 401" }],
  ["answers 403", answers(403), { outcome: "refused", reason: "the webhook answered 403" }],
  ["answers 404", answers(404), { outcome: "foreign" }],
  ["knows nobody", says({ identity: null }), { outcome: "foreign" }],
];

Deno.test("an auth webhook's answer is taken from a service that", async (t) => {
  await using service = await startOutside(answers(500));
  await using scene = await startAuth(service.url);
  for (const [does, deed, answer] of ANSWERS) {
    await t.step(does, async () => {
      service.does(deed);
      assertEquals(plain(await scene.auth.authenticate(showBasic("ada", "pass"))), answer);
    });
  }
});

Deno.test("an auth webhook's cached answer is used", async (t) => {
  await using service = await startOutside(says({ identity: ADA }));
  await using scene = await startAuth(service.url, 'cache = "1h"');
  const ask = showBasic("ada", "pass");
  await scene.auth.authenticate(ask);
  await t.step("for the same password, and says how long it still holds", async () => {
    const answer = await scene.auth.authenticate(ask);
    assertEquals(service.questions.length, 1);
    assert(answer.outcome === "known" && answer.cacheForMs! > 3_500_000 && answer.cacheForMs! <= 3_600_000);
  });
  const others = {
    password: showBasic("ada", "Pass"),
    "user name": showBasic("bob", "pass"),
    scheme: showBearer("pass"),
    certificate: { ...ask, certificate: CERTIFICATE },
    "client's address": { ...ask, clientAddress: "192.0.2.2" },
    "division of the same characters": showBasic("adapass", ""),
  };
  service.does(answers(403));
  for (const [what, other] of Object.entries(others)) {
    await t.step(`not for another ${what}`, async () => {
      assertEquals((await scene.auth.authenticate(other)).outcome, "refused");
    });
  }
});

Deno.test("an auth webhook's cached answer ends with the identity", async () => {
  const endsAt = new Date(Date.now() + 5_000).toISOString();
  await using service = await startOutside(says({ identity: ADA, expires_at: endsAt }));
  await using scene = await startAuth(service.url, 'cache = "1h"');
  const answer = await scene.auth.authenticate(showBasic("ada", "pass"));
  assert(answer.outcome === "known" && answer.cacheForMs! <= 5_000 && answer.cacheForMs! > 0);
  assertEquals(answer.expiresAtMs, Date.parse(endsAt));
});

/** Without the missing prototypes that claims have after they were read. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
