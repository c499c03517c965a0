import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { cheapHash } from "../support/identities.ts";
import {
  errorOf,
  identityPath,
  msUntil,
  orderOf,
  peopled,
  type Replica,
  requestOf,
  type Sender,
  startReplicas,
} from "./replicas.ts";
import { basic } from "./scene.ts";

const PATH = "/admin/v1/identities";
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/** An identity without its times, which are times. */
function timeless({ created_at, password_changed_at, ...identity }: Record<string, unknown>) {
  assertMatch(String(created_at), TIME);
  assertMatch(String(password_changed_at), TIME);
  return identity;
}

function stored(id: string, more: object = {}) {
  return { id, username: id, groups: [], source: "store", disabled: false, ...more };
}

function ofFile(id: string) {
  return { id, username: id, groups: [], source: "file", disabled: false };
}

Deno.test("The administration keeps identities beside those of the file", async (t) => {
  await using replicas = await startReplicas(await peopled());
  const { one } = replicas;
  const root = one.as("root");
  await t.step("makes one, whose user name is its id", async () => {
    const order = { username: "carol", password: "carol-password", groups: ["dev", "ops"] };
    const { status, value } = await root.send("POST", PATH, order);
    assertEquals([status, timeless(value)], [201, stored("carol", { groups: ["dev", "ops"] })]);
    const me = await one.as("carol").send("GET", "/admin/v1/me");
    assertEquals(me.status, 403);
  });
  await t.step("makes one with an id and a hash", async () => {
    const order = { id: "4711", username: "dave", password_hash: await cheapHash("dave-password") };
    const { status, value } = await root.send("POST", PATH, order);
    assertEquals([status, timeless(value)], [201, stored("4711", { username: "dave" })]);
    assertEquals(await one.as("dave").shown(), 403);
    assertEquals(await one.as("dave", "wrong-password").shown(), 401);
  });
  await t.step("shows one, of either kind", async () => {
    const found = await root.send("GET", identityPath("carol"));
    assertEquals(timeless(found.value), stored("carol", { groups: ["dev", "ops"] }));
    assertEquals((await root.send("GET", identityPath("ann"))).value, ofFile("ann"));
    assertEquals(errorOf(await root.send("GET", identityPath("nobody"))), [
      404,
      "Cannot find the identity: there is none with this id",
    ]);
  });
  await t.step("lists all in the order of their ids, page by page", async () => {
    const all = (await root.send("GET", PATH)).value.identities;
    const ids = ["4711", "ann", "bob", "carol", "root"];
    assertEquals(all.map(({ id }: { id: string }) => id), ids);
    assertEquals(all[1], ofFile("ann"));
    const pages = [];
    for (let last = "";;) {
      const { value } = await root.send("GET", `${PATH}?n=2${last && `&last=${last}`}`);
      pages.push(value.identities.map(({ id }: { id: string }) => id));
      last = value.next ?? "";
      if (last === "") break;
    }
    assertEquals(pages, [["4711", "ann"], ["bob", "carol"], ["root"]]);
  });
  await t.step("changes groups, and nothing else", async () => {
    const { status, value } = await root.send("PATCH", identityPath("carol"), { groups: ["ops"] });
    assertEquals([status, timeless(value)], [200, stored("carol", { groups: ["ops"] })]);
    assertEquals(await one.as("carol").shown(), 403);
    assertEquals((await root.send("PATCH", identityPath("carol"), {})).status, 200);
  });
  await t.step("deletes one, once", async () => {
    assertEquals((await root.send("DELETE", identityPath("carol"))).status, 204);
    assertEquals(await one.as("carol").shown(), 401);
    assertEquals((await root.send("DELETE", identityPath("carol"))).status, 404);
  });
});

