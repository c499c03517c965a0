import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import type { Auth, KnownIdentity } from "../../plugins/contract/auth.ts";
import { create } from "../../plugins/storage/memory/memory.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/support/assert.ts";
import { type Access, createAccess } from "./access.ts";
import { AccessTokens, type TokenFacts } from "./access_tokens.ts";
import { PersonalTokens } from "./personal_tokens.ts";
import { parseScopes } from "./scopes.ts";
import { SigningKeys } from "./signing_keys.ts";

const DAY_MS = 24 * 3_600_000;
const OPTIONS = { rotateAfterMs: 30 * DAY_MS, verifyForMs: DAY_MS };
const ALICE: KnownIdentity = { id: "alice", username: "alice", groups: ["dev"], claims: {}, provider: null };

function factsOf(changes: Partial<TokenFacts> = {}): TokenFacts {
  return {
    use: "access",
    identity: ALICE,
    source: "password",
    generation: "1",
    access: parseScopes(["repository:a:pull"]),
    expiresAtMs: Math.ceil(Date.now() / 1000) * 1000 + 60_000,
    ...changes,
  };
}

Deno.test("Signing keys are made once, and are the same for all who share the store", async () => {
  const storage = await create({});
  const [one, two] = [new SigningKeys(storage, OPTIONS), new SigningKeys(storage, OPTIONS)];
  const { keyId } = await one.current();
  assertEquals((await two.current()).keyId, keyId);
  assertEquals((await two.find(keyId))?.keyId, keyId);
  assertEquals(await two.find("../../etc/passwd"), undefined);
});

Deno.test("Signing keys that are old are followed by others, and verify as long as their tokens last", async () => {
  const storage = await create({});
  const first = (await new SigningKeys(storage, OPTIONS).current()).keyId;
  const rotated = new SigningKeys(storage, { rotateAfterMs: -1, verifyForMs: DAY_MS });
  const second = (await rotated.current()).keyId;
  assert(first !== second);
  assertEquals((await new SigningKeys(storage, OPTIONS).publicKeys()).map(({ kid }) => kid), [second, first]);
  const forgetful = new SigningKeys(storage, { rotateAfterMs: DAY_MS, verifyForMs: -1 });
  assertEquals((await forgetful.publicKeys()).map(({ kid }) => kid), [second]);
});

