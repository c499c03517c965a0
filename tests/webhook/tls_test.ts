import type { ServerOptions } from "node:https";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { type Certificate, makeCertificate, makeClientCertificate } from "../support/certificate.ts";
import { hasProgram } from "../support/programs.ts";
import { says, startOutside } from "./outside.ts";
import { PULL, startPolicy } from "./scene.ts";

interface Authority extends AsyncDisposable {
  readonly folder: string;
  readonly files: Certificate;
  /** What a server of it speaks TLS with. */
  readonly server: ServerOptions;
}

async function makeAuthority(): Promise<Authority> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-webhook-" });
  const files = await makeCertificate(folder);
  const server = {
    cert: await Deno.readTextFile(files.certificate),
    key: await Deno.readTextFile(files.key),
    ca: await Deno.readTextFile(files.authority),
  };
  return { folder, files, server, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `a webhook over TLS ${name} (openssl)`, ignore: !hasProgram("openssl"), fn });
}

test("trusts the authority of ca_bundle", async () => {
  await using authority = await makeAuthority();
  await using service = await startOutside(says({ decision: "allow" }), authority.server);
  await using scene = await startPolicy(service.url, `ca_bundle = "${authority.files.authority}"`);
  assertEquals((await scene.policy.decide(PULL)).effect, "allow");
});

test("trusts no other authority", async () => {
  await using authority = await makeAuthority();
  await using other = await makeAuthority();
  await using service = await startOutside(says({ decision: "allow" }), authority.server);
  for (const lines of [[], [`ca_bundle = "${other.files.authority}"`]]) {
    await using scene = await startPolicy(service.url, ...lines);
    const { effect, warning } = await scene.policy.decide(PULL);
    assertEquals(effect, "deny");
    assertMatch(warning ?? "", /\/decide: invalid peer certificate/);
  }
  assertEquals(service.questions, []);
});

test("trusts no certificate of another host", async () => {
  await using authority = await makeAuthority();
  await using service = await startOutside(says({ decision: "allow" }), authority.server);
  const url = service.url.replace("127.0.0.1", "[::ffff:127.0.0.1]");
  await using scene = await startPolicy(url, `ca_bundle = "${authority.files.authority}"`);
  const { effect, warning } = await scene.policy.decide(PULL);
  assertEquals(effect, "deny");
  assertMatch(warning ?? "", /invalid peer certificate: .*not valid for/);
});

test("shows its own certificate to a service that asks for one", async () => {
  await using authority = await makeAuthority();
  const { folder, files, server } = authority;
  const client = await makeClientCertificate(files, `${folder}/sreg`);
  const mutual = { ...server, requestCert: true, rejectUnauthorized: true };
  await using service = await startOutside(says({ decision: "allow" }), mutual);
  await using known = await startPolicy(
    service.url,
    `ca_bundle = "${files.authority}"`,
    `client_certificate_bundle = "${client.certificate}"`,
    `client_private_key = "${client.key}"`,
  );
  await using unknown = await startPolicy(service.url, `ca_bundle = "${files.authority}"`);
  assertEquals((await known.policy.decide(PULL)).effect, "allow");
  const { effect, warning } = await unknown.policy.decide(PULL);
  assertEquals([effect, service.questions.length], ["deny", 1]);
  // Whether the service's alert arrives before its end is a race.
  assertMatch(
    warning ?? "",
    /\/decide: (?:received fatal alert: CertificateRequired|peer closed connection|.*reset)/,
  );
});
