import { assertEquals, assertThrows } from "../../../tests/support/assert.ts";
import { ROOT } from "../../../tests/support/registry.ts";
import { ACTIONS } from "../../contract/action.ts";
import { startPlugin } from "../../../server/sandbox/mod.ts";
import { ANONYMOUS, type Identity } from "../../contract/identity.ts";
import type { PolicyQuestion } from "../../contract/policy.ts";
import { create } from "./rbac.ts";
import { compileVerbs, VERBS } from "./verbs.ts";

function person(username: string, groups: readonly string[] = []): Identity {
  return { ...ANONYMOUS, id: `id-${username}`, username, groups };
}

function question(identity: Identity, action: string, namespace: string | null = null): PolicyQuestion {
  return {
    identity,
    action,
    namespace,
    digest: null,
    reference: null,
    tags: [],
    method: "GET",
    clientAddress: "192.0.2.1",
    timeMs: 0,
    ahead: false,
  };
}

const CERTIFIED: Identity = {
  ...ANONYMOUS,
  certificate: {
    commonNames: ["ann"],
    organizations: [],
    dnsNames: [],
    uris: [],
    emails: [],
    fingerprint: "",
  },
};

const ROLES = [
  { name: "team", verbs: ["pull", "push"], repositories: ["team/**"] },
  { name: "cleaner", verbs: ["delete"], repositories: ["team", "*/cache"] },
  { name: "lister", verbs: ["list-tags"], repositories: [] },
  { name: "auditor", verbs: ["admin.list-tokens"], repositories: ["audit"] },
  { name: "everything", verbs: ["*"], repositories: ["**"] },
  { name: "keeper", verbs: ["admin.*"], repositories: ["**"] },
  { name: "__proto__", verbs: ["constructor", "__proto__"], repositories: ["**"] },
];

const BINDINGS = [
  { role: "pull", users: ["*"], groups: [] },
  { role: "push", users: ["ann", "id-zoe"], groups: [] },
  { role: "team", users: [], groups: ["dev"] },
  { role: "cleaner", users: [], groups: ["authenticated"] },
  { role: "lister", users: ["lena"], groups: [] },
  { role: "auditor", users: ["audrey"], groups: [] },
  { role: "everything", users: ["eve"], groups: [] },
  { role: "keeper", users: ["kim"], groups: [] },
  { role: "admin", users: ["root"], groups: ["admins"] },
  { role: "nowhere", users: ["*"], groups: [] },
  { role: "__proto__", users: ["*"], groups: [] },
  { role: "constructor", users: ["*"], groups: [] },
];

type Row = readonly [who: Identity, action: string, repository: string | null, rule: string, reason?: string];

const NOBODY = "rbac";