Deno.test("Nobody signs in as an identity without a password, and its tokens are good", async () => {
  await using replicas = await startReplicas(await peopled());
  const { one } = replicas;
  const root = one.as("root");
  const { status, value } = await root.send("POST", PATH, { username: "bot" });
  assertEquals([status, "password_changed_at" in value], [201, false]);
  assertEquals(await one.as("bot", "").shown(), 401);
  const { value: { token } } = await root.send("POST", "/admin/v1/tokens", { name: "ci", owner: "bot" });
  assertEquals(await one.bearing(token).shown(), 403);
  assertEquals((await root.send("DELETE", identityPath("bot"))).status, 204);
  assertEquals(await one.bearing(token).shown(), 401);
});

/** All that somebody can show. */
async function credentialsOf({ as, bearing, nobody }: Replica, username: string) {
  const sender = as(username);
  const { value: { token, refresh_token } } = await sender.send("GET", "/token?offline_token=true");
  const personal = await sender.send("POST", "/admin/v1/me/tokens", { name: "laptop" });
  const laptop = bearing(personal.value.token);
  const bought = await laptop.send("GET", "/token");
  const refresh: Sender["shown"] = async () => {
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token });
    return (await nobody.send("POST", "/token", body)).status;
  };
  const shows = {
    password: sender.shown,
    token: bearing(token).shown,
    refresh,
    personal: laptop.shown,
    "token for the personal": bearing(bought.value.token).shown,
  };
  return async () => {
    const entries = Object.entries(shows).map(async ([kind, shown]) => [kind, await shown()] as const);
    return Object.fromEntries(await Promise.all(entries));
  };
}

const GOOD = { password: 200, token: 200, refresh: 200, personal: 200, "token for the personal": 200 };
const DEAD = { password: 401, token: 401, refresh: 401, personal: 401, "token for the personal": 401 };

Deno.test("Nothing that was got as somebody outlives", async (t) => {
  await using replicas = await startReplicas(
    `${await peopled()}[[binding]]\nrole = "pull"\ngroups = ["people"]\n`,
  );
  const { one } = replicas;
  const root = one.as("root");
  const order = { ...await orderOf("carol"), groups: ["people"] };
  const make = async () => assertEquals((await root.send("POST", PATH, order)).status, 201);
  const patch = async (change: object) =>
    assertEquals((await root.send("PATCH", identityPath("carol"), change)).status, 200);
  const remove = async () => assertEquals((await root.send("DELETE", identityPath("carol"))).status, 204);
  await make();

  await t.step("being disabled, not when it is enabled again either", async () => {
    const states = await credentialsOf(one, "carol");
    assertEquals(await states(), GOOD);
    await patch({ disabled: true });
    assertEquals(await states(), DEAD);
    await patch({ disabled: false });
    assertEquals(await states(), { ...DEAD, password: 200 });
  });
  await t.step("being deleted, not when somebody has the same id and the same password later", async () => {
    const states = await credentialsOf(one, "carol");
    await remove();
    assertEquals(await states(), DEAD);
    await make();
    assertEquals(await states(), { ...DEAD, password: 200 });
  });
  await t.step("a password that an administrator gives, be it the same", async () => {
    const states = await credentialsOf(one, "carol");
    await patch({ password: "carol-password" });
    assertEquals(await states(), { ...DEAD, password: 200 });
    const again = await credentialsOf(one, "carol");
    await patch({ password: "another-password" });
    assertEquals(await again(), DEAD);
    assertEquals(await one.as("carol", "another-password").shown(), 200);
    await patch({ password_hash: await cheapHash("carol-password") });
  });
  await t.step("and other changes end nothing", async () => {
    const states = await credentialsOf(one, "carol");
    await patch({ groups: ["people", "more"] });
    await patch({ disabled: false });
    assertEquals(await states(), GOOD);
  });
});

Deno.test("Who gets the id of somebody who is gone gets none of their tokens, though those were not cleared away", async () => {
  await using replicas = await startReplicas(
    `${await peopled()}[[binding]]\nrole = "pull"\ngroups = ["authenticated"]\n`,
  );
  const { one, store: { identities } } = replicas;
  const order = {
    id: "carol",
    username: "carol",
    passwordHash: await cheapHash("carol-password"),
    groups: [],
  };
  await identities.create(order);
  await msUntil(200, one.as("carol").shown);
  const states = await credentialsOf(one, "carol");
  assertEquals(await states(), GOOD);
  await identities.delete("carol");
  await identities.create(order);
  await msUntil(401, async () => (await states())["token"]);
  assertEquals(await states(), { ...DEAD, password: 200 });
});

