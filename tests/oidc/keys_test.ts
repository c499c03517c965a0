/** Where a provider's keys come from, how often, and what a provider in trouble does to those who show tokens. */

import type { AuthAnswer } from "../../plugins/contract/auth.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { makeCertificate } from "../support/certificate.ts";
import { makeKey, TestIssuer } from "./issuer.ts";
import { startFor, startOidc } from "./scene.ts";

const DISCOVERY = "/.well-known/openid-configuration";

function assertKnown(answer: AuthAnswer): void {
  assertEquals(answer.outcome, "known", JSON.stringify(answer));
}

Deno.test("the keys of a provider are fetched once, by 100 requests at once", async () => {
  await using issuer = new TestIssuer();
  await using scene = await startFor(issuer);
  assertEquals(issuer.asked, []);
  const token = issuer.token();
  const answers = await Promise.all(Array.from({ length: 100 }, () => scene.bearer(token)));
  for (const answer of answers) assertKnown(answer);
  assertEquals(issuer.asked, [DISCOVERY, "/keys"]);
});

Deno.test("a key that is new is fetched once, by 100 requests at once, and the one that is gone is refused", async () => {
  await using issuer = new TestIssuer();
  await using scene = await startFor(issuer);
  const old = issuer.token();
  assertKnown(await scene.bearer(old));
  issuer.publish(makeKey("second"));
  const token = issuer.token();
  const answers = await Promise.all(Array.from({ length: 100 }, () => scene.bearer(token)));
  for (const answer of answers) assertKnown(answer);
  assertEquals(issuer.fetches, 2);
  assertEquals(await scene.bearer(old), {
    outcome: "refused",
    reason: 'the provider has no key "first" for ES256',
  });
});

Deno.test("1,000 tokens with random kids have the keys fetched once more, and good tokens go on", async () => {
  await using issuer = new TestIssuer();
  await using scene = await startFor(issuer);
  const good = issuer.token();
  assertKnown(await scene.bearer(good));
  const show = async () => {
    const { outcome } = await scene.bearer(issuer.token({}, { header: { kid: crypto.randomUUID() } }));
    assertEquals(outcome, "refused");
  };
  for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 100 }, show));
  assertEquals(issuer.fetches, 2);
  assertKnown(await scene.bearer(good));
  assertEquals(issuer.fetches, 2);
});

Deno.test("tokens of algorithms that are not accepted have no keys fetched", async () => {
  await using issuer = new TestIssuer();
  await using scene = await startFor(issuer, 'algorithms = ["EdDSA"]');
  assertEquals((await scene.bearer(issuer.token())).outcome, "refused");
  assertEquals(issuer.asked, []);
});

Deno.test("a provider that goes down is not missed while its keys are known, but for unknown ones", async () => {
  const issuer = new TestIssuer();
  await using scene = await startFor(issuer);
  const token = issuer.token();
  assertKnown(await scene.bearer(token));
  await issuer[Symbol.asyncDispose]();
  assertKnown(await scene.bearer(token));
  await assertRejects(scene.bearer(issuer.token({}, { key: makeKey("second") })), {
    name: "PluginError",
    code: "unavailable",
  });
  assertKnown(await scene.bearer(token));
});

Deno.test("a set of keys without names, or with several of one name, is tried through", async () => {
  await using issuer = new TestIssuer();
  await using scene = await startFor(issuer);
  const keys = [makeKey("same"), makeKey("same"), makeKey("same")];
  issuer.publish(...keys);
  for (const key of keys) {
    assertKnown(await scene.bearer(issuer.token({}, { key })));
    assertKnown(await scene.bearer(issuer.token({}, { key, header: { kid: undefined } })));
  }
  assertEquals(await scene.bearer(issuer.token({}, { key: makeKey("same") })), {
    outcome: "refused",
    reason: "its signature is not the provider's",
  });
});

Deno.test("jwks_uri says where the keys are, and nothing is discovered", async () => {
  await using issuer = new TestIssuer();
  await using keys = new TestIssuer();
  await using scene = await startFor(issuer, `jwks_uri = "${keys.url}/keys"`);
  assertKnown(await scene.bearer(issuer.token({}, { key: keys.key })));
  assertEquals([issuer.asked, keys.asked], [[], ["/keys"]]);
});