const DECISIONS: readonly Row[] = [
  [ANONYMOUS, "get-manifest", "any/where", "role.pull", "bound to everybody"],
  [ANONYMOUS, "get-api-version", null, "role.pull", "bound to everybody"],
  [ANONYMOUS, "list-catalog", null, "role.pull", "bound to everybody"],
  [ANONYMOUS, "put-manifest", "any/where", NOBODY],
  [ANONYMOUS, "delete-blob", "team", NOBODY],
  [CERTIFIED, "delete-blob", "team", NOBODY],
  [person("ann"), "put-manifest", "any/where", "role.push", 'bound to user "ann"'],
  [person("ann"), "delete-manifest", "any/where", NOBODY],
  [person("ann"), "admin.list-tokens", null, NOBODY],
  [person("ann"), "constructor", "any/where", "role.__proto__", "bound to everybody"],
  [person("zoe"), "complete-upload", "any/where", "role.push", 'bound to user "id-zoe"'],
  [person("Ann"), "put-manifest", "any/where", NOBODY],
  [person("toString"), "put-manifest", "any/where", NOBODY],
  [person("dan", ["dev"]), "start-upload", "team/app/x", "role.team", 'bound to group "dev"'],
  [person("dan", ["dev"]), "start-upload", "teams", NOBODY],
  [person("dev"), "start-upload", "team/app", NOBODY],
  [
    person("dan", ["authenticated"]),
    "delete-blob",
    "team",
    "role.cleaner",
    "bound to everybody who is authenticated",
  ],
  [{ ...ANONYMOUS, groups: ["authenticated"] }, "delete-blob", "team", NOBODY],
  [person("dan"), "delete-manifest", "a/cache", "role.cleaner", "bound to everybody who is authenticated"],
  [person("dan"), "delete-manifest", "a/b/cache", NOBODY],
  [person("lena"), "cancel-upload", "team", NOBODY],
  [person("audrey"), "admin.list-tokens", null, "role.auditor", 'bound to user "audrey"'],
  [person("audrey"), "admin.revoke-token", null, NOBODY],
  [person("eve"), "get-token", null, "role.everything", 'bound to user "eve"'],
  [person("eve"), "admin.list-tokens", null, NOBODY],
  [person("kim"), "admin.not-made-yet", null, "role.keeper", 'bound to user "kim"'],
  [person("kim"), "put-manifest", "team", NOBODY],
  [person("root"), "admin.list-tokens", null, "role.admin", 'bound to user "root"'],
  [person("ada", ["x", "admins"]), "delete-blob", "a/b/c", "role.admin", 'bound to group "admins"'],
];

Deno.test("rbac decides", async (t) => {
  const policy = await create({ roles: ROLES, bindings: BINDINGS });
  for (const [who, action, repository, rule, reason = "no bound role grants it"] of DECISIONS) {
    const name = `${who.username ?? "nobody"} [${who.groups}]`;
    await t.step(`${rule} for ${name}: ${action} on ${repository ?? "nothing"}`, async () => {
      assertEquals(await policy.decide(question(who, action, repository)), {
        effect: rule === NOBODY ? "abstain" : "allow",
        rule,
        reason,
        cacheForMs: 60_000,
      });
    });
  }
});

Deno.test("rbac grants by the built-in roles what their names say, on every repository", async () => {
  const granted = async (role: string) => {
    const policy = await create({ bindings: [{ role, users: ["ann"] }] });
    const answers = await Promise.all(
      ACTIONS.map(async (action) => (await policy.decide(question(person("ann"), action, "a/b"))).effect),
    );
    return ACTIONS.filter((_, index) => answers[index] === "allow").toSorted();
  };
  const pull = [
    "get-api-version",
    "get-blob",
    "get-manifest",
    "get-referrers",
    "list-catalog",
    "list-tags",
    "own-identity",
    "own-tokens",
  ];
  const push = [
    "cancel-upload",
    "complete-upload",
    "get-upload",
    "put-manifest",
    "start-upload",
    "update-upload",
  ];
  assertEquals(await granted("pull"), pull);
  assertEquals(await granted("push"), [...pull, ...push].toSorted());
  assertEquals(await granted("admin"), ACTIONS.toSorted());
});

Deno.test('compileVerbs() does not take "*" for the administration, or words for actions', () => {
  const all = compileVerbs(["*"]);
  assertEquals([all("get-blob"), all("admin.list-tokens"), all("*")], [true, false, false]);
  const pull = compileVerbs(["pull"]);
  assertEquals([pull("pull"), pull("get-blob"), pull("put-manifest")], [false, true, false]);
});

Deno.test("rbac without any setting abstains", async () => {
  const policy = await create({});
  assertEquals((await policy.decide(question(person("ann"), "get-blob", "a"))).effect, "abstain");
  assertEquals(await policy.check!(), []);
  assertEquals(await policy.explain!(question(ANONYMOUS, "get-blob", "a")), []);
});