Deno.test("One's own password", async (t) => {
  await using replicas = await startReplicas(
    `${await peopled()}[[binding]]\nrole = "pull"\ngroups = ["authenticated"]\n`,
  );
  const { one } = replicas;
  const { as, bearing, nobody } = one;
  const path = "/admin/v1/me/password";
  await as("root").send("POST", PATH, await orderOf("carol"));
  const carol = as("carol");
  const next = { old_password: "carol-password", new_password: "better-password" };
  const REFUSED: readonly (readonly [title: string, sender: Sender, value: object, answer: unknown])[] = [
    ["without the old one", carol, { ...next, old_password: "guessed-password" }, [
      403,
      "Cannot change the password: old_password is not right",
    ]],
    ["to one that is too short", carol, { ...next, new_password: "short" }, [
      400,
      "Cannot read the request: new_password: expected at least 8 characters",
    ]],
    ["by somebody of the file", as("ann"), { ...next, old_password: "ann-password" }, [
      409,
      "Cannot change the identity: it is written in the configuration",
    ]],
    ["with another's id", carol, { ...next, id: "ann" }, [
      400,
      'Cannot read the request: unknown member "id"',
    ]],
    ["by nobody", nobody, next, [401, "Cannot own-identity: authentication is required"]],
  ];
  for (const [title, sender, value, answer] of REFUSED) {
    await t.step(`is not changed ${title}`, async () => {
      assertEquals(errorOf(await sender.send("PUT", path, value)), answer);
    });
  }
  await t.step("is not changed with a token", async () => {
    const { value } = await carol.send("POST", "/admin/v1/me/tokens", { name: "laptop" });
    assertEquals(errorOf(await bearing(value.token).send("PUT", path, next)), [
      403,
      "Cannot change the password: sign in with it",
    ]);
  });
  await t.step("ends what was got with the one before, but not personal tokens", async () => {
    const states = await credentialsOf(one, "carol");
    assertEquals(await carol.send("PUT", path, next), { status: 204, value: undefined });
    assertEquals(await states(), { ...DEAD, personal: 200, "token for the personal": 200 });
    assertEquals(await as("carol", "better-password").shown(), 200);
  });
});

const HASH = { password_hash: `$2y$05$${"a".repeat(53)}` };
const CAROL = identityPath("carol");

/** What is said of a request that cannot be read. */
function read(message: string): unknown {
  return [400, `Cannot read the request: ${message}`];
}

