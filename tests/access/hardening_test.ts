import { assert, assertEquals } from "../support/assert.ts";
import { contentOf, imageOf } from "../support/client.ts";
import { startRegistry } from "../support/registry.ts";
import { FREE_PORT, startConfigured } from "./configured.ts";
import { basic, clientsOf, exchange, identitiesOf, sceneOf, startScene } from "./scene.ts";

Deno.test("HEAD is challenged by headers of their own", async () => {
  await using scene = await startScene();
  const { host } = scene.registry;
  const answer = await exchange(host, `HEAD /v2/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  assertEquals(answer.match(/^www-authenticate:/gim)?.length, 2);
});

Deno.test("A Host that is none is refused with 400", async (t) => {
  await using scene = await startScene();
  const { host } = scene.registry;
  for (
    const name of ['a"b', "a b", "evil:99999", "xn--a", "a%0d%0ab", "user@evil", "//evil", "evil/x", "a,b"]
  ) {
    await t.step(name, async () => {
      const answer = await exchange(host, `GET /v2/ HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
      assertEquals(answer.slice(9, 12), "400");
    });
  }
});

Deno.test("A push under way ends by the rules it began with", async () => {
  const ids = await identitiesOf({ writer: "writer-password" });
  const text = (folder: string, immutable: boolean, role: string) =>
    `[server]\n${FREE_PORT}[storage.fs]\nroot_dir = "${folder}/data"\n[global]\nimmutable_tags = ${immutable}\n${ids}[[binding]]\nrole = "${role}"\nusers = ["writer"]\n`;
  await using registry = await startConfigured((folder) => text(folder, true, "push"));
  const writer = clientsOf(registry.url).as("writer");
  await writer.pushImage("app", "v1");
  const { bytes } = imageOf(contentOf("config of app"), [], { annotations: { x: "y" } });
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const body = writable.getWriter();
  const headers = { "Content-Type": "application/vnd.oci.image.manifest.v1+json" };
  const sending = writer.send("PUT", "/v2/app/manifests/v1", { headers, body: readable });
  await body.write(bytes.slice(0, 10));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await registry.replace(text(registry.folder, false, "pull"));
  await body.write(bytes.slice(10));
  await body.close();
  assertEquals((await sending).status, 403); // 201: under neither configuration may the writer move v1
});

Deno.test("The anonymous are challenged at /admin/v1/me/tokens", async () => {
  const config = `${await identitiesOf({ x: "x-password" })}[[binding]]\nrole = "pull"\nusers = ["*"]\n`;
  await using scene = sceneOf(await startRegistry({ config }));
  const { status, headers } = await scene.nobody.get("/admin/v1/me/tokens");
  assertEquals([status, headers.has("WWW-Authenticate")], [401, true]);
});

Deno.test("Of 200 guesses at once no more are looked at than of 200 in a row", async () => {
  await using scene = await startScene();
  const guesses = Array.from(
    { length: 200 },
    (_, at) =>
      scene.showing({ "Authorization": basic("writer", `${at}`), "X-Forwarded-For": "10.0.0.1" }).get("/v2/"),
  );
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  assert(
    statuses.filter((status) => status === 401).length <= 10,
    `${Object.entries(Object.groupBy(statuses, String)).map(([s, l]) => [s, l!.length])}`,
  );
});

Deno.test("--admin-name leaves [identity.admin] of the file alone, or says that it does not", async () => {
  const config = await identitiesOf({ admin: "admin-password" });
  const env = { SREG_ADMIN_NAME: "root", SREG_ADMIN_PASSWORD: "root-password" };
  await using scene = sceneOf(await startRegistry({ config, env }));
  assertEquals((await scene.as("admin").get("/v2/")).status, 200);
});

Deno.test("What is wrong with an identity is told by its line, and no password is shown", async (t) => {
  const good = (folder: string) => `[server]\n${FREE_PORT}[storage.fs]\nroot_dir = "${folder}/data"\n`;
  await using registry = await startConfigured(good);
  for (const wrong of ['password = "hunter2"\n', "password = hunter2\n", 'pasword = "hunter2"\n']) {
    await t.step(wrong.trim(), async () => {
      const { reason } = await registry.replace(
        `${good(registry.folder)}[identity.x]\nusername = "x"\n${wrong}`,
      );
      assert((reason as string).includes(`${registry.file}:`), `no line: ${reason}`);
      assert(!(reason as string).includes("hunter2"), `shown: ${reason}`);
    });
  }
});

Deno.test("An immutable tag of an index keeps what the index lists", async () => {
  await using scene = await startScene({ config: "[global]\nimmutable_tags = true\n" });
  const admin = scene.as("admin");
  const child = await admin.pushImage("app");
  const type = "application/vnd.oci.image.index.v1+json";
  const manifests = [{
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: child.digest,
    size: child.bytes.length,
  }];
  const index = contentOf({ schemaVersion: 2, mediaType: type, manifests });
  assertEquals((await admin.putManifest("app", "v1", index, type)).status, 201);
  assertEquals((await admin.send("DELETE", `/v2/app/manifests/${child.digest}`)).status, 403);
});
