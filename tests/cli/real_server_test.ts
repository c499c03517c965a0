import { makeCertificate, makeClientCertificate } from "../support/certificate.ts";
import { identityTables } from "../support/identities.ts";
import { contentOf, descriptorOf, OCI_INDEX, OCI_MANIFEST, RegistryClient } from "../support/client.ts";
import { hasProgram } from "../support/programs.ts";
import { startRegistry } from "../support/registry.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Desk, openDesk, printed } from "./scene.ts";

/** A real server with `root`, who may everything, and `alice`, who may nothing of the administration. */
async function startServer(more = "") {
  const config = `${await identityTables(["root", "alice"])}
[[binding]]
role = "admin"
users = ["root"]

[[binding]]
role = "pull"
groups = ["dev"]
${more}`;
  return await startRegistry({ config });
}

/** Runs sregctl as `root`, which must work; its output. */
function asRoot(desk: Desk, url: string) {
  const env = { SREG_SERVER: url, SREG_USERNAME: "root", SREG_PASSWORD: "root-password" };
  return async (args: readonly string[], stdin?: string) => {
    const { code, stdout, stderr } = await desk.run(args, env, stdin);
    assertEquals(
      [code, stderr.split("\n").filter((line) => line.startsWith("sregctl:"))],
      [0, []],
      args.join(" "),
    );
    return stdout;
  };
}

Deno.test("sregctl looks after the people of a real server: what it changes is in force at once", async () => {
  await using desk = await openDesk({});
  await using server = await startServer();
  const root = asRoot(desk, server.url);
  const bob = (...args: string[]) =>
    desk.run(args, { SREG_SERVER: server.url, SREG_USERNAME: "bob", SREG_PASSWORD: "bobs long password" });
  assertEquals(
    await root(["identity", "create", "bob", "--group", "dev", "--password-stdin"], "bobs long password\n"),
    "Made the identity bob\n",
  );
  assertEquals((await bob("whoami")).code, 0);
  assertEquals(await bob("identity", "list"), {
    code: 1,
    stdout: "",
    stderr: "sregctl: Cannot do that: access is denied (403); it takes the action admin.list-identities\n",
  });
  await root(["role", "create", "readers", "--verb", "admin.list-identities"]);
  const binding = JSON.parse(await root(["binding", "create", "readers", "--group", "dev", "--json"]));
  const until = async (code: number) => {
    for (const endMs = Date.now() + 5_000; (await bob("identity", "list")).code !== code;) {
      assert(Date.now() < endMs);
    }
  };
  await until(0);
  await root(["binding", "delete", binding.id, "--yes"]);
  await until(1);
  assertEquals(
    await root(["identity", "delete", "bob", "--dry-run"]),
    "Would delete the identity bob and 0 tokens of it\n",
  );
  await root(["identity", "disable", "bob"]);
  for (const endMs = Date.now() + 5_000; (await bob("whoami")).code === 0;) assert(Date.now() < endMs);
  await root(["identity", "delete", "bob", "--yes"]);
  const trail = await root(["audit", "search", "--target", "identities*", "--outcome", "done", "--json"]);
  const { events } = JSON.parse(trail) as { events: { action: string }[] };
  assertEquals(events.map(({ action }) => action), [
    "admin.delete-identity",
    "admin.change-identity",
    "admin.create-identity",
  ]);
});

