import { assertEquals } from "../support/assert.ts";
import { contentOf, imageOf, type RegistryClient } from "../support/client.ts";
import { type Configured, FREE_PORT, startConfigured } from "./configured.ts";
import { clientsOf, identitiesOf } from "./scene.ts";

const TOOK_OVER = "Took over the configuration";
const BINDINGS = `[[binding]]
role = "admin"
users = ["admin"]
`;

/** A configuration over a folder. */
type Configure = (folder: string) => Promise<string>;

/** Reader and admin; further tables. */
function configuration(more: string, passwords: Readonly<Record<string, string>> = {}): Configure {
  return async (folder) =>
    `[server]\n${FREE_PORT}trusted_proxies = ["127.0.0.1"]\n[storage.fs]\nroot_dir = "${folder}/data"\n${await identitiesOf(
      {
        admin: "admin-password",
        ...passwords,
      },
    )}${BINDINGS}${more}`;
}

const READS = `[[binding]]\nrole = "pull"\nusers = ["reader"]\n`;

async function take(registry: Configured, configure: Configure): Promise<void> {
  const { message, files } = await registry.replace(await configure(registry.folder));
  assertEquals({ message, files }, { message: TOOK_OVER, files: [registry.file] });
}

Deno.test("When the file changes", async (t) => {
  const before = configuration(READS, { reader: "old" });
  await using registry = await startConfigured(before);
  const { as, bearing, nobody } = clientsOf(registry.url);
  const old = as("reader", "old");
  const shown = async (client: RegistryClient) => (await client.get("/v2/")).status;
  assertEquals([await shown(old), await shown(old)], [200, 200]);
  const { token, refresh_token } = (await old.get("/token?offline_token=true")).json();
  const personal = await old.send("POST", "/admin/v1/me/tokens", {
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name: "laptop" }),
  });
  const laptop = bearing(personal.json().token);
  const refresh = async () => {
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token });
    return (await nobody.send("POST", "/token", { body })).status;
  };
  const states = async () => ({
    password: await shown(old),
    token: await shown(bearing(token)),
    refresh: await refresh(),
    personal: await shown(laptop),
  });

  await t.step("elsewhere, passwords and tokens stay good", async () => {
    await take(registry, configuration(`${READS}[uploads]\nopen_max = 7\n`, { reader: "old" }));
    assertEquals(await states(), { password: 200, token: 200, refresh: 200, personal: 200 });
  });
  await t.step(
    "a password, it stops working at once, and so do the tokens that were got with it",
    async () => {
      await take(registry, configuration(READS, { reader: "new" }));
      assertEquals(await states(), { password: 401, token: 401, refresh: 401, personal: 200 });
      assertEquals(await shown(as("reader", "new")), 200);
    },
  );
  await t.step("to know somebody no more, nothing of theirs works", async () => {
    await take(registry, configuration(READS));
    assertEquals(await states(), { password: 401, token: 401, refresh: 401, personal: 401 });
    assertEquals(await shown(as("reader", "new")), 401);
  });
});

Deno.test("A group that was taken away is gone for tokens that were got before", async () => {
  const grouped = (groups: string): Configure => async (folder) => {
    const text = await configuration(`[[binding]]\nrole = "pull"\ngroups = ["team"]\n`, {
      reader: "reader-password",
    })(folder);
    return text.replace('username = "reader"', `username = "reader"\ngroups = ${groups}`);
  };
  await using registry = await startConfigured(grouped('["team"]'));
  const { as, bearing, tokenOf } = clientsOf(registry.url);
  await as("admin").pushImage("team/app", "v1");
  const token = await tokenOf("reader", "repository:team/app:pull");
  const pull = async () => (await bearing(token).get("/v2/team/app/manifests/v1")).status;
  assertEquals(await pull(), 200);
  await take(registry, grouped("[]"));
  assertEquals(await pull(), 403);
});

Deno.test("Immutable tags and deletes change while the registry runs", async () => {
  await using registry = await startConfigured(configuration(""));
  const admin = clientsOf(registry.url).as("admin");
  const move = async () => {
    const config = await admin.pushBlob("app", contentOf("config"));
    const image = imageOf(config, [], { annotations: { id: crypto.randomUUID() } });
    return (await admin.putManifest("app", "v1", image)).status;
  };
  const remove = async () => {
    const { digest } = await admin.pushBlob("app", contentOf(crypto.randomUUID()));
    return (await admin.send("DELETE", `/v2/app/blobs/${digest}`)).status;
  };
  assertEquals([await move(), await move(), await remove()], [201, 201, 202]);
  await take(registry, configuration("[global]\nimmutable_tags = true\ndeletes = false\n"));
  assertEquals([await move(), await remove()], [403, 405]);
  await take(
    registry,
    configuration(`[global]\nimmutable_tags = true\n[repository."app"]\nimmutable_tags = false\n`),
  );
  assertEquals([await move(), await remove()], [201, 202]);
});

Deno.test("A file that changes is taken over by itself", async () => {
  await using registry = await startConfigured(configuration(""));
  await registry.write(await configuration(READS, { reader: "reader-password" })(registry.folder));
  assertEquals((await registry.outcome(0))["message"], TOOK_OVER);
  assertEquals((await clientsOf(registry.url).as("reader").get("/v2/")).status, 200);
});

Deno.test("A request under way ends as it began", async () => {
  const writes = configuration(`[[binding]]\nrole = "push"\nusers = ["writer"]\n`, {
    writer: "writer-password",
  });
  await using registry = await startConfigured(writes);
  const writer = clientsOf(registry.url).as("writer");
  const location = await writer.startUpload("team/app");
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const body = writable.getWriter();
  const sending = writer.send("PATCH", location, { body: readable });
  await body.write(new TextEncoder().encode("first "));
  while ((await writer.get(location)).headers.get("Range") !== "0-5") {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await take(registry, configuration(""));
  await body.write(new TextEncoder().encode("second"));
  await body.close();
  const { status, headers } = await sending;
  assertEquals([status, headers.get("Range")], [202, "0-11"]);
  assertEquals((await writer.get(location)).status, 401);
});
