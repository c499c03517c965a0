import { assert, assertEquals } from "../support/assert.ts";
import { errorOf, identityPath, msUntil, orderOf, peopled, type Replica, startReplicas } from "./replicas.ts";

/** How long a change may take at other replicas, in milliseconds: they look four times a second, and the machine may be busy. */
const IN_FORCE_MS = 3_000;

async function inForce<T>(expected: T, ask: () => Promise<T>): Promise<void> {
  const ms = await msUntil(expected, ask);
  assert(ms < IN_FORCE_MS, `it took ${Math.round(ms)} ms`);
}

Deno.test("What one replica is told of people and roles is in force at the other soon", async (t) => {
  await using replicas = await startReplicas(await peopled());
  const { one, other } = replicas;
  const root = one.as("root");
  const lists = async ({ as }: Replica, username: string) =>
    (await as(username).send("GET", "/v2/_catalog")).status;

  await t.step("a new identity signs in, here at once", async () => {
    assertEquals((await root.send("POST", "/admin/v1/identities", await orderOf("carol"))).status, 201);
    assertEquals(await lists(one, "carol"), 403);
    await inForce(403, () => lists(other, "carol"));
  });
  await t.step("a role that is given to it counts", async () => {
    const role = { verbs: ["list-catalog", "own-tokens", "get-api-version"], repositories: ["**"] };
    assertEquals((await root.send("PUT", "/admin/v1/roles/reads", role)).status, 201);
    const binding = { role: "reads", users: ["carol"] };
    assertEquals((await root.send("POST", "/admin/v1/bindings", binding)).status, 201);
    assertEquals(await lists(one, "carol"), 200);
    await inForce(200, () => lists(other, "carol"));
  });
  await t.step("a role that grants less is believed no longer, though it was remembered", async () => {
    const role = { verbs: ["own-tokens", "get-api-version"], repositories: ["**"] };
    assertEquals((await root.send("PUT", "/admin/v1/roles/reads", role)).status, 200);
    assertEquals(await lists(one, "carol"), 403);
    await inForce(403, () => lists(other, "carol"));
  });
  await t.step("what the anonymous may is forgotten too", async () => {
    const everybody = { role: "pull", users: ["*"] };
    const { value } = await root.send("POST", "/admin/v1/bindings", everybody);
    const shown = async ({ nobody }: Replica) => (await nobody.send("GET", "/v2/tags/list")).status;
    assertEquals(await shown(one), 200);
    await inForce(200, () => shown(other));
    assertEquals((await root.send("DELETE", `/admin/v1/bindings/${value.id}`)).status, 204);
    assertEquals(await shown(one), 401);
    await inForce(401, () => shown(other));
  });
  await t.step(
    "who is disabled is refused, with a password and with tokens of the other replica",
    async () => {
      const carol = other.as("carol");
      assertEquals(await carol.shown(), 200);
      const { value: { token } } = await carol.send("GET", "/token");
      const made = await carol.send("POST", "/admin/v1/me/tokens", { name: "laptop" });
      const senders = [carol, other.bearing(token), other.bearing(made.value.token)];
      const states = async () => String(await Promise.all(senders.map((sender) => sender.shown())));
      assertEquals(await states(), "200,200,200");
      assertEquals((await root.send("PATCH", identityPath("carol"), { disabled: true })).status, 200);
      await inForce("401,401,401", states);
    },
  );
});

Deno.test("An open registry that gets its first identity asks everybody who they are", async (t) => {
  await using replicas = await startReplicas("");
  const { one, other } = replicas;
  await t.step("and until then everybody may make one", async () => {
    assertEquals(await one.nobody.shown(), 200);
    const order = { username: "first", password: "first-password" };
    assertEquals((await one.nobody.send("POST", "/admin/v1/identities", order)).status, 201);
    assertEquals([await one.nobody.shown(), await one.as("first").shown()], [401, 200]);
  });
  await t.step("at the other replica, too", async () => {
    await inForce(401, () => other.nobody.shown());
    assertEquals(await other.as("first").shown(), 200);
  });
  await t.step("and who binds first must not lock everybody out", async () => {
    const first = one.as("first");
    for (const binding of [{ role: "push", users: ["first"] }, { role: "admin", users: ["second"] }]) {
      assertEquals(errorOf(await first.send("POST", "/admin/v1/bindings", binding)), [
        409,
        "Cannot bind: no policy is in force yet, and then nobody could take it back: bind admin to yourself first",
      ]);
    }
    assertEquals(
      (await first.send("PUT", "/admin/v1/roles/any", { verbs: [], repositories: [] })).status,
      201,
    );
    assertEquals((await first.send("POST", "/admin/v1/identities", await orderOf("second"))).status, 201);
    assertEquals(await one.as("second").shown(), 200);
    const { value } = await first.send("POST", "/admin/v1/bindings", { role: "admin", users: ["first"] });
    assertEquals([await first.shown(), await one.as("second").shown()], [200, 403]);
    await inForce(403, () => other.as("second").shown());
    assertEquals(value.source, "store");
  });
  await t.step("and roles stay asked for when the last binding is gone", async () => {
    const first = one.as("first");
    const { value } = await first.send("GET", "/admin/v1/bindings");
    assertEquals((await first.send("DELETE", `/admin/v1/bindings/${value.bindings[0].id}`)).status, 204);
    assertEquals(await first.shown(), 403);
    await inForce(403, () => other.as("first").shown());
  });
});

Deno.test("Of those who make the same user name at once one makes it at most, whoever they ask", async () => {
  await using replicas = await startReplicas(await peopled());
  const roots = [replicas.one.as("root"), replicas.other.as("root")];
  for (let round = 0; round < 10; round++) {
    const username = `twin-${round}`;
    const order = await orderOf(username);
    const answers = await Promise.all(
      ["a", "b", "c", "d"].map((id, index) =>
        roots[index % 2]!.send("POST", "/admin/v1/identities", { ...order, id: `${username}-${id}` })
      ),
    );
    const made = answers.filter(({ status }) => status === 201);
    assert(made.length <= 1, `${made.length} were made`);
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      assertEquals(errorOf(answer), [409, "Cannot make the identity: another one has the user name"]);
    }
    const { value } = await roots[0]!.send("GET", "/admin/v1/identities");
    const found = value.identities.filter((identity: { username: string }) => identity.username === username);
    assertEquals(found, made.map(({ value }) => value));
  }
});
