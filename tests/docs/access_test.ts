import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { makeCertificate } from "../support/certificate.ts";
import { RegistryClient } from "../support/client.ts";
import { tryCommand } from "../support/command.ts";
import { identityTables } from "../support/identities.ts";
import { join } from "../support/paths.ts";
import { hasProgram } from "../support/programs.ts";
import { ROOT, startRegistry } from "../support/registry.ts";

/** A folder with all files that the pages' configurations name. */
async function makeFolder(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "sreg-docs-" });
  const { authority, certificate, key } = await makeCertificate(folder);
  await Deno.mkdir(join(folder, "tls"));
  await Deno.copyFile(certificate, join(folder, "tls/server.crt"));
  await Deno.copyFile(key, join(folder, "tls/server.key"));
  await Deno.copyFile(authority, join(folder, "tls/clients.crt"));
  await Deno.writeTextFile(join(folder, "htpasswd"), `bob:$2y$05$${"a".repeat(53)}\n`);
  return folder;
}

for (const name of ["authentication", "policies"]) {
  const page = await Deno.readTextFile(`${ROOT}docs/${name}.md`);
  const blocks = [...page.matchAll(/```toml\n([^]*?)```/g)].map(([, text]) => text!);

  Deno.test({
    name: `docs/${name}.md: every configuration is one that sreg starts with (openssl)`,
    ignore: !hasProgram("openssl"),
    fn: async (t) => {
      const folder = await makeFolder();
      assert(blocks.length > 1);
      for (const text of blocks) {
        await t.step(text.split("\n", 1)[0]!, async () => {
          const file = join(folder, "sreg.toml");
          await Deno.writeTextFile(file, text);
          const { success, stderr } = await tryCommand(Deno.execPath(), [
            ...["run", "-A", `${ROOT}cli/main.ts`, "config", "check", file],
          ]);
          assertEquals({ success, stderr }, { success: true, stderr: "" });
        });
      }
      await Deno.remove(folder, { recursive: true });
    },
  });
}

const authentication = await Deno.readTextFile(`${ROOT}docs/authentication.md`);

Deno.test("docs/authentication.md: the quick start's administrator gets in, and nobody else", async () => {
  const [, password] = /printf '([^']+)' > admin\.password/.exec(authentication)!;
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, password!);
  const [, flags] = /\nsreg serve (--admin-name admin --admin-password-file )admin\.password\n/.exec(
    authentication,
  )!;
  await using registry = await startRegistry({ args: [...flags!.trim().split(" "), file] });
  const client = new RegistryClient(registry.url);
  const authorization = `Basic ${btoa(`admin:${password}`)}`;
  assertEquals((await client.get("/v2/_catalog", { authorization })).status, 200);
  assertEquals((await client.get("/v2/_catalog")).status, 401);
  await Deno.remove(file);
});

Deno.test("docs/authentication.md: the token of the example is made, shown once, used, rotated and revoked", async () => {
  const [, body] = /me\/tokens \\\n +-d '(\{[^']+\})'/.exec(authentication)!;
  await using registry = await startRegistry({ config: await identityTables(["alice"]) });
  const client = new RegistryClient(registry.url);
  const headers = {
    authorization: `Basic ${btoa("alice:alice-password")}`,
    "content-type": "application/json",
  };
  const made = await client.send("POST", "/admin/v1/me/tokens", { headers, body: body! });
  assertEquals(made.status, 201);
  const { id, token, scopes, expires_at } = made.json();
  assertEquals({ scopes, expires_at: Date.parse(expires_at) }, {
    scopes: JSON.parse(body!).scopes,
    expires_at: Date.parse(JSON.parse(body!).expires_at),
  });
  const asToken = (text: string) => ({ authorization: `Bearer ${text}` });
  assertEquals((await client.get("/v2/team/app/tags/list", asToken(token))).status, 404);
  assertEquals((await client.get("/v2/other/tags/list", asToken(token))).status, 401);
  const listed = (await client.get("/admin/v1/me/tokens", headers)).json().tokens;
  assertEquals(listed.map((item: { id: string; token?: string }) => [item.id, item.token]), [[
    id,
    undefined,
  ]]);
  const rotated = await client.send("POST", `/admin/v1/me/tokens/${id}/rotate`, { headers });
  assertMatch(rotated.json().token, /^sreg_/);
  assertEquals((await client.get("/v2/team/app/tags/list", asToken(token))).status, 401);
  assertEquals((await client.send("DELETE", `/admin/v1/me/tokens/${id}`, { headers })).status, 204);
  assertEquals((await client.get("/v2/team/app/tags/list", asToken(rotated.json().token))).status, 401);
});

Deno.test("docs/authentication.md: the identity of the example is made, and signs in", async () => {
  const [, body] = /\/identities \\\n +-d '(\{[^']+\})'/.exec(authentication)!;
  await using registry = await startRegistry({ config: await identityTables(["admin"]) });
  const client = new RegistryClient(registry.url);
  const signIn = (username: string, password: string) => ({
    authorization: `Basic ${btoa(`${username}:${password}`)}`,
    "content-type": "application/json",
  });
  const headers = signIn("admin", "admin-password");
  const made = await client.send("POST", "/admin/v1/identities", { headers, body: body! });
  assertEquals([made.status, made.json().groups], [201, ["developers"]]);
  const { username, password } = JSON.parse(body!);
  assertEquals((await client.get("/admin/v1/me", signIn(username, password))).json().username, username);
});