Deno.test("jwks_hosts lets the discovery document name another host", async () => {
  await using issuer = new TestIssuer();
  await using keys = new TestIssuer();
  issuer.answers.set(DISCOVERY, () => Response.json({ issuer: issuer.url, jwks_uri: `${keys.url}/keys` }));
  await using scene = await startFor(issuer, `jwks_hosts = ["${keys.host}"]`);
  assertKnown(await scene.bearer(issuer.token({}, { key: keys.key })));
  assertEquals(keys.asked, ["/keys"]);
});

type Trouble = readonly [
  what: string,
  answer: (issuer: TestIssuer) => Response | Promise<Response>,
  why: string,
];

const DISCOVERY_TROUBLES: readonly Trouble[] = [
  [
    "names another issuer",
    ({ url }) => Response.json({ issuer: `${url}/`, jwks_uri: `${url}/keys` }),
    'failed: Cannot use the discovery document of ISSUER: it names the issuer "ISSUER/"; set issuer to exactly that',
  ],
  [
    "names no keys",
    ({ url }) => Response.json({ issuer: url }),
    "failed: Cannot use the discovery document of ISSUER: it names no jwks_uri",
  ],
  [
    "names keys at a host that was not granted",
    ({ url }) => Response.json({ issuer: url, jwks_uri: "https://keys.example/set" }),
    "failed: Cannot use the discovery document of ISSUER: its jwks_uri " +
    '"https://keys.example/set" is at a host that was not granted; set jwks_hosts = ["keys.example:443"] if that is right',
  ],
  [
    "names keys without TLS",
    ({ url }) => Response.json({ issuer: url, jwks_uri: "http://keys.example/set" }),
    "failed: Cannot use the discovery document of ISSUER: " +
    'Cannot use its jwks_uri "http://keys.example/set": only https is safe, but for a provider on this machine',
  ],
  [
    "names keys in a file",
    ({ url }) => Response.json({ issuer: url, jwks_uri: "file:///etc/passwd" }),
    "failed: Cannot use the discovery document of ISSUER: " +
    'Cannot use its jwks_uri "file:///etc/passwd": only https is safe, but for a provider on this machine',
  ],
  [
    "is a list",
    () => Response.json([]),
    "unavailable: Cannot fetch the discovery document of ISSUER from ISSUER/.well-known/openid-configuration: " +
    "it is no JSON object",
  ],
];

const KEYS_TROUBLES: readonly Trouble[] = [
  [
    "answers 500",
    () => new Response("no", { status: 500 }),
    "unavailable: Cannot fetch the keys of ISSUER from ISSUER/keys: it answered 500",
  ],
  [
    "answers nonsense",
    () => new Response("<html>"),
    "unavailable: Cannot fetch the keys of ISSUER from ISSUER/keys: it is no JSON object",
  ],
  [
    "answers JSON that is no set of keys",
    () => Response.json({ keys: "many" }),
    "unavailable: Cannot use the provider's keys: they are no set of keys",
  ],
  [
    "answers without end",
    () => new Response(endless()),
    "unavailable: Cannot fetch the keys of ISSUER from ISSUER/keys: it is larger than 524288 bytes",
  ],
  [
    "does not answer",
    () => new Promise<Response>(() => {}),
    "unavailable: Cannot fetch the keys of ISSUER from ISSUER/keys: no answer within 5000 ms",
  ],
  [
    "redirects",
    ({ url }) => Response.redirect(`${url}/elsewhere`, 302),
    "unavailable: Cannot fetch the keys of ISSUER from ISSUER/keys: " +
    "it answered 302, and redirects are not followed; set jwks_uri to where the keys are",
  ],
];