const ORDERS: readonly (readonly [title: string, order: unknown, answer: unknown])[] = [
  ["the user name of somebody of the file", { id: "x", username: "ann", ...HASH }, [
    409,
    "Cannot make the identity: another one has the user name",
  ]],
  ["the id of somebody of the file", { id: "ann", username: "x", ...HASH }, [
    409,
    "Cannot make the identity: another one has the id",
  ]],
  ["a user name that is taken", { id: "x", username: "carol", ...HASH }, [
    409,
    "Cannot make the identity: another one has the user name",
  ]],
  ["an id that is taken", { id: "carol", username: "x", ...HASH }, [
    409,
    "Cannot make the identity: another one has the id",
  ]],
  [
    "members that nobody knows",
    { username: "x", ...HASH, is_admin: true },
    read('unknown member "is_admin"'),
  ],
  ["an incarnation", { username: "x", ...HASH, incarnation: "1" }, read('unknown member "incarnation"')],
  ["two passwords", { username: "x", password: "12345678", ...HASH }, [
    400,
    "Cannot read the request: password_hash: expected it or password, found both",
  ]],
  [
    "a short password",
    { username: "x", password: "1234567" },
    read("password: expected at least 8 characters"),
  ],
  ["a long password", { username: "x", password: "a".repeat(4_097) }, [
    400,
    "Cannot read the request: password: expected at most 4096 bytes",
  ]],
  ["a password with half a character", { username: "x", password: "pass\ud800word" }, [
    400,
    "Cannot read the request: password: it is not Unicode",
  ]],
  ["a password as its hash", { username: "x", password_hash: "hunter2hunter2" }, [
    400,
    "Cannot read the request: password_hash: expected an argon2id hash ($argon2id$v=19$…) or one of bcrypt ($2y$…)",
  ]],
  ["a hash that takes all memory", {
    username: "x",
    password_hash: `$argon2id$v=19$m=4194304,t=1,p=1$${"a".repeat(22)}$${"a".repeat(43)}`,
  }, read("password_hash: its memory (m) is more than 256 MiB")],
  ["a number as a user name", { username: 5, ...HASH }, read("username: it does not fit")],
  ["a user name with a colon", { username: "a:b", ...HASH }, read("username: it does not fit")],
  ["a user name with a line end", { username: "a\nb", ...HASH }, read("username: it does not fit")],
  ["no user name", { username: "", ...HASH }, read("username: it does not fit")],
  ["a user name with half a character", { username: "\udc00", ...HASH }, read("username: it does not fit")],
  ["a long user name", { username: "a".repeat(256), ...HASH }, read("username: it does not fit")],
  ["the id of a robot", { id: "robot:1", username: "x", ...HASH }, read("id: it does not fit")],
  ["an id with a NUL", { id: "a\0b", username: "x", ...HASH }, read("id: it does not fit")],
  ["a long id", { id: "é".repeat(61), username: "x", ...HASH }, read("id: expected at most 120 bytes")],
  ["an id that is no path", { id: "..", username: "x", ...HASH }, read("id: it does not fit")],
  ["groups that are none", { username: "x", groups: "admins", ...HASH }, read("groups: it does not fit")],
  ["too many groups", { username: "x", groups: Array(101).fill("g"), ...HASH }, [
    400,
    "Cannot read the request: groups: it does not fit",
  ]],
  ["a list", [], read("expected an object")],
];

const CHANGES: readonly (readonly [title: string, path: string, change: unknown, answer: unknown])[] = [
  ["to make somebody an administrator", CAROL, { is_admin: true }, read('unknown member "is_admin"')],
  ["to rename somebody", CAROL, { username: "dave" }, read('unknown member "username"')],
  ["null for what is to stay", CAROL, { disabled: null }, read("disabled: it does not fit")],
  ["to disable somebody of the file", identityPath("ann"), { disabled: true }, [
    409,
    "Cannot change the identity: it is written in the configuration",
  ]],
  ["to change nobody", identityPath("nobody"), { disabled: true }, [
    404,
    "Cannot find the identity: there is none with this id",
  ]],
];

Deno.test("The administration refuses", async (t) => {
  await using replicas = await startReplicas(await peopled());
  const { one } = replicas;
  const root = one.as("root");
  await root.send("POST", PATH, await orderOf("carol"));
  for (const [title, order, answer] of ORDERS) {
    await t.step(title, async () => assertEquals(errorOf(await root.send("POST", PATH, order)), answer));
  }
  for (const [title, path, change, answer] of CHANGES) {
    await t.step(title, async () => assertEquals(errorOf(await root.send("PATCH", path, change)), answer));
  }
  await t.step("to delete somebody of the file", async () => {
    assertEquals(errorOf(await root.send("DELETE", identityPath("ann"))), [
      409,
      "Cannot change the identity: it is written in the configuration",
    ]);
  });
  await t.step("bodies that are too large, no JSON or not UTF-8", async () => {
    const post = async (body: BodyInit, type?: string) => {
      const request = requestOf({ method: "POST", path: PATH, body, ...(type && { type }) }, basic("root"));
      return (await one.fetch(request)).status;
    };
    const large = JSON.stringify({ username: "x", ...HASH, groups: ["a".repeat(70_000)] });
    const latin = Uint8Array.from('{"username":"José","password":"12345678"}', (c) => c.charCodeAt(0));
    assertEquals([
      await post(large),
      await post("{"),
      await post(latin),
      await post('{"username":"a","username":"b","password":"12345678"}'),
      await post("{}", "text/plain"),
    ], [413, 400, 400, 400, 400]);
  });
  await t.step("and nothing of it is there afterwards", async () => {
    const { value } = await root.send("GET", PATH);
    const ids = value.identities.map(({ id, disabled }: Record<string, unknown>) => [id, disabled]);
    assertEquals(ids, ["ann", "bob", "carol", "root"].map((id) => [id, false]));
  });
});