Deno.test("rbac explains every binding", async () => {
  const roles = [{ name: "team", verbs: ["pull", "put-manifest"], repositories: ["team/*", "x"] }];
  const bindings = [
    { role: "team", users: ["ann"], groups: ["dev", "ops"] },
    { role: "admin", users: ["*"], groups: [] },
    { role: "nowhere", users: ["ann"], groups: [] },
  ];
  const policy = await create({ roles, bindings });
  const text = "pull, put-manifest on team/*, x, for user ann, group dev, group ops";
  const rest = [
    { rule: "role.admin", text: "*, admin.* on **, for user *", verdict: "true" },
    { rule: "role.nowhere", text: "nothing, for user ann", verdict: "there is no such role" },
  ];
  assertEquals(await policy.explain!(question(person("ann"), "get-blob", "team/a")), [
    { rule: "role.team", text, verdict: "true" },
    ...rest,
  ]);
  assertEquals(await policy.explain!(question(person("bob"), "get-blob", "team/a")), [
    { rule: "role.team", text, verdict: "false" },
    ...rest,
  ]);
});

Deno.test("rbac finds what is wrong with its settings, each in its place", async () => {
  const roles = [
    { name: "push", verbs: ["push"], repositories: ["**"] },
    { name: "team", verbs: ["pull", "get-manifests", "fly"], repositories: ["ok", "team/a**", "Team"] },
    { name: "admins", verbs: ["admin.list-token", "admin.*", "constructor"], repositories: ["**"] },
  ];
  const bindings = [
    { role: "Pushh", users: ["ann"], groups: [] },
    { role: "xyz", users: ["ann"], groups: [] },
    { role: "team", users: [], groups: [] },
    { role: "team", users: [], groups: ["dev"] },
  ];
  const policy = await create({ roles, bindings });
  const problem = (path: string, [offset, length]: readonly [number, number], message: string) => ({
    path: path.split(" "),
    offset,
    length,
    message,
  });
  const verbs = VERBS.join(", ");
  assertEquals(await policy.check!(), [
    problem("role push", [0, 4], "the role is built in, call yours something else"),
    problem("role team verbs 1", [0, 13], 'unknown verb "get-manifests", did you mean "get-manifest"?'),
    problem("role team verbs 2", [0, 3], `unknown verb "fly", there are: ${verbs}`),
    problem("role team repositories 1", [6, 2], "** must stand alone between slashes"),
    problem("role team repositories 2", [0, 1], 'no repository\'s name has "T" in it'),
    problem(
      "role admins verbs 0",
      [0, 16],
      'unknown verb "admin.list-token", did you mean "admin.list-tokens"?',
    ),
    problem("role admins verbs 2", [0, 11], `unknown verb "constructor", there are: ${verbs}`),
    problem("binding 0 role", [0, 5], 'unknown role "Pushh", did you mean "push"?'),
    problem("binding 1 role", [0, 3], 'unknown role "xyz", there are: admin, push, pull, team, admins'),
    problem("binding 2", [0, 0], "it binds nobody: expected users or groups"),
  ]);
});

Deno.test("a configured role that has the name of a built-in one grants nothing", async () => {
  const roles = [{ name: "pull", verbs: ["*", "admin.*"], repositories: ["**"] }];
  const policy = await create({ roles, bindings: [{ role: "pull", users: ["*"] }] });
  assertEquals((await policy.decide(question(ANONYMOUS, "put-manifest", "a"))).effect, "abstain");
  assertEquals((await policy.decide(question(ANONYMOUS, "get-manifest", "a"))).effect, "allow");
});

Deno.test("rbac grants what roles of the store do, as long as they are there", async () => {
  const policy = await create({ roles: ROLES.slice(0, 1), bindings: [] });
  const may = async (action: string, repository: string) =>
    (await policy.decide(question(person("ann"), action, repository))).effect;
  const look = { name: "look", verbs: ["get-manifest"], repositories: ["lib"] };
  const bound = { id: "1", role: "look", users: ["ann"], groups: [] };
  await policy.replaceRoles!({ roles: [look], bindings: [bound, { ...bound, id: "2", role: "nowhere" }] });
  assertEquals([await may("get-manifest", "lib"), await may("get-blob", "lib")], ["allow", "abstain"]);
  await policy.replaceRoles!({ roles: [{ ...look, verbs: ["get-blob"] }], bindings: [bound] });
  assertEquals([await may("get-manifest", "lib"), await may("get-blob", "lib")], ["abstain", "allow"]);
  await policy.replaceRoles!({ roles: [], bindings: [bound] });
  assertEquals(await may("get-blob", "lib"), "abstain");
});

