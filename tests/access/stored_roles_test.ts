import { assertEquals } from "../support/assert.ts";
import { errorOf, peopled, startReplicas } from "./replicas.ts";

const ROLES = "/admin/v1/roles";
const BINDINGS = "/admin/v1/bindings";

const TEAM = { verbs: ["pull", "put-manifest"], repositories: ["team/*", "lib"] };

Deno.test("The administration keeps roles beside those of the file", async (t) => {
  await using replicas = await startReplicas(await peopled());
  const root = replicas.one.as("root");
  await t.step("makes a role, and then another of its name", async () => {
    const made = await root.send("PUT", `${ROLES}/dev`, { ...TEAM, verbs: [] });
    assertEquals(made, { status: 201, value: { name: "dev", ...TEAM, verbs: [], source: "store" } });
    const replaced = await root.send("PUT", `${ROLES}/dev`, TEAM);
    assertEquals(replaced, { status: 200, value: { name: "dev", ...TEAM, source: "store" } });
  });
  await t.step("lists roles by their names, with where they are from", async () => {
    const { value } = await root.send("GET", ROLES);
    const found = value.roles.map(({ name, source }: Record<string, string>) => [name, source]);
    assertEquals(found, [
      ["admin", "built-in"],
      ["dev", "store"],
      ["pull", "built-in"],
      ["push", "built-in"],
      ["quiet", "file"],
    ]);
    const page = await root.send("GET", `${ROLES}?n=1&last=admin`);
    assertEquals(page.value, { roles: [{ name: "dev", ...TEAM, source: "store" }], next: "dev" });
  });
});

Deno.test("The administration keeps bindings beside those of the file", async (t) => {
  await using replicas = await startReplicas(await peopled());
  const { one } = replicas;
  const root = one.as("root");
  const ids: string[] = [];
  await root.send("PUT", `${ROLES}/dev`, TEAM);
  await t.step("gives roles to people, which counts at once", async () => {
    const pull = async () => (await one.as("ann").send("GET", "/v2/team/a/tags/list")).status;
    assertEquals(await pull(), 403);
    const { status, value } = await root.send("POST", BINDINGS, { role: "dev", users: ["ann"] });
    const { id, ...binding } = value;
    assertEquals([status, binding], [201, { role: "dev", users: ["ann"], groups: [], source: "store" }]);
    assertEquals(await pull(), 404);
    const both = await root.send("POST", BINDINGS, { role: "quiet", groups: ["x"], users: [] });
    ids.push(id, both.value.id);
  });
  await t.step("lists bindings, with where they are from", async () => {
    const { value } = await root.send("GET", BINDINGS);
    const ofFile = { id: "file-0", role: "admin", users: ["root"], groups: [], source: "file" };
    const found = new Map(value.bindings.map((binding: { id: string }) => [binding.id, binding]));
    assertEquals(found.get("file-0"), ofFile);
    assertEquals([...found.keys()].toSorted(), ["file-0", ...ids].toSorted());
  });
  await t.step("keeps a role that somebody has", async () => {
    assertEquals(errorOf(await root.send("DELETE", `${ROLES}/dev`)), [
      409,
      "Cannot delete the role: 1 of the bindings give it to somebody",
    ]);
  });
  await t.step("takes a role from those who have it by force, and for good", async () => {
    assertEquals((await root.send("DELETE", `${ROLES}/dev?force=true`)).status, 204);
    assertEquals((await root.send("PUT", `${ROLES}/dev`, TEAM)).status, 201);
    assertEquals((await one.as("ann").send("GET", "/v2/team/a/tags/list")).status, 403);
    assertEquals((await root.send("DELETE", `${ROLES}/dev`)).status, 204);
    assertEquals((await root.send("DELETE", `${ROLES}/dev`)).status, 404);
  });
  await t.step("takes a binding back, once", async () => {
    assertEquals((await root.send("DELETE", `${BINDINGS}/${ids[1]}`)).status, 204);
    assertEquals((await root.send("DELETE", `${BINDINGS}/${ids[1]}`)).status, 404);
    const { value } = await root.send("GET", BINDINGS);
    assertEquals(value.bindings.length, 1);
  });
});

const ROLE = { verbs: ["pull"], repositories: ["lib"] };

/** What is said of a request that cannot be read. */
function read(message: string): unknown {
  return [400, `Cannot read the request: ${message}`];
}

