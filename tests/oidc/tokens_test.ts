/** Tokens that are good, and each way in which one can be bad, shown to the plugin in its sandbox. */

import { Buffer } from "node:buffer";
import { assert, assertEquals } from "../support/assert.ts";
import { type Claims, hmacSignature, makeKey, nowSeconds, TestIssuer, type TokenOptions } from "./issuer.ts";
import { type Scene, startFor } from "./scene.ts";

const issuer = new TestIssuer();
const stranger = makeKey("first");
const elsewhere = new TestIssuer();
let scene: Scene;

Deno.test.beforeAll(async () => {
  scene = await startFor(issuer, 'required_claims = { "realm.team" = ["core", "web"] }');
});

Deno.test.afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
  await elsewhere[Symbol.asyncDispose]();
});

const TEAM = { realm: { team: "core" } };

function make(claims: Claims = {}, options?: TokenOptions): string {
  return issuer.token({ ...TEAM, ...claims }, options);
}

const REFUSED: readonly (readonly [what: string, token: () => string, reason: string | RegExp])[] = [
  [
    "of the right kid and a wrong key",
    () => make({}, { key: stranger }),
    "its signature is not the provider's",
  ],
  ["with a changed payload", () => tamper(make()), "its signature is not the provider's"],
  ["that brings its own key in jwk", () => withOwnKey("jwk"), "its signature is not the provider's"],
  ["that names a place of keys in jku", () => withOwnKey("jku"), "its signature is not the provider's"],
  ["that names a certificate in x5u", () => withOwnKey("x5u"), "its signature is not the provider's"],
  ["that brings a certificate in x5c", () => withOwnKey("x5c"), "its signature is not the provider's"],
  [
    "of alg none, without a signature",
    () => make({}, { header: { alg: "none" }, signature: () => Buffer.alloc(0) }),
    'its algorithm "none" is none of EdDSA, ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512',
  ],
  ["of alg NONE", () => make({}, { header: { alg: "NONE" } }), /^its algorithm "NONE" is none of EdDSA,/],
  [
    "without alg",
    () => make({}, { header: { alg: undefined } }),
    /^its algorithm undefined is none of EdDSA,/,
  ],
  [
    "of HS256, signed with the text of the public key",
    () => make({}, { header: { alg: "HS256" }, signature: hmacSignature(publicPem()) }),
    /^its algorithm "HS256" is none of EdDSA,/,
  ],
  [
    "of another algorithm than the key's",
    () => make({}, { header: { alg: "RS256" } }),
    'the provider has no key "first" for RS256',
  ],
  [
    "with an unknown crit",
    () => make({}, { header: { crit: ["exam"], exam: 1 } }),
    /^it cannot be verified: .*"exam"/,
  ],
  [
    "whose payload is not encoded",
    () => make({}, { header: { crit: ["b64"], b64: false } }),
    /^it cannot be verified: /,
  ],
  [
    "with a kid that is a path",
    () => make({}, { header: { kid: "../../../etc/passwd" } }),
    'the provider has no key "../../../etc/passwd" for ES256',
  ],
  ["with a kid that is no text", () => make({}, { header: { kid: ["first"] } }), 'its "kid" is no text'],
  [
    "that tells of a logout",
    () => make({}, { header: { typ: "logout+jwt" } }),
    'its type "logout+jwt" is none that says who somebody is',
  ],
  ["that expired before the skew", () => make({ exp: nowSeconds() - 61 }), /^it expired at 20\d\d-.*Z$/],
  ["without exp", () => make({ exp: undefined }), 'it has no claim "exp"'],
  ["whose exp is a text", () => make({ exp: "2999-01-01" }), 'its claim "exp" is no number'],
  [
    "that begins after the skew",
    () => make({ nbf: nowSeconds() + 90 }),
    /^it is not valid before 20\d\d-.*Z$/,
  ],
  [
    "issued after the skew",
    () => make({ iat: nowSeconds() + 90 }),
    /^it was issued at 20\d\d-.*Z, in the future$/,
  ],
  ["whose iat is a text", () => make({ iat: "today" }), 'its claim "iat" is no number'],
  ["for another audience", () => make({ aud: "other" }), 'its audience is "other", expected "registry"'],
  [
    "for several other audiences",
    () => make({ aud: ["other", "Registry"] }),
    'its audience is ["other","Registry"], expected "registry"',
  ],
  [
    "whose audience is an object",
    () => make({ aud: { registry: 1 } }),
    'its audience is an object, expected "registry"',
  ],
  ["without an audience", () => make({ aud: undefined }), 'it has no claim "aud"'],
  [
    "without a required claim",
    () => issuer.token(),
    'it has no claim "realm.team", which is required',
  ],
  [
    "with another value of a required claim",
    () => issuer.token({ realm: { team: "Core" } }),
    'its claim "realm.team" is "Core", expected "core" or "web"',
  ],
  [
    "without the claim of its id",
    () => make({ sub: undefined }),
    'it has no claim "sub", which its id is made of',
  ],
  ["whose sub is a number", () => make({ sub: 7 }), 'its claim "sub" is no text'],
  ["whose groups are objects", () => make({ groups: [{}] }), 'an item of its claim "groups" is no text'],
  [
    "of more groups than can be handed on",
    () => make({ groups: Array(1_001).fill("g") }),
    'its claim "groups" has 1001 items, more than 1000',
  ],
  [
    "whose audience is 2,000 levels deep",
    () => make({ aud: nest(2_000) }),
    'its audience is an object, expected "registry"',
  ],
  [
    "whose alg is 2,000 levels deep",
    () => make({}, { header: { alg: nest(2_000) } }),
    /^its algorithm an object is none of EdDSA,/,
  ],
  [
    "with a kid of 40,000 characters",
    () => make({}, { header: { kid: "k".repeat(40_000) } }),
    `the provider has no key "${"k".repeat(199)}… for ES256`,
  ],
  [
    "with deep claims",
    () => make({ deep: nest(17) }),
    "its claims are nested deeper than 16 levels",
  ],
  ["with claims 2,000 levels deep", () => make({ deep: nest(2_000) }), /nested deeper than 16 levels/],
  ["of 1 MB", () => make({ padding: "x".repeat(1_000_000) }), "it is longer than 65536 characters"],
];

