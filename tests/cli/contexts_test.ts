import { makeCertificate, makeClientCertificate } from "../support/certificate.ts";
import { hasProgram } from "../support/programs.ts";
import { assertEquals } from "../support/assert.ts";
import { type Desk, openDesk, printed, refused } from "./scene.ts";
import { openScreen } from "./screen.ts";
import { refusal, serve } from "./stand_in.ts";

const ME = { id: "a1", username: "alice", groups: ["dev"], by: "password", anonymous: false };
const BASIC = `Basic ${new TextEncoder().encode("alice:pä:ss word").toBase64()}`;

function contextsOf(desk: Desk): string {
  return `${desk.folder}/config/sregctl/contexts.json`;
}

/** Signs in with the password on standard input. */
async function signIn(desk: Desk, args: readonly string[], password = "pä:ss word\n") {
  return await desk.run(["login", ...args, "--password-stdin"], {}, password);
}

Deno.test("sregctl login tries the credentials, and keeps them where only their user can read them", async () => {
  await using desk = await openDesk({});
  await using server = serve({ "GET /admin/v1/me": ME });
  assertEquals(
    await signIn(desk, [server.url, "--username", "alice", "--name", "main"]),
    printed(0, `Signed in to ${server.url} as alice; this is the context main\n`),
  );
  const { mode } = await Deno.stat(contextsOf(desk));
  const folder = await Deno.stat(`${desk.folder}/config/sregctl`);
  assertEquals([mode! & 0o777, folder.mode! & 0o777], [0o600, 0o700]);
  assertEquals(
    await desk.run(["whoami"]),
    printed(
      0,
      `server     ${server.url}\nuser name  alice\nid         a1\ngroups     dev\nknown by   password\n`,
    ),
  );
  assertEquals(server.asked.map(({ authorization }) => authorization), [BASIC, BASIC]);
});

Deno.test("sregctl login keeps nothing where the server refuses", async () => {
  await using desk = await openDesk({});
  await using server = serve({ "GET /admin/v1/me": () => refusal(401, "The credentials are not accepted") });
  assertEquals(await signIn(desk, [server.url, "--username", "alice"]), {
    code: 1,
    stdout: "",
    stderr: `sregctl: Cannot ask ${server.url}: 401 The credentials are not accepted\n`,
  });
  assertEquals(
    await desk.run(["context", "list"]),
    printed(0, "There is no context: sregctl login URL makes one\n"),
  );
});

Deno.test("sregctl has contexts: used, shown without passwords, signed out of, deleted", async () => {
  await using desk = await openDesk({});
  await using server = serve({ "GET /admin/v1/me": ME });
  for (const name of ["one", "two"]) await signIn(desk, [server.url, "--username", "alice", "--name", name]);
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await desk.run(args);
    return `${code} ${stdout}${stderr}`;
  };
  const pad = " ".repeat(server.url.length - "server".length);
  const list = (marks: readonly string[]) =>
    `0    context  server${pad}  user name\n` +
    ["one", "two"].map((name, index) => `${marks[index]}  ${name}      ${server.url}  alice\n`).join("");
  assertEquals(await run("context", "list"), list([" ", "*"]));
  assertEquals(await run("context", "use", "one"), "0 The current context is one\n");
  assertEquals(await run("context", "list"), list(["*", " "]));
  assertEquals(
    await run("context", "show"),
    `0 context    one (current)\nserver     ${server.url}\nuser name  alice\n`,
  );
  assertEquals((await run("context", "show", "two", "--json")).includes("ss word"), false);
  assertEquals(
    await run("context", "use", "tow"),
    '2 sregctl: --context: there is no "tow", did you mean two?\n',
  );
  assertEquals(
    await run("context", "delete", "one"),
    "2 sregctl: Delete the context one and its credentials? Say so with --yes: there is no terminal to ask\n",
  );
  assertEquals(
    await run("context", "delete", "one", "--dry-run"),
    "0 Would delete the context one and its credentials\n",
  );
  assertEquals(await run("context", "delete", "one", "--yes"), "0 The context one is forgotten\n");
  assertEquals(
    await run("whoami"),
    "2 sregctl: Cannot tell which server is meant: sregctl login URL, or --server URL\n",
  );
  assertEquals(await run("logout", "--context", "two"), "0 The credentials of two are forgotten\n");
  await run("whoami", "--context", "two");
  assertEquals(server.asked.at(-1)!.authorization, null);
});

Deno.test("sregctl takes SREG_* over the current context, and --context over both; credentials stay with their server", async () => {
  await using desk = await openDesk({});
  await using one = serve({ "GET /admin/v1/me": ME });
  await using two = serve({ "GET /admin/v1/me": ME });
  await signIn(desk, [one.url, "--username", "alice", "--name", "one"]);
  const ask = async (server: typeof one, args: readonly string[], env = {}) => {
    assertEquals((await desk.run(["whoami", ...args], env)).code, 0);
    return server.asked.at(-1)!.authorization;
  };
  assertEquals(await ask(one, [], { SREG_TOKEN: "t" }), "Bearer t");
  assertEquals(await ask(two, [], { SREG_SERVER: two.url, SREG_TOKEN: "t" }), "Bearer t");
  assertEquals(await ask(two, [], { SREG_SERVER: two.url }), null);
  assertEquals(await ask(two, ["--server", two.url]), null);
  assertEquals(await ask(one, ["--server", one.url]), BASIC);
  assertEquals(await ask(one, ["--context", "one"], { SREG_SERVER: two.url, SREG_TOKEN: "t" }), BASIC);
});

