import { create } from "../plugins/storage/fs/fs.ts";
import { assertEquals } from "../tests/support/assert.ts";
import { cheapHash } from "../tests/support/identities.ts";
import { Identities } from "./access/identities.ts";
import { readConfig } from "./config/mod.ts";
import { createLog } from "./observe/log.ts";
import { createServer } from "./server.ts";

const CONNECTION = { clientAddress: "127.0.0.1", certificate: null };
const DEADLINE_MS = 10_000;

Deno.test("A server takes over the identities of its store, whoever changes them", async (t) => {
  const dataDir = await Deno.makeTempDir({ prefix: "sreg-test-" });
  await using server = await createServer(await readConfig({ overrides: { dataDir } }), createLog("error"));
  const identities = new Identities(await create({ root_dir: dataDir }));
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
  const put = async (username: string, password: string) =>
    await identities.put({ id: username, username, passwordHash: await cheapHash(password), groups: [] });

  await t.step("without any everybody may", async () => assertEquals(await status(), 200));
  await t.step("with the first one nobody else may", async () => {
    await put("alice", "one");
    await until(401);
    assertEquals(await status("alice", "one"), 200);
  });
  await t.step("a changed password counts, and the one before does not", async () => {
    await put("alice", "two");
    await until(200, "alice", "two");
    assertEquals(await status("alice", "one"), 401);
  });
  await t.step("who is gone is refused, and nothing opens again", async () => {
    assertEquals(await identities.delete("alice"), true);
    await until(401, "alice", "two");
    assertEquals(await status(), 401);
  });
  await Deno.remove(dataDir, { recursive: true });
});