Deno.test("Published keys have no private half", async () => {
  const [key] = await new SigningKeys(await create({}), OPTIONS).publicKeys();
  assertEquals(Object.keys(key!).toSorted(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
});

Deno.test("An access token says what it was issued with, for its use only", async () => {
  const tokens = new AccessTokens(new SigningKeys(await create({}), OPTIONS), "registry");
  const facts = factsOf();
  const token = await tokens.issue(facts);
  assertEquals(await tokens.read(token, "access"), facts);
  assertEquals(await tokens.read(token, "refresh"), "it is no refresh token");
  assertEquals(decodeProtectedHeader(token).alg, "ES256");
  const { iss, aud, sub } = decodeJwt(token);
  assertEquals({ iss, aud, sub }, { iss: "sreg", aud: "registry", sub: "alice" });
});

Deno.test("An access token is refused", async (t) => {
  const keys = new SigningKeys(await create({}), OPTIONS);
  const tokens = new AccessTokens(keys, "registry");
  const { keyId, privateKey, publicJwk } = await keys.current();
  const claims = { use: "access", who: null, source: "", generation: "", access: [] };
  const now = Math.floor(Date.now() / 1000);
  const sign = (header: object, payload: object, key: CryptoKey | Uint8Array = privateKey) =>
    new SignJWT({
      ...claims,
      iss: "sreg",
      aud: "registry",
      iat: now,
      nbf: now,
      exp: now + 60,
      jti: "1",
      ...payload,
    })
      .setProtectedHeader({ alg: "ES256", typ: "JWT", kid: keyId, ...header }).sign(key);
  const foreign = await new SigningKeys(await create({}), OPTIONS).current();
  const publicText = new TextEncoder().encode(JSON.stringify(publicJwk));
  const unsigned = (await sign({}, {})).split(".")[1];
  const none = new TextEncoder().encode('{"alg":"none","typ":"JWT"}').toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
  const cases: [name: string, token: string][] = [
    ["with another key under the right id", await sign({}, {}, foreign.privateKey)],
    ["with an unknown key id", await sign({ kid: "other" }, {})],
    ["with a path as its key id", await sign({ kid: "../../etc/passwd" }, {})],
    ["without a key id", await sign({ kid: undefined }, {})],
    [
      "that brings its own key",
      await sign({ kid: foreign.keyId, jwk: foreign.publicJwk }, {}, foreign.privateKey),
    ],
    [
      "that names where its key is",
      await sign({ kid: "x", jku: "http://127.0.0.1:1/" }, {}, foreign.privateKey),
    ],
    ["signed with the public key as a secret", await sign({ alg: "HS256" }, {}, publicText)],
    ["that is not signed", `${none}.${unsigned}.`],
    ["of another issuer", await sign({}, { iss: "Sreg" })],
    ["for another service", await sign({}, { aud: "other" })],
    ["that has ended", await sign({}, { exp: now - 1 })],
    ["that has not begun", await sign({}, { nbf: now + 60 })],
    ["without an end", await sign({}, { exp: undefined })],
    ["of another type", await sign({ typ: "at+jwt" }, {})],
    ["that is cut", (await sign({}, {})).slice(0, -1)],
  ];
  assertEquals(typeof await tokens.read(await sign({}, {}), "access"), "object");
  for (const [name, token] of cases) {
    await t.step(name, async () => assertEquals(typeof await tokens.read(token, "access"), "string"));
  }
});

Deno.test("A personal token is good until it is rotated, revoked or over", async (t) => {
  const storage = await create({});
  const tokens = new PersonalTokens(storage);
  const { token, text } = await tokens.create({ name: "laptop", owner: "alice" });

  await t.step("its secret is not kept", async () => {
    assertMatch(text, /^sreg_[0-9a-f]{20}_[0-9a-f]{64}$/);
    const value = await storage.get(`access/tokens/${token.id}`);
    assert(!new TextDecoder().decode(value!.bytes).includes(text.split("_")[2]!));
  });
  await t.step("it is found by its text, and by no other", async () => {
    assertEquals((await tokens.verify(text, "10.0.0.1"))?.id, token.id);
    assertEquals(
      await tokens.verify(text.slice(0, -1) + (text.endsWith("0") ? "1" : "0"), "10.0.0.1"),
      undefined,
    );
    assertEquals(await tokens.verify("sreg_../../x_1", "10.0.0.1"), undefined);
  });
  await t.step("its use is noted", async () => {
    assertEquals((await tokens.lastUse(token.id))?.clientAddress, "10.0.0.1");
  });
  await t.step("rotated it has another secret", async () => {
    const rotated = await tokens.rotate(token.id);
    assertEquals(await tokens.verify(text, "10.0.0.1"), undefined);
    assertEquals((await tokens.verify(rotated!.text, "10.0.0.1"))?.name, "laptop");
    assertEquals(await tokens.revoke(token.id), true);
    assertEquals(await tokens.verify(rotated!.text, "10.0.0.1"), undefined);
    assertEquals(await tokens.revoke(token.id), false);
  });
  await t.step("over it is worth nothing", async () => {
    const over = await tokens.create({ name: "old", owner: "alice", expiresAtMs: Date.now() - 1 });
    assertEquals(await tokens.verify(over.text, "10.0.0.1"), undefined);
  });
});

/** Access with one identity, whose password and generation a test may change. */
async function aliceAccess(): Promise<
  { access: Access; alice: { password: string; generation: string } | null }
> {
  const scene = {
    access: undefined as unknown as Access,
    alice: { password: "secret", generation: "1" } as never,
  };
  const auth: Auth = {
    authenticate: ({ credential }) => {
      const alice = scene.alice as { password: string } | null;
      if (credential.scheme !== "basic" || credential.username !== "alice") {
        return Promise.resolve({ outcome: "foreign" });
      }
      return Promise.resolve(
        alice?.password === credential.password
          ? { outcome: "known", identity: ALICE }
          : { outcome: "refused", reason: "wrong" },
      );
    },
    recall: (id) => {
      const alice = scene.alice as { generation: string } | null;
      return Promise.resolve(
        id === "alice" && alice ? { identity: ALICE, generation: alice.generation } : null,
      );
    },
  };
  scene.access = createAccess(await create({}), {
    auths: [{ name: "password", auth }],
    policies: [],
    spares: { askPasswords: nobody, askRoles: nobody },
    hasCertificates: false,
    challenges: ["bearer", "basic"],
    service: "registry",
    tokenLifetimeMs: 60_000,
    refreshTokenLifetimeMs: 3_600_000,
    onDecision: () => {},
    onRefusal: () => {},
  });
  return scene;
}

function nobody(): Promise<never> {
  return Promise.reject(new Error("nobody is to be asked"));
}

const REQUEST = { method: "GET", origin: "http://x", clientAddress: "10.0.0.1", certificate: null };
const PASSWORD = `Basic ${btoa("alice:secret")}`;

Deno.test("Tokens die with the password that they were got with", async () => {
  const scene = await aliceAccess();
  const { access } = scene;
  const caller = await access.identify({ ...REQUEST, authorization: PASSWORD });
  const scopes = parseScopes(["repository:a:pull"]);
  const { accessToken, refreshToken } = await access.tokens.issue(caller, scopes, { offline: true });
  assertEquals(
    (await access.identifyRefresh(refreshToken!, { ...REQUEST, authorization: null })).identity.id,
    "alice",
  );
  scene.alice!.generation = "2";
  const refused = { code: "UNAUTHORIZED" } as never;
  await assertRejects(access.identify({ ...REQUEST, authorization: `Bearer ${accessToken}` }), refused);
  await assertRejects(access.identifyRefresh(refreshToken!, { ...REQUEST, authorization: null }), refused);
});

Deno.test("What was got with a personal token dies with it", async () => {
  const { access } = await aliceAccess();
  const { token, text } = await access.personalTokens.create({ name: "laptop", owner: "alice" });
  const caller = await access.identify({ ...REQUEST, authorization: `Bearer ${text}` });
  const { accessToken } = await access.tokens.issue(caller, [], { offline: false });
  const asBearer = { ...REQUEST, authorization: `Bearer ${accessToken}` };
  assertEquals((await access.identify(asBearer)).identity.id, "alice");
  await access.personalTokens.revoke(token.id);
  await assertRejects(access.identify(asBearer), { code: "UNAUTHORIZED" } as never);
});

Deno.test("Personal tokens die with their owner", async () => {
  const scene = await aliceAccess();
  const { access } = scene;
  const { text } = await access.personalTokens.create({ name: "laptop", owner: "alice" });
  const asBearer = { ...REQUEST, authorization: `Bearer ${text}` };
  const asPassword = { ...REQUEST, authorization: `Basic ${btoa(`anything:${text}`)}` };
  assertEquals((await access.identify(asBearer)).identity.id, "alice");
  assertEquals((await access.identify(asPassword)).identity.id, "alice");
  (scene as { alice: unknown }).alice = null;
  await assertRejects(access.identify(asBearer), { code: "UNAUTHORIZED" } as never);
});
