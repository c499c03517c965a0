/** A real OpenID provider, whose token a client gets as machines do, and shows to the plugin. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";
import { assert, assertEquals } from "../support/assert.ts";
import { type Scene, startOidc } from "./scene.ts";

const AUDIENCE = "https://registry.example";
const CLIENT = { id: "builder", secret: "a secret that the provider has been told" };
const ALGORITHMS = [["ES256", "EC"], ["RS256", "RSA"], ["PS512", "RSA"], ["EdDSA", "OKP"]] as const;

type Algorithm = (typeof ALGORITHMS)[number][0];

interface RunningProvider extends AsyncDisposable {
  readonly issuer: string;
  /** An access token (RFC 9068) for the client itself, signed by this algorithm, for the audience. */
  token(algorithm: Algorithm): Promise<string>;
}

async function startProvider(): Promise<RunningProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on("request", new Provider(issuer, await configure()).callback());
  return {
    issuer,
    token: (algorithm) => requestToken(issuer, algorithm),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function configure() {
  const keys = ALGORITHMS.map(async ([alg]) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    return { ...await exportJWK(privateKey), kid: alg, alg, use: "sig" };
  });
  const resourceServer = (algorithm: string) => ({
    scope: "push",
    audience: AUDIENCE,
    accessTokenFormat: "jwt",
    accessTokenTTL: 300,
    jwt: { sign: { alg: algorithm } },
  });
  return {
    jwks: { keys: await Promise.all(keys) },
    clients: [{
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    }],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context: unknown, resource: string) =>
          resourceServer(new URL(resource).pathname.slice(1)),
      },
    },
    ttl: { ClientCredentials: 300 },
    extraTokenClaims: () => ({ preferred_username: "The builder", realm_access: { roles: ["ci", "push"] } }),
  };
}

async function requestToken(issuer: string, algorithm: Algorithm): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: "POST",
    headers: { Authorization: `Basic ${btoa(`${CLIENT.id}:${encodeURIComponent(CLIENT.secret)}`)}` },
    body: new URLSearchParams({ grant_type: "client_credentials", resource: `${AUDIENCE}/${algorithm}` }),
  });
  const { access_token, ...rest } = await response.json();
  assertEquals(rest, { expires_in: 300, token_type: "Bearer" });
  return access_token;
}

let provider: RunningProvider;
let scene: Scene;

Deno.test.beforeAll(async () => {
  provider = await startProvider();
  scene = await startOidc([
    `issuer = "${provider.issuer}"`,
    `audience = ["${AUDIENCE}"]`,
    'groups_claim = "realm_access.roles"',
    'required_claims = { client_id = "builder" }',
  ]);
});

Deno.test.afterAll(async () => {
  await scene[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

for (const [algorithm] of ALGORITHMS) {
  Deno.test(`a ${algorithm} token of a real provider is known, as Bearer and as a password`, async () => {
    const token = await provider.token(algorithm);
    const [, payload] = token.split(".");
    const claims = JSON.parse(atob(payload!.replaceAll("-", "+").replaceAll("_", "/")));
    for (const answer of [await scene.bearer(token), await scene.password(token)]) {
      assert(answer.outcome === "known", JSON.stringify(answer));
      assertEquals(JSON.parse(JSON.stringify(answer)), {
        outcome: "known",
        identity: {
          id: "oidc:main:builder",
          username: "The builder",
          groups: ["ci", "push"],
          claims,
          provider: "main",
        },
        expiresAtMs: claims.exp * 1_000,
        cacheForMs: 60_000,
      });
    }
  });
}

Deno.test("a token of a real provider is refused where it is for somebody else", async () => {
  await using other = await startOidc([
    `issuer = "${provider.issuer}"`,
    'audience = ["https://other.example"]',
  ]);
  assertEquals(await other.bearer(await provider.token("ES256")), {
    outcome: "refused",
    reason: 'its audience is "https://registry.example", expected "https://other.example"',
  });
});