const PUTS: readonly (readonly [title: string, name: string, role: unknown, answer: unknown])[] = [
  ["that are built in", "admin", ROLE, [409, "Cannot change the role: it is built in"]],
  ["of the file", "quiet", ROLE, [409, "Cannot change the role: it is written in the configuration"]],
  ["with a verb that is none", "dev", { ...ROLE, verbs: ["pull", "get-manifests"] }, [
    400,
    'Cannot keep the role: verbs[1]: unknown verb "get-manifests", did you mean "get-manifest"?',
  ]],
  ["with a glob that is none", "dev", { ...ROLE, repositories: ["a**"] }, [
    400,
    "Cannot keep the role: repositories[0]: ** must stand alone between slashes",
  ]],
  ["of odd names", encodeURIComponent("$(id) x"), ROLE, [
    400,
    "Cannot keep the role: expected a name of letters, digits, dots, dashes and underscores",
  ]],
  ["without repositories", "dev", { verbs: [] }, read("repositories: it is missing")],
  ["with a member too many", "dev", { ...ROLE, name: "admin" }, read('unknown member "name"')],
  ["with a text for a list", "dev", { ...ROLE, verbs: "*" }, read("verbs: it does not fit")],
];

const POSTS: readonly (readonly [title: string, binding: unknown, answer: unknown])[] = [
  ["to a role that is not there", { role: "pul", users: ["ann"] }, [
    400,
    'Cannot keep the binding: role: unknown role "pul", did you mean "pull"?',
  ]],
  ["to nobody", { role: "pull" }, [
    400,
    "Cannot keep the binding: it binds nobody: expected users or groups",
  ]],
  ["with an id", { role: "pull", users: ["ann"], id: "file-0" }, read('unknown member "id"')],
  ["to a number", { role: "pull", users: [5] }, read("users: it does not fit")],
];

const DELETES: readonly (readonly [title: string, path: string, answer: unknown])[] = [
  ["to be deleted that are built in", `${ROLES}/pull`, [409, "Cannot change the role: it is built in"]],
  ["to be deleted that are of the file", `${BINDINGS}/file-0`, [
    409,
    "Cannot delete the binding: it is written in the configuration",
  ]],
  ["to be deleted by some force", `${ROLES}/pull?force=perhaps`, [
    400,
    "Cannot read force: expected true or false",
  ]],
];

Deno.test("The administration refuses roles and bindings", async (t) => {
  await using replicas = await startReplicas(await peopled());
  const root = replicas.one.as("root");
  for (const [title, name, value, answer] of PUTS) {
    await t.step(title, async () => {
      assertEquals(errorOf(await root.send("PUT", `${ROLES}/${name}`, value)), answer);
    });
  }
  for (const [title, binding, answer] of POSTS) {
    await t.step(title, async () => {
      assertEquals(errorOf(await root.send("POST", BINDINGS, binding)), answer);
    });
  }
  for (const [title, path, answer] of DELETES) {
    await t.step(title, async () => assertEquals(errorOf(await root.send("DELETE", path)), answer));
  }
  await t.step("and has none of them afterwards", async () => {
    const [roles, bindings] = [await root.send("GET", ROLES), await root.send("GET", BINDINGS)];
    assertEquals([roles.value.roles.length, bindings.value.bindings.length], [4, 1]);
  });
});

Deno.test("A registry without policies has the built-in roles to give", async () => {
  await using replicas = await startReplicas("");
  const { nobody } = replicas.one;
  const { value } = await nobody.send("GET", ROLES);
  assertEquals(value.roles.map(({ name }: { name: string }) => name), ["admin", "pull", "push"]);
  const role = { verbs: ["pull"], repositories: ["lib"] };
  assertEquals((await nobody.send("PUT", `${ROLES}/reads`, role)).status, 201);
  const binding = { role: "read", users: ["*"] };
  assertEquals(errorOf(await nobody.send("POST", BINDINGS, binding)), [
    400,
    'Cannot keep the binding: role: unknown role "read", did you mean "reads"?',
  ]);
  assertEquals((await nobody.send("POST", BINDINGS, { role: "admin", users: ["*"] })).status, 201);
  assertEquals((await nobody.send("GET", BINDINGS)).value.bindings.length, 1);
});