Deno.test("sregctl refuses credentials that others can read, and what is no file of its own", async () => {
  await using desk = await openDesk({});
  const path = contextsOf(desk);
  await Deno.mkdir(`${desk.folder}/config/sregctl`, { recursive: true });
  await Deno.writeTextFile(path, '{"contexts":{}}', { mode: 0o644 });
  await Deno.chmod(path, 0o644);
  assertEquals(
    await desk.run(["context", "list"]),
    refused(
      `sregctl: Cannot use ${path}: others can read the passwords in it; repair it with: chmod 600 ${path}\n`,
    ),
  );
  await Deno.chmod(path, 0o600);
  await Deno.writeTextFile(path, "{");
  assertEquals(
    await desk.run(["context", "list"]),
    refused(`sregctl: Cannot use ${path}: it is no JSON; sign in again after you have removed it\n`),
  );
  await Deno.writeTextFile(path, '{"contexts":{"a":{"server":7}}}');
  assertEquals(
    await desk.run(["context", "list"]),
    refused(`sregctl: Cannot use ${path}: contexts.a.server: expected a text\n`),
  );
});

Deno.test("sregctl loses no context where several sign in at once", async () => {
  await using desk = await openDesk({});
  await using server = serve({ "GET /admin/v1/me": ME });
  const names = ["a", "b", "c", "d", "e", "f"];
  await Promise.all(names.map((name) => signIn(desk, [server.url, "--username", "alice", "--name", name])));
  const { contexts } = JSON.parse((await desk.run(["context", "list", "--json"])).stdout);
  assertEquals(contexts.map(({ name }: { name: string }) => name).toSorted(), names);
});

Deno.test("sregctl sends no credentials over plain HTTP to another machine, unless that is allowed", async () => {
  await using desk = await openDesk({});
  const url = "http://registry.invalid";
  const says = refused(
    `sregctl: Cannot send credentials to ${url}: over plain HTTP others can read them; use https://, ` +
      "or allow it: login --insecure-http, SREG_INSECURE_HTTP=1\n",
  );
  assertEquals(await signIn(desk, [url, "--username", "alice"]), says);
  assertEquals(await desk.run(["whoami"], { SREG_SERVER: url, SREG_TOKEN: "t" }), says);
  const allowed = await desk.run(["whoami"], { SREG_SERVER: url, SREG_TOKEN: "t", SREG_INSECURE_HTTP: "1" });
  assertEquals([allowed.code, allowed.stderr.startsWith(`sregctl: Cannot reach ${url}: `)], [1, true]);
});

Deno.test({
  name: "sregctl speaks TLS with a CA of one's own and a client's certificate, by openssl",
  ignore: !hasProgram("openssl"),
  async fn() {
    await using desk = await openDesk({});
    const files = await makeCertificate(desk.folder);
    const client = await makeClientCertificate(files, `${desk.folder}/client`);
    await using server = serve({ "GET /admin/v1/me": ME }, {
      cert: await Deno.readTextFile(files.certificate),
      key: await Deno.readTextFile(files.key),
    });
    const login = ["login", server.url, "--name", "tls", "--cert", client.certificate, "--key", client.key];
    const untrusted = await desk.run(login);
    assertEquals([untrusted.code, /^sregctl: Cannot reach https:.*certificate/.test(untrusted.stderr)], [
      1,
      true,
    ]);
    assertEquals(
      await desk.run([...login, "--ca", files.authority]),
      printed(0, `Signed in to ${server.url} as alice; this is the context tls\n`),
    );
    assertEquals((await desk.run(["whoami"])).code, 0);
    assertEquals((await desk.run(["whoami", "--server", server.url], { SREG_CA: files.authority })).code, 0);
    assertEquals(
      await desk.run(["login", server.url, "--cert", client.certificate]),
      refused("sregctl: A client certificate needs its key: --cert with --key\n"),
    );
  },
});

Deno.test({
  name: "sregctl login asks at a terminal and shows no password, by tmux",
  ignore: !hasProgram("tmux"),
  async fn() {
    await using desk = await openDesk({});
    await using server = serve({ "GET /admin/v1/me": ME });
    await using screen = await openScreen(desk, ["login", server.url]);
    await screen.waitFor(/User name/);
    await screen.press("alice", "Enter");
    await screen.waitFor(/Password/);
    await screen.press("-l", "pä:ss word");
    await screen.press("Enter");
    const { code, text } = await screen.ended();
    assertEquals([code, text.includes("ss word"), text.includes("as alice")], [0, false, true]);
    assertEquals(server.asked.at(-1)!.authorization, BASIC);
  },
});

Deno.test({
  name: "sregctl asks before it deletes at a terminal, and Enter means no, by tmux",
  ignore: !hasProgram("tmux"),
  async fn() {
    await using desk = await openDesk({});
    await using server = serve({ "DELETE /admin/v1/roles/a": null });
    const env = { SREG_SERVER: server.url, SREG_TOKEN: "t" };
    for (const [key, code] of [["Enter", 1], ["C-c", 1], ["y", 0]] as const) {
      await using screen = await openScreen(desk, ["role", "delete", "a"], env);
      await screen.waitFor(/Delete the role a\?/);
      await screen.press(key);
      assertEquals((await screen.ended()).code, code);
    }
    assertEquals(server.asked.length, 1);
  },
});