for (const [path, troubles] of [[DISCOVERY, DISCOVERY_TROUBLES], ["/keys", KEYS_TROUBLES]] as const) {
  for (const [what, answer, why] of troubles) {
    const subject = path === DISCOVERY ? "a discovery document that" : "a provider that, asked for its keys,";
    Deno.test(`${subject} ${what} is an error that says so, for the log`, async () => {
      await using issuer = new TestIssuer();
      issuer.answers.set(path, () => answer(issuer));
      await using scene = await startFor(issuer);
      const [code, message] = why.replaceAll("ISSUER", issuer.url).split(/: (.*)/s);
      await assertRejects(scene.bearer(issuer.token()), { name: "PluginError", code, message });
      // A second one soon after does not ask the provider again.
      await assertRejects(scene.bearer(issuer.token()), { name: "PluginError", code, message });
      assertEquals(issuer.asked, path === DISCOVERY ? [DISCOVERY] : [DISCOVERY, "/keys"]);
    });
  }
}

Deno.test("a provider that is down from the start leaves who asks unknown, and nothing more", async () => {
  const issuer = new TestIssuer();
  await using scene = await startFor(issuer);
  const token = issuer.token();
  await issuer[Symbol.asyncDispose]();
  await assertRejects(scene.bearer(token), { name: "PluginError", code: "unavailable" });
  assertEquals(await scene.bearer("a token of somebody else"), { outcome: "foreign" });
});

Deno.test("ca_bundle lets the provider have a certificate of an authority of one's own", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sreg-oidc-" });
  const { authority, certificate, key } = await makeCertificate(folder);
  const read = (path: string) => Deno.readTextFile(path);
  await using keys = new TestIssuer();
  const asked = () =>
    Response.json({ keys: [{ ...keys.key.publicKey.export({ format: "jwk" }), kid: "first" }] });
  const tls = { cert: await read(certificate), key: await read(key) };
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {}, ...tls }, asked);
  const lines = [`jwks_uri = "https://127.0.0.1:${server.addr.port}/keys"`];
  {
    await using scene = await startFor(keys, ...lines);
    await assertRejects(scene.bearer(keys.token()), {
      code: "unavailable",
      message: /invalid peer certificate/,
    });
  }
  {
    await using scene = await startFor(keys, ...lines, `ca_bundle = "${authority}"`);
    assertKnown(await scene.bearer(keys.token()));
  }
  await Deno.remove(folder, { recursive: true });
});

const REFUSED_SETTINGS: readonly (readonly [lines: readonly string[], message: string])[] = [
  [["issuer = 'http://id.example'"], 'Cannot use issuer "http://id.example": only https is safe'],
  [["issuer = 'https://u:p@id.example'"], "it holds a user name or a password"],
  [
    ["issuer = 'https://id.example?x=1'"],
    'Cannot use issuer "https://id.example?x=1": expected a URL without',
  ],
  [["audience = []"], "Cannot use audience []: expected one at least"],
  [["algorithms = ['HS256']"], 'Cannot use algorithms "HS256": expected algorithms with a private key'],
  [["algorithms = ['none']"], 'Cannot use algorithms "none": expected algorithms with a private key'],
  [
    ["required_claims = { realm = { team = 'a' } }"],
    "Cannot use required_claims.realm an object: expected a value",
  ],
  [
    ["required_claims = { team = [] }"],
    "Cannot use required_claims.team []: expected a value or a list of values",
  ],
  [
    ["jwks_uri = 'http://id.example/keys'"],
    'Cannot use jwks_uri "http://id.example/keys": only https is safe',
  ],
  [["ca_bundle = '/nowhere/ca.pem'"], "Cannot use ca_bundle /nowhere/ca.pem: "],
];

for (const [lines, message] of REFUSED_SETTINGS) {
  Deno.test(`the OIDC plugin does not start with ${lines.join(", ")}`, async () => {
    const given = lines.map((line) => line.split(" ")[0]);
    const usual = ['issuer = "https://id.example"', 'audience = ["registry"]'];
    const rest = usual.filter((line) => !given.includes(line.split(" ")[0]));
    const error = await startOidc([...rest, ...lines]).then(() => undefined, (error: Error) => error);
    assert(error?.message.includes(message), error?.message);
  });
}

function endless(): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(65_536).fill(32);
  return new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
}
