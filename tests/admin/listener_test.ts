import { clientsOf, startScene } from "../access/scene.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { makeCertificate } from "../support/certificate.ts";
import type { RunningRegistry } from "../support/registry.ts";
import { hasProgram } from "../support/programs.ts";

const OWN = '[admin]\nbind_address = "127.0.0.1"\nport = 0\n';

/** Where the administration is, as the log says it. */
function adminUrlOf(registry: RunningRegistry): string {
  const lines = registry.log().trimEnd().split("\n").map((line) => JSON.parse(line));
  return lines.find(({ message }) => message === "Listening").admin;
}

Deno.test("With [admin] the administration has a listener of its own", async (t) => {
  await using scene = await startScene({ config: OWN });
  const url = adminUrlOf(scene.registry);
  assert(url !== scene.registry.url);
  const apart = clientsOf(url);
  const statuses = async (clients: typeof apart) => {
    const admin = clients.as("admin");
    const paths = ["/v2/", "/v2/_catalog", "/token", "/token/keys", "/admin/v1/me", "/admin/v1/status"];
    return await Promise.all(paths.map(async (path) => (await admin.get(path)).status));
  };
  await t.step("where nothing else but tokens is served", async () => {
    assertEquals(await statuses(apart), [404, 404, 200, 200, 200, 200]);
  });
  await t.step("and it nowhere else", async () => {
    assertEquals(await statuses(scene), [200, 200, 200, 200, 404, 404]);
  });
  await t.step("with the same guard, whose challenges name it", async () => {
    const { status, headers } = await apart.nobody.get("/admin/v1/status");
    assertEquals([status, headers.get("WWW-Authenticate")], [
      401,
      `Bearer realm="${url}/token",service="sreg", Basic realm="sreg", charset="UTF-8"`,
    ]);
    assertEquals((await apart.as("reader").get("/admin/v1/status")).status, 403);
  });
  await t.step("and both are told", async () => {
    const { listen } = (await apart.as("admin").get("/admin/v1/status")).json();
    assertEquals(listen, [scene.registry.url, url]);
  });
  await t.step("requests under way on it end before the server does", async () => {
    const admin = apart.as("admin");
    const headers = { "Content-Type": "application/json" };
    // Each takes the hash of a password: when the first is answered, the others wait for theirs.
    const answers = Array.from({ length: 6 }, (_, index) => {
      const body = JSON.stringify({ username: `user-${index}`, password: "a long password" });
      return admin.send("POST", "/admin/v1/identities", { headers, body }).then(({ status }) => status);
    });
    await Promise.race(answers);
    assertEquals(await scene.registry.stop(), 0);
    assertEquals(await Promise.all(answers), answers.map(() => 201));
  });
});

Deno.test({
  name: "The administration's listener speaks TLS, and takes other certificates (needs openssl)",
  ignore: !hasProgram("openssl"),
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "sreg-admin-" });
    const other = await Deno.makeTempDir({ prefix: "sreg-admin-" });
    try {
      const { authority, certificate, key } = await makeCertificate(folder);
      const tls =
        `[admin.tls]\nserver_certificate_bundle = "${certificate}"\nserver_private_key = "${key}"\n`;
      await using scene = await startScene({ config: OWN + tls });
      const url = adminUrlOf(scene.registry);
      assert(url.startsWith("https://127.0.0.1:"));
      const statusBy = async (authority: string) => {
        using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(authority)] });
        const headers = { Authorization: `Basic ${btoa("admin:admin-password")}` };
        const answer = await fetch(`${url}/admin/v1/status`, { client, headers }).catch(() => undefined);
        await answer?.body?.cancel();
        return answer?.status;
      };
      assertEquals(await statusBy(authority), 200);
      const next = await makeCertificate(other);
      assertEquals(await statusBy(next.authority), undefined);
      await Deno.copyFile(next.key, key);
      await Deno.copyFile(next.certificate, certificate);
      Deno.kill(scene.registry.pid, "SIGHUP");
      for (const deadline = Date.now() + 10_000; await statusBy(next.authority) !== 200;) {
        assert(Date.now() < deadline, scene.registry.log());
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assertEquals(await statusBy(authority), undefined);
    } finally {
      await Promise.all([folder, other].map((path) => Deno.remove(path, { recursive: true })));
    }
  },
});
