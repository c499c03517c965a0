import { assertEquals } from "../support/assert.ts";
import { exchange, identitiesOf } from "./scene.ts";
import { startRegistry } from "../support/registry.ts";

const IDENTITIES = await identitiesOf({ reader: "reader-password" });
const EXTERNAL = "https://registry.example";

/** What clients are told where to get tokens; or the status, where it is not 401. */
async function realmOf(host: string, lines: readonly string[], target = "/v2/"): Promise<string> {
  const head = [`GET ${target} HTTP/1.1`, ...lines, "Connection: close", "", ""].join("\r\n");
  const answer = await exchange(host, head);
  const [, realm] = /^WWW-Authenticate: Bearer realm="([^\r\n]*)",service="sreg"\r$/im.exec(answer) ?? [];
  return realm ?? answer.slice("HTTP/1.1 ".length, "HTTP/1.1 ".length + 3);
}

/** What somebody on the way may write who would like to be given passwords. */
const FORWARDED = [
  "X-Forwarded-Host: evil.example",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Port: 8443",
  "X-Forwarded-Server: evil.example",
  "X-Forwarded-Prefix: //evil.example",
  "X-Original-URL: //evil.example/",
  "X-Rewrite-URL: //evil.example/",
  "X-Host: evil.example",
  "Forwarded: host=evil.example;proto=https",
  "Referer: https://evil.example/",
  "Origin: https://evil.example",
];

Deno.test("The place where tokens are got is that of the request, whatever else it says", async () => {
  await using registry = await startRegistry({ config: IDENTITIES });
  const { host, url } = registry;
  const realms = FORWARDED.map((line) => realmOf(host, [`Host: ${host}`, line]));
  assertEquals(await Promise.all(realms), FORWARDED.map(() => `${url}/token`));
  assertEquals(await realmOf(host, [`Host: ${host}`, `X: y\rX-Forwarded-Host: evil.example`]), "400");
  assertEquals(await realmOf(host, [`Host: ${host}`, "Host: evil.example"]), "400");
  assertEquals(await realmOf(host, [`Host: ${host}`], "//evil.example/v2/"), "404");
  assertEquals(await realmOf(host, [`Host: registry.lan:5000`]), "http://registry.lan:5000/token");
});

Deno.test("A trusted proxy says by which scheme clients come, and nothing else", async () => {
  await using registry = await startRegistry({
    config: `[server]\ntrusted_proxies = ["127.0.0.0/8"]\n${IDENTITIES}`,
  });
  const { host, url } = registry;
  const realms = FORWARDED.map((line) => realmOf(host, [`Host: ${host}`, line]));
  const expected = FORWARDED.map((line) =>
    line.startsWith("X-Forwarded-Proto") ? `https://${host}/token` : `${url}/token`
  );
  assertEquals(await Promise.all(realms), expected);
  for (const scheme of ["javascript", "https://evil.example/", "https, http", "HTTPS", "//evil.example"]) {
    assertEquals(await realmOf(host, [`Host: ${host}`, `X-Forwarded-Proto: ${scheme}`]), `${url}/token`);
  }
});

Deno.test("The place where tokens are got is external_url's, where there is one", async () => {
  await using registry = await startRegistry({
    config: `[server]\nexternal_url = "${EXTERNAL}"\ntrusted_proxies = ["127.0.0.1"]\n${IDENTITIES}`,
  });
  const { host } = registry;
  const realmsOf = (hosts: readonly string[]) =>
    Promise.all(hosts.map((name) => realmOf(host, [`Host: ${name}`, ...FORWARDED])));
  const hosts = [host, "evil.example", "evil.example:80", "[::1]"];
  assertEquals(await realmsOf(hosts), hosts.map(() => `${EXTERNAL}/token`));
  const odd = await realmsOf(["//evil.example", "user@evil.example", 'x",service="y']);
  assertEquals(odd.filter((realm) => realm !== `${EXTERNAL}/token` && realm !== "400"), []);
  assertEquals(await realmOf(host, ["Host: evil.example"], "http://evil.example/v2/"), `${EXTERNAL}/token`);
});
