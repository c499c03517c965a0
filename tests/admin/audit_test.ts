import { type Scene, startScene } from "../access/scene.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { contentOf, imageOf, RegistryClient } from "../support/client.ts";
import { startRegistry } from "../support/registry.ts";

const JSON_BODY = { "Content-Type": "application/json" };

// deno-lint-ignore no-explicit-any -- events are compared whole
async function eventsOf(admin: RegistryClient, query = ""): Promise<any[]> {
  const { status, json } = await admin.get(`/admin/v1/audit?n=1000${query}`);
  assertEquals(status, 200);
  return json().events;
}

/** An event without what differs from run to run. */
function shape({ action, target, outcome, actor, detail }: {
  readonly action: string;
  readonly target: string;
  readonly outcome: string;
  readonly actor: { readonly username: string | null };
  readonly detail: object;
}) {
  return [actor.username, action, target, outcome, detail] as const;
}

type Trio = [RegistryClient, RegistryClient, RegistryClient];

interface Stage {
  readonly scene: Scene;
  /** What the log has of what `act` did, the oldest first. */
  eventsDuring(act: () => Promise<unknown>): Promise<ReturnType<typeof shape>[]>;
}

function stageOf(scene: Scene): Stage {
  const admin = scene.as("admin");
  return {
    scene,
    async eventsDuring(act) {
      const [last] = await eventsOf(admin);
      await act();
      const events = await eventsOf(admin);
      const count = last === undefined ? events.length : events.findIndex(({ id }) => id === last.id);
      return events.slice(0, count).toReversed().map(shape);
    },
  };
}

Deno.test("The audit log has who changed what", async (t) => {
  await using scene = await startScene();
  const stage = stageOf(scene);
  await testPushes(t, stage);
  await testAdministration(t, stage);
  await testRefusals(t, stage);
});

async function testPushes(t: Deno.TestContext, { scene, eventsDuring }: Stage): Promise<void> {
  const [admin, writer, reader] = ["admin", "writer", "reader"].map((name) => scene.as(name)) as Trio;
  const image = imageOf(contentOf("config of team/app"), [contentOf("layer of team/app")]);

  await t.step("of a push the tag and the digest, and nothing of blobs", async () => {
    assertEquals(await eventsDuring(() => writer.pushImage("team/app", "v1")), [
      ["writer", "put-manifest", "team/app:v1", "done", { digest: image.digest }],
    ]);
    const byDigest = () => writer.putManifest("team/app", `${image.digest}?tag=a&tag=b`, image);
    assertEquals(await eventsDuring(byDigest), [
      ["writer", "put-manifest", `team/app@${image.digest}`, "done", { tags: ["a", "b"] }],
    ]);
  });
  await t.step("nothing of who looks", async () => {
    const look = async () => {
      await reader.get("/v2/team/app/tags/list");
      await reader.get("/v2/team/app/manifests/v1");
      await reader.get("/v2/team/app/manifests/unknown");
      await admin.get("/admin/v1/tokens");
      await scene.nobody.get("/admin/v1/tokens");
    };
    assertEquals(await eventsDuring(look), []);
  });
  await t.step("of what was refused, and of what failed", async () => {
    const bad = contentOf("{}");
    assertEquals(await eventsDuring(() => reader.putManifest("team/app", "v1", image)), [
      ["reader", "put-manifest", "team/app:v1", "denied", { status: 403, code: "DENIED" }],
    ]);
    assertEquals(await eventsDuring(() => writer.putManifest("team/app", "v2", bad)), [
      ["writer", "put-manifest", "team/app:v2", "failed", { status: 400, code: "MANIFEST_INVALID" }],
    ]);
    assertEquals(await eventsDuring(() => reader.get("/admin/v1/tokens")), [
      ["reader", "admin.list-tokens", "tokens", "denied", { status: 403, code: "DENIED" }],
    ]);
    assertEquals(await eventsDuring(() => scene.nobody.send("POST", "/admin/v1/tokens")), [
      [null, "admin.create-token", "tokens", "denied", { status: 401, code: "UNAUTHORIZED" }],
    ]);
  });
  await t.step("of a deletion", async () => {
    assertEquals(await eventsDuring(() => admin.send("DELETE", "/v2/team/app/manifests/v1")), [
      ["admin", "delete-manifest", "team/app:v1", "done", {}],
    ]);
  });
}

async function testAdministration(t: Deno.TestContext, { scene, eventsDuring }: Stage): Promise<void> {
  const admin = scene.as("admin");
  await t.step(
    "of the administration, before it is answered, with what was asked and without secrets",
    async () => {
      const body = JSON.stringify({ username: "zoe", password: "zoe's long password", groups: ["dev"] });
      let id = "";
      const create = async () => {
        id = (await admin.send("POST", "/admin/v1/identities", { headers: JSON_BODY, body })).json().id;
      };
      const [created] = await eventsDuring(create);
      const request = { username: "zoe", password: "***", groups: ["dev"] };
      assertEquals(created, ["admin", "admin.create-identity", `identities/${id}`, "done", { request }]);
      const path = `/admin/v1/identities/${encodeURIComponent(id)}`;
      const disable = () => admin.send("PATCH", path, { headers: JSON_BODY, body: '{"disabled":true}' });
      assertEquals(await eventsDuring(disable), [
        ["admin", "admin.change-identity", `identities/${id}`, "done", { request: { disabled: true } }],
      ]);
    },
  );
}

