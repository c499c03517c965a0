import { expandPermissions } from "../../server/sandbox/mod.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { fromFileUrl } from "../support/paths.ts";
import { readWebhook, startAuth, startPolicy } from "./scene.ts";

const URL_LINE = "https://policy.corp/decide";
const NO_PEM = fromFileUrl(import.meta.url);

/** Settings that stop the start, each with why. */
const REFUSED: readonly (readonly [lines: readonly string[], why: string])[] = [
  [['timeout = "1s"', "timeout_ms = 5"], "timeout_ms: timeout is set already, and only one of them can be"],
  [['cache = "1s"', "cache_ttl = 5"], "cache_ttl: cache is set already, and only one of them can be"],
  [['secret = "a"', 'secret_file = "b"'], "secret_file: secret is set already, and only one of them can be"],
  [
    ['bearer_token = "a"', 'basic_auth = { username = "a", password = "b" }'],
    "basic_auth: bearer_token is set already, and only one of them can be",
  ],
  [['timeout = "0s"'], "timeout: expected from 1 ms to 20000 ms, found 0"],
  [['timeout = "21s"'], "timeout: expected from 1 ms to 20000 ms, found 21000"],
  [['cache = "2h"'], "cache: expected at most 3600000 ms, found 7200000"],
  [['secret_file = "/dev/null"'], "secret_file: it is empty"],
  [['bearer_token = "a\\r\\nX-Admin: yes"'], "bearer_token: expected ASCII characters and no spaces"],
  [['basic_auth = "ada:pass"'], "basic_auth: expected a table with username and password, each a text"],
  [
    ['basic_auth = { username = "a", password = "b", realm = "c" }'],
    "basic_auth: expected a table with username and password, each a text",
  ],
  [['basic_auth = { username = "a:b", password = "c" }'], "basic_auth: a user name cannot have a colon"],
  [
    ['client_private_key = "/key.pem"'],
    "client_certificate_bundle: it needs client_private_key beside it, and the other way round",
  ],
  [[`ca_bundle = "${NO_PEM}"`], `ca_bundle: expected a PEM file with a CERTIFICATE, found none in ${NO_PEM}`],
];

const REFUSED_URLS: readonly (readonly [url: string, why: string])[] = [
  [
    "http://policy.corp/",
    "only https is safe, but for a service on this machine; allow_http = true accepts http",
  ],
  ["https://ada:pass@policy.corp/", "it holds a user name or a password; set basic_auth instead"],
  ["https://policy.corp/#here", "it has a fragment"],
  [
    "ftp://policy.corp/",
    "only https is safe, but for a service on this machine; allow_http = true accepts http",
  ],
];

function refusal(kind: "auth" | "policy", why: string) {
  return { name: "Error", message: `Cannot start ${kind} plugin "webhook.main": Cannot use ${why}` };
}

Deno.test("a webhook does not start with", async (t) => {
  for (const [lines, why] of REFUSED) {
    await t.step(lines.join(", "), async () => {
      await assertRejects(startPolicy(URL_LINE, ...lines), refusal("policy", why));
      await assertRejects(startAuth(URL_LINE, ...lines), refusal("auth", why));
    });
  }
  for (const [url, why] of REFUSED_URLS) {
    await t.step(`url = ${url}`, async () => {
      await assertRejects(startPolicy(url), refusal("policy", `url: ${why}`));
    });
  }
  await t.step("facts that there are not", async () => {
    const facts =
      "action, namespace, digest, reference, tags, method, client_address, time, ahead, identity.id, " +
      "identity.username, identity.groups, identity.claims, identity.provider, identity.certificate";
    const policy = refusal("policy", `send: there is no "identity.name", only ${facts}`);
    await assertRejects(startPolicy(URL_LINE, 'send = ["identity.name"]'), policy);
    const auth = refusal("auth", 'send: there is no "password", only certificate, client_address');
    await assertRejects(startAuth(URL_LINE, 'send = ["password"]'), auth);
  });
});

Deno.test("a webhook asks over http on this machine, and elsewhere where the operator wants that", async () => {
  const urls = ["http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost:1/"];
  for (const url of urls) await (await startPolicy(url))[Symbol.asyncDispose]();
  await (await startPolicy("http://policy.corp/", "allow_http = true"))[Symbol.asyncDispose]();
});

Deno.test("a webhook may connect to its service, read the files that it names, and do nothing else", async () => {
  for (const kind of ["auth", "policy"]) {
    const { name, permissions, options } = await readWebhook([
      `[${kind}.webhook.audit]`,
      `url = "${URL_LINE}"`,
      'secret_file = "/etc/sreg/secret"',
      'ca_bundle = "/etc/sreg/ca.pem"',
      'client_certificate_bundle = "/etc/sreg/client.pem"',
      'client_private_key = "/etc/sreg/client.key"',
    ].join("\n"));
    assertEquals(name, "webhook.audit");
    assertEquals(expandPermissions(permissions, options), {
      read: ["/etc/sreg/secret", "/etc/sreg/ca.pem", "/etc/sreg/client.pem", "/etc/sreg/client.key"],
      net: ["policy.corp:443"],
    });
  }
});