Deno.test("Nobody disables or deletes themselves", async () => {
  await using replicas = await startReplicas(
    `${await peopled()}[[binding]]\nrole = "admin"\nusers = ["carol"]\n`,
  );
  const root = replicas.one.as("root");
  await root.send("POST", PATH, await orderOf("carol"));
  const carol = replicas.one.as("carol");
  assertEquals(errorOf(await carol.send("PATCH", identityPath("carol"), { disabled: true })), [
    409,
    "Cannot disable the identity: it is your own",
  ]);
  assertEquals(errorOf(await carol.send("DELETE", identityPath("carol"))), [
    409,
    "Cannot delete the identity: it is your own",
  ]);
  assertEquals(await carol.shown(), 200);
});

Deno.test("An identity may have any id that a path can carry", async (t) => {
  await using replicas = await startReplicas(await peopled());
  const { one } = replicas;
  const root = one.as("root");
  const hash = await cheapHash("a password");
  const ids = [
    "a/b",
    "a/../b",
    "../../etc/passwd",
    "$(reboot)",
    "`id`",
    "a b+c%20d",
    "%2e%2e",
    "José 🔑",
    "\\",
    "?#",
  ];
  for (const [index, id] of ids.entries()) {
    await t.step(JSON.stringify(id), async () => {
      const username = `$USER;${index}'"`;
      const order = { id, username, password_hash: hash };
      assertEquals((await root.send("POST", PATH, order)).status, 201);
      assertEquals(timeless((await root.send("GET", identityPath(id))).value), stored(id, { username }));
      assertEquals(await one.as(username, "a password").shown(), 403);
      assertEquals((await root.send("DELETE", identityPath(id))).status, 204);
      assertEquals(await one.as(username, "a password").shown(), 401);
    });
  }
  await t.step("and other paths are nobody's", async () => {
    const paths = ["%00", "a%0Ab", "%C2%85", "a".repeat(1_025), "a".repeat(3_000)];
    const statuses = await Promise.all(
      paths.map(async (path) => (await root.send("GET", `${PATH}/${path}`)).status),
    );
    assertEquals(statuses, paths.map(() => 404));
    // What a URL makes of it is another path, with an action of its own.
    assert((await root.send("DELETE", `${PATH}/%2e%2e`)).status >= 400);
  });
});

Deno.test("A personal token of another is nobody's under one's own path", async () => {
  await using replicas = await startReplicas(
    `${await peopled()}[[binding]]\nrole = "pull"\ngroups = ["authenticated"]\n`,
  );
  const { one } = replicas;
  await one.as("root").send("POST", PATH, await orderOf("carol"));
  const { value } = await one.as("carol").send("POST", "/admin/v1/me/tokens", { name: "laptop" });
  const path = `/admin/v1/me/tokens/${value.id}`;
  const ann = one.as("ann");
  assertEquals([
    (await ann.send("DELETE", path)).status,
    (await ann.send("POST", `${path}/rotate`)).status,
    (await ann.send("POST", "/admin/v1/me/tokens", { name: "x", owner: "carol" })).status,
    (await ann.send("GET", PATH)).status,
    (await ann.send("GET", identityPath("carol"))).status,
  ], [404, 404, 400, 403, 403]);
  assertEquals(await one.bearing(value.token).shown(), 200);
});
