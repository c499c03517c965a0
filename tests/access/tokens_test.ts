import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
} from "jose";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import type { Answer, RegistryClient } from "../support/client.ts";
import { exchange, formatPart, openForge, startScene } from "./scene.ts";

const scene = await startScene();
Deno.test.afterAll(() => void scene.registry.stop());
const admin = scene.as("admin");
const { nobody } = scene;
await Promise.all(
  ["team/app", "team/app/part", "public/app", "secret/app"].map((name) => admin.pushImage(name, "v1")),
);
const forge = await tokenForge();

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

async function tokenForge() {
  await scene.tokenOf("reader");
  return await openForge(scene.registry);
}

/** What a token says, once the keys that the registry publishes have verified it. */
async function claimsOf(token: string) {
  const keys = createLocalJWKSet((await nobody.get("/token/keys")).json());
  const { payload } = await jwtVerify(token, keys, {
    issuer: "sreg",
    audience: "sreg",
    algorithms: ["ES256"],
  });
  return payload;
}

/** The scopes of a token, as clients write them. */
async function scopesOf(token: string): Promise<string[]> {
  const { access } = await claimsOf(token) as {
    access?: { type: string; name: string; actions: string[] }[];
  };
  return access!.map(({ type, name, actions }) => `${type}:${name}:${actions}`);
}

function post(form: Record<string, string>, client: RegistryClient = nobody): Promise<Answer> {
  return client.send("POST", "/token", { body: new URLSearchParams(form) });
}

/** How the registry answers to who shows a token for a manifest. */
async function pull(token: string, name = "team/app"): Promise<number> {
  return (await scene.bearing(token).get(`/v2/${name}/manifests/v1`)).status;
}

/** The statement of a refusal, with its challenge. */
function refusalOf({ status, headers, json }: Answer) {
  return { status, body: json(), challenge: headers.get("WWW-Authenticate") };
}

function challengeOf(more = ""): string {
  const { url } = scene.registry;
  return `Bearer realm="${url}/token",service="sreg"${more}, Basic realm="sreg", charset="UTF-8"`;
}

const NOT_ACCEPTED = {
  status: 401,
  body: { errors: [{ code: "UNAUTHORIZED", message: "The credentials are not accepted" }] },
  challenge: challengeOf(),
};

Deno.test("GET /token", async (t) => {
  await t.step("answers as docker and containerd read it, and lets nobody on the way keep it", async () => {
    const before = Date.now();
    const query = "account=writer&client_id=docker&service=sreg&scope=repository:team/app:pull,push";
    const { status, headers, json } = await scene.as("writer").get(`/token?${query}`);
    const { token, access_token, issued_at, ...rest } = json();
    assertEquals([status, headers.get("Cache-Control"), rest], [200, "no-store", { expires_in: 300 }]);
    assertEquals(access_token, token);
    assert(Math.abs(Date.parse(issued_at) - before) < 10_000);
    assertEquals(new Date(issued_at).toISOString(), issued_at);
  });
  await t.step("signs by a key that it publishes, for its service and whoever asked", async () => {
    const token = await scene.tokenOf("writer", "repository:team/app:pull");
    const { aud, iss, sub, exp, iat } = await claimsOf(token);
    assertEquals({ aud, iss, sub, seconds: exp! - iat! }, {
      aud: "sreg",
      iss: "sreg",
      sub: "writer",
      seconds: 300,
    });
    assertEquals(decodeProtectedHeader(token), { alg: "ES256", typ: "JWT", kid: forge.keyId });
  });
  await t.step("publishes no private half of a key", async () => {
    const { keys } = (await nobody.get("/token/keys")).json();
    assertEquals(keys.map((key: object) => Object.keys(key).sort()), [
      ["alg", "crv", "kid", "kty", "use", "x", "y"],
    ]);
  });
  await t.step("gives no refresh token unless one is asked for", async () => {
    const answers = await Promise.all(
      ["", "&offline_token=false", "&offline_token=true"].map((query) =>
        scene.as("reader").get(`/token?service=sreg${query}`)
      ),
    );
    assertEquals(answers.map(({ json }) => "refresh_token" in json()), [false, false, true]);
  });
  await t.step("gives the anonymous none", async () => {
    const { status, json } = await nobody.get("/token?offline_token=true");
    assertEquals([status, Object.keys(json())], [200, ["token", "access_token", "expires_in", "issued_at"]]);
  });
  await t.step("refuses a wrong password, with a challenge", async () => {
    assertEquals(refusalOf(await scene.as("reader", "wrong").get("/token")), NOT_ACCEPTED);
  });
});