async function testRefusals(t: Deno.TestContext, { scene, eventsDuring }: Stage): Promise<void> {
  const [admin, reader] = [scene.as("admin"), scene.as("reader")];
  await t.step("of a credential that is refused, with who was claimed, and how often", async () => {
    const guess = async () => {
      for (let index = 0; index < 3; index++) await scene.as("reader", `wrong-${index}`).get("/v2/");
    };
    const events = await eventsDuring(guess);
    const counts = events.map(([username, action, target, outcome, detail]) => {
      const { count = 1, ...rest } = detail as { count?: number };
      assertEquals([username, action, target, outcome, rest], [
        ...["reader", "sign-in", "", "denied"],
        { reason: "password: wrong password" },
      ]);
      return count;
    });
    assertEquals(counts.reduce((sum, count) => sum + count), 3);
  });
  await t.step("with the address it came from", async () => {
    const [{ actor }] = await eventsOf(admin, "&actor=writer") as [{ actor: unknown }];
    assertEquals(actor, { id: "writer", username: "writer", address: "127.0.0.1" });
  });
  await t.step("and no secret in the store or the log", async () => {
    const order = { headers: JSON_BODY, body: JSON.stringify({ name: "laptop" }) };
    const { token } = (await reader.send("POST", "/admin/v1/me/tokens", order)).json();
    await scene.bearing(`${token}0`).get("/v2/");
    await scene.showing({ Authorization: `Basic ${btoa(`${token}:wrong-9`)}` }).get("/v2/");
    await eventsOf(admin);
    const kept = await textOf(`${scene.registry.dataDir}/audit`);
    for (const text of [kept, scene.registry.log()]) {
      assert(text.includes('"sign-in"'));
      for (
        const secret of [token, token.split("_")[2], "zoe's long", "wrong-", "reader-password", "$argon2id"]
      ) {
        assertEquals(text.includes(secret), false, secret);
      }
    }
  });
}

Deno.test("The audit log is searched page by page, and followed", async (t) => {
  await using scene = await startScene();
  const admin = scene.as("admin");
  await admin.pushImage("team/app", "v0");
  const image = imageOf(contentOf("config of team/app"), [contentOf("layer of team/app")]);
  for (let index = 1; index < 10; index++) await admin.putManifest("team/app", `v${index}`, image);
  const all = await eventsOf(admin, "&action=put-manifest");
  assertEquals(
    all.map(({ target }) => target),
    Array.from({ length: 10 }, (_, index) => `team/app:v${9 - index}`),
  );

  await t.step("by pages", async () => {
    const pages: unknown[][] = [];
    for (let next: string | undefined = ""; next !== undefined;) {
      const last = next === "" ? "" : `&last=${next}`;
      const answer: { events: unknown[]; next?: string } =
        (await admin.get(`/admin/v1/audit?action=put-manifest&n=4${last}`)).json();
      pages.push(answer.events);
      next = answer.next;
    }
    assertEquals([pages.map(({ length }) => length), pages.flat()], [[4, 4, 2], all]);
  });
  await t.step("by time", async () => {
    const { at } = all[4]!;
    const since = await eventsOf(admin, `&action=put-manifest&since=${at}`);
    const until = await eventsOf(admin, `&action=put-manifest&until=${at}`);
    assertEquals([...since, ...until], all);
    assert(since.length >= 5);
  });
  await t.step("from an event on, when nothing can come before what is told", async () => {
    const after = all.at(-1)!.id;
    for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
      const found = await eventsOf(admin, `&after=${after}&action=put-manifest`);
      if (found.length < 9) continue;
      return assertEquals(found, all.slice(0, 9).toReversed());
    }
    throw new Error("the events were not told");
  });
  await t.step("and refuses what it cannot read", async () => {
    const refused = [
      "outcome=good",
      "since=yesterday",
      "last=x",
      "after=..",
      "n=-1",
      "actor=a&actor=b",
      "until=1",
    ];
    for (const query of refused) {
      assertEquals([(await admin.get(`/admin/v1/audit?${query}`)).status, query], [400, query]);
    }
  });
});

Deno.test("What was recorded is there after a stop, and at another server on the same store", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "sreg-audit-" });
  try {
    const first = await startRegistry({ dataDir });
    await new RegistryClient(first.url).pushImage("team/app", "v1");
    await first.stop();
    await using second = await startRegistry({ dataDir });
    await using third = await startRegistry({ dataDir });
    const client = new RegistryClient(second.url);
    await client.send("POST", "/admin/v1/tokens", { headers: JSON_BODY, body: '{"name":"robot"}' });
    const events = await eventsOf(new RegistryClient(third.url));
    assertEquals(events.map(({ action }) => action), ["admin.create-token", "put-manifest"]);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

async function textOf(folder: string): Promise<string> {
  const texts: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    texts.push(isDirectory ? await textOf(path) : await Deno.readTextFile(path));
  }
  return texts.join("\n");
}