Deno.test("a role of the store that has the name of one of the configuration grants nothing", async () => {
  const roles = [{ name: "team", verbs: ["pull"], repositories: ["team"] }];
  const policy = await create({ roles, bindings: [{ role: "team", users: ["ann"] }] });
  const stolen = (name: string) => ({ name, verbs: ["*", "admin.*"], repositories: ["**"] });
  await policy.replaceRoles!({
    roles: [stolen("team"), stolen("pull")],
    bindings: [{ id: "1", role: "pull", users: ["*"], groups: [] }],
  });
  const effects = ["get-blob", "put-manifest", "admin.list-roles"].map(async (action) =>
    (await policy.decide(question(person("ann"), action, "team"))).effect
  );
  assertEquals(await Promise.all(effects), ["allow", "abstain", "abstain"]);
});

Deno.test("rbac lists what is not the store's, and checks what is to be", async () => {
  const team = { name: "team", verbs: ["pull"], repositories: ["team/*"] };
  const bindings = [{ role: "team", users: ["ann"], groups: [] }];
  const policy = await create({ roles: [team], bindings });
  await policy.replaceRoles!({ roles: [{ ...team, name: "mine" }], bindings: [] });
  const listed = await policy.listRoles!();
  assertEquals(listed.roles.map(({ name, builtIn }) => [name, builtIn]), [
    ["admin", true],
    ["push", true],
    ["pull", true],
    ["team", false],
  ]);
  assertEquals(listed.bindings, bindings);
  const bind = (role: string, id: string) => ({ id, role, users: ["ann"], groups: [] });
  assertEquals(
    await policy.checkRoles!({
      roles: [],
      bindings: [bind("mine", "1"), bind("team", "2"), bind("push", "3"), bind("mines", "4")],
    }),
    [{
      path: ["binding", "3", "role"],
      offset: 0,
      length: 5,
      message: 'unknown role "mines", did you mean "mine"?',
    }],
  );
});

Deno.test("rbac refuses settings that have not their form", () => {
  const refused: readonly (readonly [options: object, message: string])[] = [
    [{ roles: 5 }, "roles: expected a list"],
    [{ roles: [5] }, "roles[0]: expected a text for name, and lists of texts for verbs and repositories"],
    [
      { roles: [{ name: "a", verbs: "pull" }] },
      "roles[0]: expected a text for name, and lists of texts for verbs and repositories",
    ],
    [{ bindings: {} }, "bindings: expected a list"],
    [
      { bindings: [{ role: "pull", users: [1] }] },
      "bindings[0]: expected a text for role, and lists of texts for users and groups",
    ],
  ];
  for (const [options, message] of refused) {
    assertThrows(() => create(options), { name: "TypeError", message });
  }
});

Deno.test("rbac serves the policy contract through its wall, without any permission", async () => {
  await using plugin = await startPlugin({
    name: "rbac",
    kind: "policy",
    folder: `${ROOT}plugins/policy/rbac`,
    entry: "rbac.ts",
    isolation: "worker",
    permissions: {},
    options: { roles: ROLES.slice(0, 1), bindings: [{ role: "team", users: [], groups: ["dev"] }] },
  });
  const policy = plugin.serve("policy");
  const pushed = question(person("dan", ["dev"]), "put-manifest", "team/app");
  assertEquals(await policy.decide(pushed), {
    effect: "allow",
    rule: "role.team",
    reason: 'bound to group "dev"',
    cacheForMs: 60_000,
  });
  assertEquals(await policy.explain!(pushed), [
    { rule: "role.team", text: "pull, push on team/**, for group dev", verdict: "true" },
  ]);
  assertEquals(await policy.check!(), []);
});