Deno.test("A token covers what was asked for and policies grant", async (t) => {
  const cases: [name: string, user: string, asked: string[], granted: string[]][] = [
    ["several parameters", "writer", ["repository:team/app:pull", "repository:public/app:pull"], [
      "repository:team/app:pull",
      "repository:public/app:pull",
    ]],
    ["several in one text", "writer", ["repository:team/app:push repository:public/app:pull"], [
      "repository:team/app:push",
      "repository:public/app:pull",
    ]],
    ["not what only others may", "reader", ["repository:team/app:pull,push,delete"], [
      "repository:team/app:pull",
    ]],
    ["nothing of what is hidden", "reader", ["repository:secret/app:pull", "repository:nowhere:pull"], []],
    ["a star as all that is granted", "writer", ["repository:team/app:*"], ["repository:team/app:pull,push"]],
    ["everything for the admin", "admin", ["repository:secret/app:*"], [
      "repository:secret/app:pull,push,delete",
    ]],
    ["the catalog", "reader", ["registry:catalog:*"], ["registry:catalog:*"]],
    [
      "no wildcard in a name",
      "admin",
      ["repository:*:pull", "repository:team/*:pull", "repository:**:pull"],
      [],
    ],
    ["no path out of a name", "admin", [
      "repository:team/../secret/app:pull",
      "repository:../secret/app:pull",
    ], []],
    ["no escape in a name", "admin", ["repository:team%2Fapp:pull", "repository:TEAM/app:pull"], []],
    ["no verb that there is not", "admin", ["repository:team/app:admin,PULL,read", "registry:users:*"], []],
    ["no resource that there is not", "admin", ["admin:tokens:*", "repository:team/app", ":::", ""], []],
    ["a class of repository as if it were not there", "reader", ["repository(plugin):team/app:pull"], [
      "repository:team/app:pull",
    ]],
  ];
  for (const [name, user, asked, granted] of cases) {
    await t.step(
      name,
      async () => assertEquals(await scopesOf(await scene.tokenOf(user, ...asked)), granted),
    );
  }
  await t.step("for the anonymous what is public", async () => {
    const query = "scope=repository:public/app:pull,push&scope=repository:team/app:pull";
    const { token } = (await nobody.get(`/token?${query}`)).json();
    assertEquals(await scopesOf(token), ["repository:public/app:pull"]);
    assertEquals([await pull(token, "public/app"), await pull(token)], [200, 401]);
  });
  await t.step("at most 50 scopes, without being slow about many", async () => {
    const many = Array.from({ length: 10_000 }, () => "a").join(" ");
    const { status, json } = await post({ ...PASSWORD, scope: `${many} repository:team/app:pull` });
    assertEquals([status, json().scope], [200, ""]);
    const parameters = Array.from({ length: 51 }, () => "scope=repository:team/app:pull").join("&");
    const answer = await scene.as("reader").get(`/token?${parameters}`);
    assertEquals([answer.status, answer.json()], [400, malformed("at most 50 scopes")]);
  });
});

const PASSWORD = { grant_type: "password", username: "reader", password: "reader-password", service: "sreg" };

Deno.test("POST /token", async (t) => {
  const scope = "repository:team/app:pull,push repository:secret/app:pull";
  await t.step("with grant_type=password answers as OAuth 2 has it", async () => {
    const { status, headers, json } = await post({ ...PASSWORD, scope });
    const { access_token, issued_at, ...rest } = json();
    assertEquals([status, headers.get("Cache-Control"), rest], [200, "no-store", {
      expires_in: 300,
      token_type: "Bearer",
      scope: "repository:team/app:pull",
    }]);
    assertMatch(issued_at, /^\d{4}-/);
    assertEquals([await pull(access_token), await pull(access_token, "secret/app")], [200, 403]);
  });
  await t.step("gives a refresh token to who asks for one, which gets others", async () => {
    const { refresh_token } = (await post({ ...PASSWORD, access_type: "offline" })).json();
    assertMatch(refresh_token, JWT);
    const { status, json } = await post({ grant_type: "refresh_token", refresh_token, scope });
    const { access_token, issued_at: _, ...rest } = json();
    assertEquals([status, rest], [200, {
      expires_in: 300,
      token_type: "Bearer",
      scope: "repository:team/app:pull",
      refresh_token,
    }]);
    assertEquals(await pull(access_token), 200);
  });
  await t.step("takes the refresh token of GET", async () => {
    const { refresh_token } = (await scene.as("reader").get("/token?offline_token=true")).json();
    const { status, json } = await post({ grant_type: "refresh_token", refresh_token, scope });
    assertEquals([status, await scopesOf(json().access_token)], [200, ["repository:team/app:pull"]]);
  });
  await t.step("refuses a wrong password, with a challenge", async () => {
    assertEquals(refusalOf(await post({ ...PASSWORD, password: "wrong" })), NOT_ACCEPTED);
  });
});

