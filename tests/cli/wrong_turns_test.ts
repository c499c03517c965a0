import { assertEquals } from "../support/assert.ts";
import { makeCertificate } from "../support/certificate.ts";
import { identityTables } from "../support/identities.ts";
import { hasProgram } from "../support/programs.ts";
import { startRegistry } from "../support/registry.ts";
import { openDesk } from "./scene.ts";

const ADMIN = `
[[binding]]
role = "admin"
users = ["root"]
`;
const LOGIN = ["--username", "root", "--password-stdin"];

/** A port that nobody listens on. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("sregctl says what to do where a URL or a password is wrong, and keeps no context", async () => {
  await using desk = await openDesk({});
  await using server = await startRegistry({ config: await identityTables(["root"]) + ADMIN });
  const login = async (url: string, password = "root-password") => {
    const { code, stdout, stderr } = await desk.run(["login", url, ...LOGIN], {}, password);
    assertEquals([code, stdout], [1, ""]);
    return stderr;
  };
  const nobody = `http://127.0.0.1:${freePort()}`;
  const elsewhere =
    "it has no administration here (404): is this the URL of sreg, and of its [admin] where that has a listener of its own?";
  assertEquals(
    await login(nobody),
    `sregctl: Cannot reach ${nobody}: Connection refused (os error 111); does it run?\n`,
  );
  assertEquals(
    await login(server.url.replace("http:", "https:")),
    `sregctl: Cannot reach ${
      server.url.replace("http:", "https:")
    }: it does not speak TLS; is its URL http://…?\n`,
  );
  assertEquals(await login(`${server.url}/v2/`), `sregctl: Cannot ask ${server.url}/v2: ${elsewhere}\n`);
  assertEquals(
    await login(server.url, "wrong"),
    `sregctl: Cannot ask ${server.url}: 401 The credentials are not accepted\n`,
  );
  assertEquals((await desk.run(["context", "list"])).stdout.includes("127.0.0.1"), false);
});

Deno.test("sregctl says that a server is none of sreg's", async () => {
  await using desk = await openDesk({});
  await using other = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("<!doctype html><p>Not found", { status: 404 }),
  );
  const url = `http://127.0.0.1:${other.addr.port}`;
  assertEquals(
    (await desk.run(["status"], { SREG_SERVER: url })).stderr,
    `sregctl: Cannot ask ${url}: it has no administration here (404): is this the URL of sreg, ` +
      "and of its [admin] where that has a listener of its own?\n",
  );
});

Deno.test("sregctl says whose credentials are not taken any more, and how to sign in again", async () => {
  await using desk = await openDesk({});
  await using server = await startRegistry({ config: await identityTables(["root"]) + ADMIN });
  await desk.run(["login", server.url, ...LOGIN], {}, "root-password");
  const until = new Date(Date.now() + 4_000).toISOString();
  const made = await desk.run([
    "identity",
    "token",
    "create",
    "soon",
    "--mine",
    "--expires",
    until,
    "--json",
  ]);
  const { token } = JSON.parse(made.stdout) as { token: string };
  const asToken = () => desk.run(["status"], { SREG_TOKEN: token });
  assertEquals((await asToken()).code, 0);
  while (Date.now() < Date.parse(until)) await new Promise((resolve) => setTimeout(resolve, 100));
  const refusal = `sregctl: Cannot ask ${server.url}: 401 The credentials are not accepted`;
  assertEquals((await asToken()).stderr, `${refusal}; they are those of SREG_TOKEN\n`);
  const path = `${desk.folder}/config/sregctl/contexts.json`;
  await Deno.writeTextFile(path, (await Deno.readTextFile(path)).replace("root-password", "the one before"));
  assertEquals(
    (await desk.run(["status"])).stderr,
    `${refusal}; sign in again: sregctl login ${server.url}\n`,
  );
  await desk.run(["logout"]);
  assertEquals(
    (await desk.run(["status"])).stderr,
    `sregctl: Cannot ask ${server.url}: authentication is required (401); sign in: sregctl login ${server.url}\n`,
  );
});

Deno.test({
  name: "sregctl says how to speak TLS where that is what a server speaks, by openssl",
  ignore: !hasProgram("openssl"),
  async fn() {
    await using desk = await openDesk({});
    const { certificate, key } = await makeCertificate(desk.folder);
    await using server = await startRegistry({
      config: `[server.tls]
server_certificate_bundle = ${JSON.stringify(certificate)}
server_private_key = ${JSON.stringify(key)}
`,
    });
    const ask = async (url: string) => (await desk.run(["status"], { SREG_SERVER: url })).stderr;
    assertEquals(
      await ask(server.url),
      `sregctl: Cannot reach ${server.url}: invalid peer certificate: UnknownIssuer; ` +
        "to trust a CA of your own: login --ca FILE, SREG_CA\n",
    );
    const plain = server.url.replace("https:", "http:");
    assertEquals(
      await ask(plain),
      `sregctl: Cannot reach ${plain}: connection closed before message completed; ` +
        "does it speak TLS, is its URL https://…?\n",
    );
  },
});
