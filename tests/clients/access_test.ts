import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { makeCertificate, makeClientCertificate } from "../support/certificate.ts";
import { RegistryClient } from "../support/client.ts";
import { type CommandResult, tryCommand } from "../support/command.ts";
import { identityTables } from "../support/identities.ts";
import { type ImageLayout, writeImageLayout } from "../support/image_layout.ts";
import { hasProgram } from "../support/programs.ts";
import { type RunningRegistry, startRegistry } from "../support/registry.ts";
import { storageFlags } from "./storage.ts";

/** Writers push everywhere, readers pull below `team`, everybody pulls what is `public`. */
const ROLES = `
[role.team]
verbs = ["pull"]
repositories = ["team"]
[role.everybody]
verbs = ["pull"]
repositories = ["public"]
[[binding]]
role = "push"
users = ["writer"]
[[binding]]
role = "team"
users = ["reader"]
[[binding]]
role = "everybody"
users = ["*"]
`;

interface Scene extends AsyncDisposable {
  readonly registry: RunningRegistry;
  readonly image: ImageLayout;
  readonly folder: string;
}

async function setScene(config: string): Promise<Scene> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-clients-" });
  const image = await writeImageLayout(`${folder}/image`);
  const registry = await startRegistry({ config, args: ["--verbose"] });
  return {
    registry,
    image,
    folder,
    [Symbol.asyncDispose]: async () => {
      await registry.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function credentials(username: string): string {
  return `${username}:${username}-password`;
}

function push({ registry, image }: Scene, name: string, flags: readonly string[]): Promise<CommandResult> {
  const to = `docker://${registry.host}/${name}`;
  return tryCommand("skopeo", ["copy", "--all", "--dest-tls-verify=false", ...flags, image.reference, to]);
}

function pull({ registry, folder }: Scene, name: string, flags: readonly string[]): Promise<CommandResult> {
  const to = `oci:${folder}/pulled-${crypto.randomUUID()}:v1`;
  const from = `docker://${registry.host}/${name}`;
  return tryCommand("skopeo", ["copy", "--all", "--src-tls-verify=false", ...flags, from, to]);
}

const CHALLENGES = [['["bearer"]', "tokens"], ['["basic"]', "Basic"], [
  '["bearer", "basic"]',
  "both",
]] as const;

for (const [challenges, name] of CHALLENGES) {
  Deno.test({
    name: `skopeo pushes and pulls with ${name}, as far as roles let it`,
    ignore: !hasProgram("skopeo"),
    fn: async (t) => {
      const config = `[access]\nchallenges = ${challenges}\n${await identityTables([
        "reader",
        "writer",
      ])}${ROLES}`;
      await using scene = await setScene(config);
      const asWriter = ["--dest-creds", credentials("writer")];
      const asReader = ["--src-creds", credentials("reader")];

      await t.step("a writer pushes", async () => {
        for (const repository of ["team/app:v1", "public/app:v1", "secret/app:v1"]) {
          const { success, stderr } = await push(scene, repository, asWriter);
          assert(success, stderr);
        }
      });
      await t.step("a reader pulls what is the team's, and nothing else, and pushes nothing", async () => {
        assertEquals((await pull(scene, "team/app:v1", asReader)).success, true);
        assertEquals((await pull(scene, "secret/app:v1", asReader)).success, false);
        assertEquals(
          (await push(scene, "team/app:v2", ["--dest-creds", credentials("reader")])).success,
          false,
        );
      });
      await t.step("a wrong password gets nowhere", async () => {
        assertEquals((await pull(scene, "team/app:v1", ["--src-creds", "reader:wrong"])).success, false);
      });
      if (name !== "Basic") {
        await t.step("the anonymous pull what is public, and nothing else", async () => {
          const { success, stderr } = await pull(scene, "public/app:v1", ["--src-no-creds"]);
          assert(success, stderr);
          assertEquals((await pull(scene, "team/app:v1", ["--src-no-creds"])).success, false);
        });
      }
      await t.step(`tokens were ${name === "Basic" ? "not " : ""}asked for`, () => {
        assertEquals(/"url":"[^"]*\/token\?/.test(scene.registry.log()), name !== "Basic");
      });
    },
  });
}

Deno.test({
  name: "podman logs in with a personal token, pushes and pulls",
  ignore: !hasProgram("podman"),
  fn: async () => {
    await using scene = await setScene(await identityTables(["alice"]));
    const { host, url } = scene.registry;
    const headers = {
      "Authorization": `Basic ${btoa(credentials("alice"))}`,
      "Content-Type": "application/json",
    };
    const body = JSON.stringify({ name: "laptop" });
    const created = await new RegistryClient(url).send("POST", "/admin/v1/me/tokens", { headers, body });
    const { token } = created.json();
    const auth = `--authfile=${scene.folder}/auth.json`;
    const podman = async (...args: string[]) => {
      const flags = [...storageFlags(`${scene.folder}/store`), "--cgroup-manager", "cgroupfs"];
      const { success, stderr, stdout } = await tryCommand("podman", [...flags, ...args]);
      assert(success, stderr);
      return stdout;
    };
    assertMatch(
      await podman("login", auth, "--tls-verify=false", "-u", "alice", "-p", token, host),
      /Login Succeeded/,
    );
    const id = (await podman("pull", "--quiet", "--arch", "amd64", scene.image.reference)).trim();
    await podman("push", "--quiet", auth, "--tls-verify=false", id, `${host}/alice/app:v1`);
    await podman("rmi", "--force", id);
    await podman("pull", "--quiet", auth, "--tls-verify=false", `${host}/alice/app:v1`);
    const [used] = (await new RegistryClient(url).get("/admin/v1/me/tokens", headers)).json().tokens;
    assertEquals(used.last_used_from, "127.0.0.1");
  },
});

Deno.test({
  name: "skopeo pushes and pulls over mutual TLS (openssl)",
  ignore: !hasProgram("skopeo") || !hasProgram("openssl"),
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "sreg-mtls-" });
    const server = await makeCertificate(`${folder}/tls`);
    const good = await makeClientCertificate(server, `${folder}/good`, { subject: "/CN=builder/O=Team" });
    const config = `[server.tls]
server_certificate_bundle = "${server.certificate}"
server_private_key = "${server.key}"
client_ca_bundle = "${server.authority}"
[global.access_policy]
rules = ["identity.certificate.organizations.contains('Team')"]
`;
    await using scene = await setScene(config);
    const certDir = async (name: string, files?: { certificate: string; key: string }) => {
      const dir = `${folder}/${name}`;
      await Deno.mkdir(dir);
      await Deno.copyFile(server.authority, `${dir}/ca.crt`);
      if (files) await Deno.copyFile(files.certificate, `${dir}/client.cert`);
      if (files) await Deno.copyFile(files.key, `${dir}/client.key`);
      return dir;
    };
    const withCertificate = await certDir("with", good);
    const without = await certDir("without");
    const other = await makeClientCertificate(server, `${folder}/other`, { subject: "/CN=x/O=Others" });
    const withOther = await certDir("with-other", other);
    const copy = (dir: string) =>
      tryCommand("skopeo", [
        ...["copy", "--all", `--dest-cert-dir=${dir}`],
        ...[scene.image.reference, `docker://${scene.registry.host}/team/app:v1`],
      ]);
    const inspect = (dir: string) =>
      tryCommand("skopeo", ["inspect", `--cert-dir=${dir}`, `docker://${scene.registry.host}/team/app:v1`]);
    const { success, stderr } = await copy(withCertificate);
    assert(success, stderr);
    assertEquals((await inspect(withCertificate)).success, true);
    assertEquals((await inspect(without)).success, false);
    assertEquals((await inspect(withOther)).success, false);
    await Deno.remove(folder, { recursive: true });
  },
});