function malformed(expected: string) {
  return { errors: [{ code: "UNSUPPORTED", message: `Cannot give a token: expected ${expected}` }] };
}

Deno.test("POST /token refuses", async (t) => {
  const form = "application/x-www-form-urlencoded";
  const grant = malformed("grant_type to be password, refresh_token or client_credentials");
  const cases: [name: string, type: string | undefined, body: string, status: number, json: unknown][] = [
    ["JSON", "application/json", JSON.stringify(PASSWORD), 400, malformed("a form")],
    ["a form of parts", "multipart/form-data; boundary=x", "--x--", 400, malformed("a form")],
    ["no type", undefined, "grant_type=password", 400, malformed("a form")],
    ["no grant", form, "a=b", 400, grant],
    ["an unknown grant", form, "grant_type=authorization_code&code=x", 400, grant],
    ["two grants", form, "grant_type=password&grant_type=password", 400, malformed("one grant_type")],
    ["two user names", form, "grant_type=password&username=a&username=b", 400, malformed("one username")],
    [
      "a user name with a colon",
      form,
      "grant_type=password&username=a:b&password=c",
      400,
      malformed("a user name without a colon"),
    ],
    ["64 KiB and more", form, `grant_type=${"x".repeat(65_536)}`, 413, malformed("at most 65536 bytes")],
    [
      "1 MB of scope",
      form,
      `grant_type=password&scope=${"x".repeat(1e6)}`,
      413,
      malformed("at most 65536 bytes"),
    ],
    ["no password", form, "grant_type=password", 401, NOT_ACCEPTED.body],
    [
      "a NUL",
      form,
      "grant_type=password&username=reader%00&password=reader-password",
      401,
      NOT_ACCEPTED.body,
    ],
    ["what is not UTF-8", form, "grant_type=password&username=%ff&password=%ff", 401, NOT_ACCEPTED.body],
    ["no refresh token", form, "grant_type=refresh_token", 401, NOT_ACCEPTED.body],
    ["no token", form, "grant_type=refresh_token&refresh_token=x", 401, NOT_ACCEPTED.body],
    ["a personal token", form, `grant_type=refresh_token&refresh_token=${PERSONAL}`, 401, NOT_ACCEPTED.body],
  ];
  for (const [name, type, body, status, json] of cases) {
    await t.step(name, async () => {
      const answer = await nobody.send("POST", "/token", {
        body: new TextEncoder().encode(body),
        headers: type === undefined ? {} : { "Content-Type": type },
      });
      assertEquals([answer.status, answer.json()], [status, json]);
    });
  }
});

const PERSONAL = await createPersonal();

async function createPersonal(): Promise<string> {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ name: "laptop" });
  return (await scene.as("reader").send("POST", "/admin/v1/me/tokens", { headers, body })).json().token;
}

Deno.test("A token is good for nothing but what it is", async (t) => {
  const { token, refresh_token } = (await scene.as("reader").get(
    "/token?offline_token=true&scope=repository:team/app:pull",
  )).json();
  await t.step("a refresh token is no access token", async () => {
    assertEquals(
      refusalOf(await scene.bearing(refresh_token).get("/v2/team/app/manifests/v1")),
      NOT_ACCEPTED,
    );
  });
  await t.step("an access token is no refresh token", async () => {
    assertEquals(refusalOf(await post({ grant_type: "refresh_token", refresh_token: token })), NOT_ACCEPTED);
  });
  await t.step("neither is a password", async () => {
    for (const text of [token, refresh_token]) {
      assertEquals(refusalOf(await scene.as("reader", text).get("/v2/")), NOT_ACCEPTED);
    }
  });
  await t.step("a token gets no token for more than itself", async () => {
    const client = scene.bearing(token);
    const query = "scope=repository:public/app:pull&scope=repository:team/app:pull&offline_token=true";
    const answer = (await client.get(`/token?${query}`)).json();
    assertEquals(await scopesOf(answer.token), ["repository:team/app:pull"]);
    assertEquals("refresh_token" in answer, false);
  });
  await t.step("a token gets no token that outlives it", async () => {
    const ending = await forge.resign(token, { exp: Math.floor(Date.now() / 1000) + 20 });
    const { token: next, expires_in } = (await scene.bearing(ending).get("/token")).json();
    assertEquals(decodeJwt(next).exp, decodeJwt(ending).exp);
    assert(expires_in <= 20);
  });
});

