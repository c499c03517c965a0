import { create } from "../plugins/storage/fs/fs.ts";
import { assertEquals } from "../tests/support/assert.ts";
import { cheapHash } from "../tests/support/identities.ts";
import { openAccessStore } from "./access/access_store.ts";
import { readConfig } from "./config/mod.ts";
import { createLog } from "./observe/log.ts";
import { createServer } from "./server.ts";

const CONNECTION = { clientAddress: "127.0.0.1", certificate: null };
const DEADLINE_MS = 10_000;

Deno.test("A server takes over the identities of its store, whoever changes them", async (t) => {
  const dataDir = await Deno.makeTempDir({ prefix: "sreg-test-" });
  await using _ = { [Symbol.asyncDispose]: () => Deno.remove(dataDir, { recursive: true }) };
  await using server = await createServer(await readConfig({ overrides: { dataDir } }), createLog("error"));
  const { identities } = openAccessStore(await create({ root_dir: dataDir }));
  const status = async (username?: string, password?: string) => {
    const headers = username === undefined
      ? {}
      : { authorization: `Basic ${btoa(`${username}:${password}`)}` };
    const request = new Request("http://registry.example/v2/_catalog", { headers });
    return (await server.fetch(request, CONNECTION)).status;
  };
  /** Waits until the server has seen a change. */
  const until = async (expected: number, ...credential: string[]) => {
    const deadline = Date.now() + DEADLINE_MS;
    while (await status(...credential) !== expected && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assertEquals(await status(...credential), expected);
  };

  await t.step("without any everybody may", async () => assertEquals(await status(), 200));
  await t.step("with the first one nobody else may", async () => {
    const passwordHash = await cheapHash("one");
    await identities.create({ id: "alice", username: "alice", passwordHash, groups: [] });
    await until(401);
    assertEquals(await status("alice", "one"), 200);
  });
  await t.step("a changed password counts, and the one before does not", async () => {
    await identities.change("alice", { passwordHash: await cheapHash("two"), endsTokens: false });
    await until(200, "alice", "two");
    assertEquals(await status("alice", "one"), 401);
  });
  await t.step("who is gone is refused, and nothing opens again", async () => {
    assertEquals(await identities.delete("alice"), true);
    await until(401, "alice", "two");
    assertEquals(await status(), 401);
  });
  await t.step("not even for a server that starts then", async () => {
    await using other = await createServer(
      await readConfig({ overrides: { dataDir } }),
      createLog("error"),
    );
    const answer = await other.fetch(new Request("http://registry.example/v2/_catalog"), CONNECTION);
    assertEquals(answer.status, 401);
  });
});

Deno.test("Who starts a server with an administrator is let in, whatever the store says", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "sreg-test-" });
  await using _ = { [Symbol.asyncDispose]: () => Deno.remove(dataDir, { recursive: true }) };
  const { identities, roles } = openAccessStore(await create({ root_dir: dataDir }));
  const passwordHash = await cheapHash("admin-password");
  await identities.create({ id: "quick-start-admin", username: "admin", groups: [] });
  await roles.put({ name: "admin", verbs: [], repositories: [] });
  await roles.bind({ role: "admin", users: ["somebody else"], groups: [] });
  const overrides = { dataDir, admin: { username: "admin", passwordHash } };
  await using server = await createServer(await readConfig({ overrides }), createLog("error"));
  const headers = { authorization: `Basic ${btoa("admin:admin-password")}` };
  const request = new Request("http://registry.example/admin/v1/roles?n=1", { headers });
  const answer = await server.fetch(request, CONNECTION);
  assertEquals([answer.status, (await answer.json()).roles[0].source], [200, "built-in"]);
});