for (const [what, token, reason] of REFUSED) {
  Deno.test(`an OIDC token ${what} is refused, with the reason and without the token`, async () => {
    const shown = token();
    const answers = [await scene.bearer(shown), await scene.password(shown)];
    for (const answer of answers) {
      assert(answer.outcome === "refused", JSON.stringify(answer).slice(0, 500));
      if (typeof reason === "string") assertEquals(answer.reason, reason);
      else assert(reason.test(answer.reason), answer.reason);
      for (const part of shown.split(".")) assert(part === "" || !answer.reason.includes(part));
    }
    assertEquals(elsewhere.asked, []);
  });
}

const FOREIGN: readonly (readonly [what: string, token: () => string])[] = [
  ["an issuer in another case", () => make({ iss: issuer.url.replace("http", "HTTP") })],
  ["an issuer with a slash at its end", () => make({ iss: `${issuer.url}/` })],
  ["another issuer", () => make({ iss: "https://accounts.google.com" })],
  ["a list of issuers", () => make({ iss: [issuer.url] })],
  ["no issuer", () => make({ iss: undefined })],
  ["a payload that is no JSON", () => `e30.${btoa("{").replaceAll("=", "")}.c2ln`],
  ["a fourth part", () => `${make()}.e30`],
  ["a space before it", () => ` ${make()}`],
  ["no parts", () => "correct horse battery staple"],
  ["nothing", () => ""],
];

for (const [what, token] of FOREIGN) {
  Deno.test(`a credential with ${what} is foreign to the OIDC plugin`, async () => {
    assertEquals(await scene.bearer(token()), { outcome: "foreign" });
    assertEquals(await scene.password(token()), { outcome: "foreign" });
  });
}

Deno.test("a request without a credential is foreign to the OIDC plugin", async () => {
  const question = { credential: { scheme: "none" }, certificate: null, clientAddress: "::1" } as const;
  assertEquals(await scene.auth.authenticate(question), { outcome: "foreign" });
});

const GOOD: readonly (readonly [what: string, claims: () => Claims])[] = [
  ["that expired within the skew", () => ({ exp: nowSeconds() - 30 })],
  ["that begins within the skew", () => ({ nbf: nowSeconds() + 30 })],
  ["issued within the skew", () => ({ iat: nowSeconds() + 30 })],
  ["without iat", () => ({ iat: undefined })],
  ["for several audiences, this one among them", () => ({ aud: ["other", "registry"] })],
  ["with a claim named like what objects inherit", () => JSON.parse('{"constructor":"x","toString":1}')],
  ["with claims as deep as can be handed on", () => ({ deep: nest(15) })],
];

for (const [what, claims] of GOOD) {
  Deno.test(`an OIDC token ${what} is good`, async () => {
    const answer = await scene.bearer(make(claims()));
    assert(answer.outcome === "known", JSON.stringify(answer));
    assertEquals(answer.identity.id, "oidc:main:alice");
  });
}

Deno.test("a good OIDC token is known, with all that it says and no longer than it lasts", async () => {
  const now = nowSeconds();
  const claims = {
    iss: issuer.url,
    aud: "registry",
    sub: "alice",
    iat: now,
    exp: now + 20,
    preferred_username: "Alice",
    groups: ["dev", "ops"],
    ...TEAM,
  };
  const answer = await scene.bearer(make(claims));
  assert(answer.outcome === "known");
  const { cacheForMs = 0, ...rest } = answer;
  assertEquals(toJson(rest), {
    outcome: "known",
    identity: { id: "oidc:main:alice", username: "Alice", groups: ["dev", "ops"], claims, provider: "main" },
    expiresAtMs: (now + 20) * 1_000,
  });
  assert(cacheForMs > 15_000 && cacheForMs <= 20_000, String(cacheForMs));
  const longer = await scene.bearer(make({ exp: now + 3_600 }));
  assertEquals(longer.outcome === "known" && longer.cacheForMs, 60_000);
});

/** Claims have no prototype. */
function toJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** A token that a stranger signed, and whose header says by what to verify it. */
function withOwnKey(name: "jwk" | "jku" | "x5u" | "x5c"): string {
  const value = {
    jwk: stranger.publicKey.export({ format: "jwk" }),
    jku: `${elsewhere.url}/keys`,
    x5u: `${elsewhere.url}/certificate`,
    x5c: [stranger.publicKey.export({ format: "der", type: "spki" }).toString("base64")],
  }[name];
  return make({}, { key: stranger, header: { [name]: value } });
}

function publicPem(): string {
  return issuer.key.publicKey.export({ format: "pem", type: "spki" }).toString();
}

function tamper(token: string): string {
  const [header, , signature] = token.split(".");
  const [, payload] = make({ sub: "root" }).split(".");
  return `${header}.${payload}.${signature}`;
}

function nest(levels: number): unknown {
  return JSON.parse("[".repeat(levels) + "]".repeat(levels));
}