Deno.test("sregctl makes, rotates and revokes tokens of a real server", async () => {
  await using desk = await openDesk({});
  await using server = await startServer();
  const root = asRoot(desk, server.url);
  const { id, token } = JSON.parse(
    await root(["identity", "token", "create", "ci", "--group", "dev", "--json"]),
  );
  const whoami = async (text: string) =>
    (await desk.run(["whoami"], { SREG_SERVER: server.url, SREG_TOKEN: text })).code;
  assertEquals(await whoami(token), 0);
  const { token: next } = JSON.parse(await root(["identity", "token", "rotate", id, "--json"]));
  assertEquals([await whoami(token), await whoami(next)], [1, 0]);
  const shown = await root([
    "identity",
    "token",
    "create",
    "laptop",
    "--mine",
    "--expires",
    "30d",
    "--scope",
    "team/**:pull",
  ]);
  assert(/^sreg_[0-9a-f_]+$/m.test(shown), shown);
  assert((await root(["identity", "token", "list"])).includes("team/**:pull"));
  await root(["identity", "token", "revoke", id, "--yes"]);
  assertEquals(await whoami(next), 1);
});

Deno.test("sregctl runs the jobs of a real server, and looks at it", async () => {
  await using desk = await openDesk({});
  await using server = await startServer();
  const root = asRoot(desk, server.url);
  for (
    const args of [["gc"], ["gc", "--dry-run"], ["retention", "test"], ["retention", "run", "--yes"], [
      "scrub",
      "--rehash",
    ]]
  ) {
    assert((await root(args)).length > 0);
  }
  const { jobs } = JSON.parse(await root(["job", "list", "--json"])) as {
    jobs: { id: string; kind: string; state: string }[];
  };
  assertEquals(jobs.map(({ kind, state }) => `${kind} ${state}`), [
    "scrub done",
    "retention done",
    "retention done",
    "gc done",
    "gc done",
  ]);
  assert((await root(["job", "show", jobs[0]!.id])).includes("empty repositories"));
  assert((await root(["job", "follow", jobs[0]!.id])).endsWith("No damage stays\n"));
  assert((await root(["status"])).includes("storage        fs, reachable\n"));
  assert((await root(["plugin", "list"])).includes("fs "));
  assert((await root(["plugin", "show", "fs"])).includes("root_dir"));
  const config = await root(["config", "show"]);
  assert(config.includes("server.bind_address") && !config.includes("$2b$"), config);
  assertEquals(await root(["config", "reload", "--dry-run"]), "The files of the server are good\n");
  assertEquals(await root(["config", "reload"]), "The server has read its files again\n");
});

/** Pushes what the test shows: a tagged index of two platforms, one of which is signed. */
async function pushIndex(url: string): Promise<string> {
  const client = new RegistryClient(url);
  const send = client.send.bind(client);
  client.send = (method, path, sent = {}) =>
    send(method, path, {
      ...sent,
      headers: { ...sent.headers, Authorization: `Basic ${btoa("root:root-password")}` },
    });
  const amd = await client.pushImage("team/app", "v1");
  const arm = await client.pushImage("team/app", undefined, { annotations: { a: "b" } });
  const index = contentOf({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [
      { ...descriptorOf(amd, OCI_MANIFEST), platform: { os: "linux", architecture: "amd64" } },
      { ...descriptorOf(arm, OCI_MANIFEST), platform: { os: "linux", architecture: "arm64", variant: "v8" } },
    ],
  });
  await client.putManifest("team/app", "v1", index, OCI_INDEX);
  await client.pushImage("team/app", undefined, {
    artifactType: "application/spdx+json",
    subject: descriptorOf(index, OCI_INDEX),
  });
  await client.pushImage("other", "latest");
  await client.startUpload("team/app");
  return index.digest;
}