Deno.test("A token for one repository is refused", async (t) => {
  const token = await scene.tokenOf("admin", "repository:team/app:pull,push,delete");
  const client = scene.bearing(token);
  const insufficient = (action: string, scope: string) => ({
    status: 401,
    body: { errors: [{ code: "UNAUTHORIZED", message: `Cannot ${action}: the token does not cover it` }] },
    challenge: challengeOf(`${scope},error="insufficient_scope"`),
  });
  const cases: [name: string, path: string, expected: unknown][] = [
    [
      "below it",
      "/v2/team/app/part/manifests/v1",
      insufficient("get-manifest", ',scope="repository:team/app/part:pull"'),
    ],
    ["beside it", "/v2/team/tags/list", insufficient("list-tags", ',scope="repository:team:pull"')],
    ["in the catalog", "/v2/_catalog", insufficient("list-catalog", ',scope="registry:catalog:*"')],
    ["in the catalog of tags", "/v2/tags/list", insufficient("list-catalog", ',scope="registry:catalog:*"')],
    ["for the administration", "/admin/v1/tokens", insufficient("admin.list-tokens", "")],
    ["for tokens", "/admin/v1/me/tokens", insufficient("own-tokens", "")],
  ];
  for (const [name, path, expected] of cases) {
    await t.step(name, async () => assertEquals(refusalOf(await client.get(path)), expected));
  }
  await t.step("by another spelling of a name", async () => {
    for (
      const name of [
        "team%2Fapp",
        "team%2fapp%2fpart",
        "team/app%2Fpart",
        "team//app",
        "team/app/..",
        "TEAM/app",
      ]
    ) {
      const answer = await exchange(
        scene.registry.host,
        `GET /v2/${name}/manifests/v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
      );
      assertMatch(answer, /^HTTP\/1\.1 40[014] /, name);
    }
  });
  await t.step("and good for its own", async () => assertEquals(await pull(token), 200));
});

type Forged = readonly [name: string, token: string | Promise<string>];

async function refuseAll(t: Deno.TestContext, cases: readonly Forged[]): Promise<void> {
  for (const [name, forged] of cases) {
    await t.step(name, async () => {
      const answer = await scene.bearing(await forged).get("/v2/team/app/manifests/v1");
      assertEquals(refusalOf(answer), NOT_ACCEPTED);
    });
  }
}

Deno.test("A token is refused that is signed by", async (t) => {
  const token = await scene.tokenOf("reader", "repository:team/app:pull");
  const [, payload] = token.split(".") as [string, string, string];
  const foreign = await generateKeyPair("ES256", { extractable: true });
  const rsa = await generateKeyPair("RS256");
  const publicKey = new TextEncoder().encode(JSON.stringify(forge.publicJwk));
  const jwk = await exportJWK(foreign.publicKey);
  const own = { alg: "ES256", typ: "JWT", kid: forge.keyId };
  const sign = (key: CryptoKey | Uint8Array, header: object) =>
    new SignJWT(decodeJwt(token)).setProtectedHeader({ ...own, ...header }).sign(key);
  const bare = (header: object, signature: string) => `${formatPart(header)}.${payload}.${signature}`;
  await refuseAll(t, [
    ["another key under the right id", sign(foreign.privateKey, {})],
    ["a key that the token brings", sign(foreign.privateKey, { jwk })],
    ["a key that the token brings, with its own id", sign(foreign.privateKey, { jwk, kid: "mine" })],
    [
      "a key that the token tells where to find",
      sign(foreign.privateKey, { jku: `${scene.registry.url}/x` }),
    ],
    [
      "a certificate that it tells where to find",
      sign(foreign.privateKey, { x5u: `${scene.registry.url}/x` }),
    ],
    ["a certificate that the token brings", sign(foreign.privateKey, { x5c: ["MIIB"] })],
    ["the right key under an unknown id", forge.resign(token, {}, { kid: "unknown" })],
    ["the right key under a path", forge.resign(token, {}, { kid: `../signing/${forge.keyId}` })],
    ["the right key under no id", forge.resign(token, {}, { kid: undefined })],
    ["the public key as a secret", sign(publicKey, { alg: "HS256" })],
    ["another algorithm", sign(rsa.privateKey, { alg: "RS256" })],
    ["nobody", bare({ alg: "none", typ: "JWT" }, "")],
    ["nobody, by another spelling", bare({ ...own, alg: "nOnE" }, "AAAA")],
    ["nothing", bare(own, "")],
    ["zeros", bare(own, "A".repeat(86))],
    ["a character less", token.slice(0, -1)],
    ["a character more", `${token}A`],
    ["a part too many", `${token}.x`],
    ["a part too few", token.slice(0, token.lastIndexOf("."))],
  ]);
});

Deno.test("A token is refused that says", async (t) => {
  const token = await scene.tokenOf("reader", "repository:team/app:pull");
  const now = Math.floor(Date.now() / 1000);
  const who = decodeJwt(token)["who"] as object;
  await refuseAll(t, [
    ["that something unknown matters", forge.resign(token, {}, { crit: ["sreg"], sreg: true })],
    ["that its end matters", forge.resign(token, {}, { crit: ["exp"], exp: now + 60 })],
    ["that its payload is not encoded", forge.resign(token, {}, { crit: ["b64"], b64: false })],
    ["another type", forge.resign(token, {}, { typ: "at+jwt" })],
    ["no type", forge.resign(token, {}, { typ: undefined })],
    ["another issuer", forge.resign(token, { iss: "other" })],
    ["an issuer in another case", forge.resign(token, { iss: "SREG" })],
    ["another service", forge.resign(token, { aud: "other" })],
    ["no service", forge.resign(token, { aud: undefined })],
    ["an end that has come", forge.resign(token, { exp: now })],
    ["no end", forge.resign(token, { exp: undefined })],
    ["an end that is no number", forge.resign(token, { exp: "never" })],
    ["a beginning that has not come", forge.resign(token, { nbf: now + 30 })],
    ["no number of its own", forge.resign(token, { jti: undefined })],
    ["that it is a refresh token", forge.resign(token, { use: "refresh" })],
    ["no use", forge.resign(token, { use: undefined })],
    ["an identity that is no more", forge.resign(token, { who: { ...who, id: "gone" } })],
    ["a source that there is not", forge.resign(token, { source: "other" })],
    ["another generation", forge.resign(token, { generation: "other" })],
  ]);
  await t.step("but not one that says the same anew, or names other services too", async () => {
    assertEquals([await pull(token), await pull(await forge.resign(token))], [200, 200]);
    assertEquals(await pull(await forge.resign(token, { aud: ["other", "sreg"] })), 200);
  });
});

Deno.test("A refresh token is refused that says", async (t) => {
  const refreshToken: string =
    (await scene.as("reader").get("/token?offline_token=true")).json().refresh_token;
  const cases: [name: string, payload: object][] = [
    ["another issuer", { iss: "other" }],
    ["another service", { aud: "other" }],
    ["an end that has come", { exp: Math.floor(Date.now() / 1000) }],
    ["no end", { exp: undefined }],
    ["another use", { use: "access" }],
    ["another generation", { generation: "other" }],
    ["a source that there is not", { source: "other" }],
  ];
  const refresh = async (payload: object) => {
    const token = await forge.resign(refreshToken, payload);
    return await post({ grant_type: "refresh_token", refresh_token: token });
  };
  for (const [name, payload] of cases) {
    await t.step(name, async () => assertEquals(refusalOf(await refresh(payload)), NOT_ACCEPTED));
  }
  await t.step(
    "but not one that says the same anew",
    async () => assertEquals((await refresh({})).status, 200),
  );
});

Deno.test("A token of another registry of the same name is refused", async () => {
  await using other = await startScene();
  const token = await other.tokenOf("reader", "repository:team/app:pull");
  assertEquals(decodeJwt(token).iss, "sreg");
  assertEquals(refusalOf(await scene.bearing(token).get("/v2/team/app/manifests/v1")), NOT_ACCEPTED);
});