Deno.test("sregctl looks after what is in a real server: repositories, tags, manifests, uploads, space", async () => {
  await using desk = await openDesk({});
  await using server = await startServer();
  const root = asRoot(desk, server.url);
  const digest = (await pushIndex(server.url)).slice(0, 19);
  const list = await root(["repo", "list"]);
  assertEquals(list.split("\n").map((line) => line.split(/ +/).slice(0, 3).join(" ")), [
    "repository tags manifests",
    "other 1 1",
    "team/app 1 4",
    "",
  ]);
  assert(
    (await root(["repo", "show", "team/app"])).startsWith(
      "repository      team/app\ntags            1\nmanifests       4\n",
    ),
  );
  assertEquals(JSON.parse(await root(["repo", "list", "--filter", "oth", "--json"])).repositories.length, 1);
  assert((await root(["tag", "list", "team/app"])).includes(`v1   ${digest}`));
  assert((await root(["tag", "show", "team/app", "v1"])).includes(OCI_INDEX));
  assertEquals((await root(["tag", "history", "team/app", "v1"])).trimEnd().split("\n").length, 3);
  const tree = (await root(["manifest", "show", "team/app", "v1"])).split("\n\n")[1]!;
  assertEquals(tree.replaceAll(/ +sha256:.*/g, "").trimEnd().split("\n"), [
    "index",
    "├─ linux/amd64",
    "│  ├─ config",
    "│  └─ layer 1",
    "├─ linux/arm64/v8",
    "│  ├─ config",
    "│  └─ layer 1",
    "└─ referrers",
    "   └─ application/spdx+json",
    "      ├─ config",
    "      └─ layer 1",
  ]);
  const { uploads: [upload] } = JSON.parse(await root(["upload", "list", "--json"]));
  await root(["upload", "cancel", "team/app", upload.id, "--yes"]);
  assertEquals(await root(["upload", "list"]), "There is no upload under way\n");
  const usage = await root(["df"]);
  assert(
    /^repository +blobs +size +unique\n/.test(usage) && usage.includes("without deduplication"),
    usage,
  );
  assert(
    (await root(["tag", "delete", "other", "latest", "--dry-run"])).startsWith("Would delete the tag latest"),
  );
  assertEquals(
    await root(["tag", "delete", "other", "latest", "--yes"]),
    "Deleted the tag latest of other\n",
  );
  assert((await root(["tag", "history", "other", "latest"])).includes("deleted"));
  const would = await root(["repo", "delete", "team/app", "--dry-run"]);
  assert(would.startsWith("Would delete team/app with 1 tag, 4 manifests, "), would);
  assertEquals(
    (await root(["repo", "delete", "team/app", "--yes"])).slice(0, 40),
    "Deleted team/app with 1 tag, 4 manifests",
  );
});

Deno.test({
  name: "sregctl speaks TLS to a real server that wants client certificates, by openssl",
  ignore: !hasProgram("openssl"),
  async fn() {
    await using desk = await openDesk({});
    const files = await makeCertificate(desk.folder);
    const client = await makeClientCertificate(files, `${desk.folder}/client`, { subject: "/CN=ci" });
    await using server = await startServer(`
[server.tls]
server_certificate_bundle = ${JSON.stringify(files.certificate)}
server_private_key = ${JSON.stringify(files.key)}
client_ca_bundle = ${JSON.stringify(files.authority)}
client_auth = "required"

[global.access_policy]
rules = ['identity.certificate.common_names.contains("ci")']
`);
    const login = ["login", server.url, "--name", "tls", "--ca", files.authority];
    const certificate = ["--cert", client.certificate, "--key", client.key];
    const without = await desk.run([...login, "--username", "root", "--password-stdin"], {}, "root-password");
    assertEquals([without.code, without.stderr.startsWith(`sregctl: Cannot reach ${server.url}: `)], [
      1,
      true,
    ]);
    assertEquals(
      await desk.run(
        [...login, ...certificate, "--username", "root", "--password-stdin"],
        {},
        "root-password",
      ),
      printed(0, `Signed in to ${server.url} as root; this is the context tls\n`),
    );
    assertEquals((await desk.run(["status"])).code, 0);
    assertEquals(
      await desk.run([...login, ...certificate]),
      printed(0, `Signed in to ${server.url} as somebody; this is the context tls\n`),
    );
    assertEquals(
      await desk.run(["whoami"]),
      printed(0, `server    ${server.url}\nknown by  certificate\n`),
    );
  },
});
