/** What somebody with a part of the rights, or none, tried on the administration, and did not get. */

import type { Auth } from "../../plugins/contract/auth.ts";
import { Directory } from "../../server/access/directory.ts";
import { maskValue } from "../../server/config/mod.ts";
import { basic, exchange, startScene } from "../access/scene.ts";
import { errorOf, msUntil, orderOf, peopled, type Replicas, startReplicas } from "../access/replicas.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { contentOf, descriptorOf, OCI_INDEX, OCI_MANIFEST } from "../support/client.ts";
import { identityTables } from "../support/identities.ts";
import { pushOwn } from "./content_scene.ts";

const HALF_ADMINS = `
[role.maker]
verbs = ["admin.create-identity"]
repositories = []
[[binding]]
role = "maker"
users = ["ann"]
`;

Deno.test("Nobody makes an identity that bindings take for another", async (t) => {
  const boss = (await identityTables(["boss"])).replace("[identity.boss]", "[identity.u-7]");
  await using replicas = await startReplicas(
    `${await peopled()}${boss}${HALF_ADMINS}[[binding]]\nrole = "admin"\nusers = ["boss", "u-7"]\n`,
  );
  const make = async (order: object) => {
    const { status, value } = await replicas.one.as("ann").send("POST", "/admin/v1/identities", order);
    return status === 201 ? [status, value.id] : errorOf({ status, value });
  };
  const taken = (what: string) => [409, `Cannot make the identity: another one has the ${what}`];
  await t.step("by an id that is a user name of the configuration", async () => {
    assertEquals(await make({ id: "boss", username: "x" }), taken("id"));
  });
  await t.step("by a user name that is an id of the configuration", async () => {
    assertEquals(await make({ id: "x", username: "u-7" }), taken("user name"));
  });
  await t.step("or of the store", async () => {
    assertEquals(await make({ id: "id-of-cleo", username: "cleo" }), [201, "id-of-cleo"]);
    assertEquals(await make({ id: "cleo", username: "x" }), taken("id"));
    assertEquals(await make({ id: "x", username: "id-of-cleo" }), taken("user name"));
    assertEquals(await make(await orderOf("dora")), [201, "dora"]);
  });
});

Deno.test("A deletion of a repository that may be meant as a trial is refused", async (t) => {
  await using scene = await startScene();
  const admin = scene.as("admin");
  const path = "/admin/v1/repositories/team/app";
  const malformed = [
    ["dry_run", "dry_run: expected true or false"],
    ["dry_run=", "dry_run: expected true or false"],
    ["dry_run=TRUE", "dry_run: expected true or false"],
    ["dry_run=1", "dry_run: expected true or false"],
    ["dry_run=true&dry_run=false", "dry_run: it is given twice"],
    ["dryrun=true", "the query: it has more than dry_run"],
    ["dry-run=true", "the query: it has more than dry_run"],
    ["DRY_RUN=true", "the query: it has more than dry_run"],
    ["dry_run=false&x", "the query: it has more than dry_run"],
  ] as const;
  await admin.pushImage("team/app", "v1");
  for (const [query, reason] of malformed) {
    await t.step(`?${query} is refused`, async () => {
      const { status, json } = await admin.send("DELETE", `${path}?${query}`);
      assertEquals([status, json().errors[0].message], [400, `Cannot read ${reason}`]);
    });
  }
  await t.step("and all is there still", async () => {
    assertEquals((await admin.get("/v2/team/app/manifests/v1")).status, 200);
  });
});

const OWNERS = '[[binding]]\nrole = "pull"\nusers = ["ann", "bob"]\n';
const MINE = "/admin/v1/me/tokens";

/** A token of the token service, got from the other replica with a personal token that was made at this one. */
async function getTwice({ one, other }: Replicas) {
  const personal = (await one.as("ann").send("POST", MINE, { name: "laptop" })).value;
  const path = "/token?scope=repository:team:pull";
  const { token } = (await other.bearing(personal.token).send("GET", path)).value;
  return { id: personal.id as string, token: token as string };
}

Deno.test("What was got with a personal token is worth nothing within two seconds of its end, at every replica", async (t) => {
  await using replicas = await startReplicas(await peopled() + OWNERS);
  const { one, other } = replicas;
  for (
    const [what, method, suffix] of [["revoked", "DELETE", ""], ["rotated", "POST", "/rotate"]] as const
  ) {
    await t.step(`as it is ${what}`, async () => {
      const { id, token } = await getTwice(replicas);
      assertEquals([await one.bearing(token).shown(), await other.bearing(token).shown()], [200, 200]);
      await one.as("ann").send(method, `${MINE}/${id}${suffix}`);
      assertEquals(await one.bearing(token).shown(), 401);
      const ms = await msUntil(401, () => other.bearing(token).shown());
      assert(ms < 2_000, `it took ${ms} ms`);
    });
  }
});

Deno.test("Who revokes their own tokens has nobody's password checked anew", async () => {
  await using replicas = await startReplicas(await peopled() + OWNERS);
  const { one } = replicas;
  const checks = async () => {
    const { value } = await one.as("root").send("GET", "/admin/v1/plugins/password");
    return value.methods.find(({ name }: { name: string }) => name === "authenticate").calls;
  };
  await Promise.all([one.as("root").shown(), one.as("ann").shown(), one.as("bob").shown()]);
  const before = await checks();
  for (let round = 0; round < 3; round++) {
    const { id } = (await one.as("ann").send("POST", MINE, { name: "laptop" })).value;
    assertEquals((await one.as("ann").send("DELETE", `${MINE}/${id}`)).status, 204);
    assertEquals(await one.as("bob").shown(), 200);
  }
  assertEquals(await checks(), before);
});

const LONGER_THAN_A_BODY_MS = 11_000;

Deno.test("Who is disabled has not kept a change back that is made later", async () => {
  await using scene = await startScene();
  const admin = scene.as("admin");
  const json = { "Content-Type": "application/json" };
  const send = async (method: string, path: string, value: object) =>
    (await admin.send(method, path, { headers: json, body: JSON.stringify(value) })).status;
  assertEquals(await send("POST", "/admin/v1/identities", await orderOf("mallory")), 201);
  assertEquals(await send("POST", "/admin/v1/bindings", { role: "admin", users: ["mallory"] }), 201);
  const { hostname, port } = new URL(scene.registry.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const write = (text: string) => connection.write(new TextEncoder().encode(text));
  const body = JSON.stringify({ role: "admin", users: ["mallory's friend"] });
  await write(
    `POST /admin/v1/bindings HTTP/1.1\r\nHost: x\r\nAuthorization: ${basic("mallory")}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`,
  );
  await write(body.slice(0, 12));
  await new Promise((resolve) => setTimeout(resolve, LONGER_THAN_A_BODY_MS));
  assertEquals(await send("PATCH", "/admin/v1/identities/mallory", { disabled: true }), 200);
  // The connection may be closed already.
  await write(body.slice(12)).catch(() => {});
  const buffer = new Uint8Array(1_024);
  const length = await connection.read(buffer);
  assertEquals(
    new TextDecoder().decode(buffer.subarray(0, length!)).split("\r\n")[0],
    "HTTP/1.1 408 Request Timeout",
  );
  const { bindings } = (await admin.get("/admin/v1/bindings")).json();
  assertEquals(bindings.filter(({ users }: { users: string[] }) => users.includes("mallory's friend")), []);
});

Deno.test("A list of tags reads no more than so much for the sizes of images, and ends its page there", async () => {
  await using scene = await startScene();
  const admin = scene.as("admin");
  const parts = await Promise.all([1, 2, 3, 4, 5].map((part) => {
    const changes = { annotations: { padding: `${part}`.repeat(3_500_000) } };
    return pushOwn(admin, "team/app", { text: `${part}`, changes });
  }));
  const manifests = parts.map(({ manifest }) => descriptorOf(manifest, OCI_MANIFEST));
  const expected = [];
  for (let number = 10; number < 30; number++) {
    const annotations = { number: `${number}` };
    const index = contentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests, annotations });
    await admin.putManifest("team/app", `v${number}`, index, OCI_INDEX);
    const size = parts.reduce((sum, part) => sum + part.size, index.bytes.byteLength);
    expected.push([`v${number}`, size]);
  }
  const page = async (query: string) => {
    const { tags, next } = (await admin.get(`/admin/v1/repositories/team/app/_tags${query}`)).json();
    return [tags.map(({ tag, size }: { tag: string; size: number }) => [tag, size]), next];
  };
  assertEquals(await page(""), [expected.slice(0, 16), "v25"]);
  assertEquals(await page("?last=v25"), [expected.slice(16), undefined]);
});

Deno.test("Nobody has the audit log forget by asking for what cannot be", async () => {
  await using replicas = await startReplicas(await peopled() + OWNERS);
  const { one } = replicas;
  for (let count = 0; count < 1_200; count++) {
    const token = `${count}`.padStart(20, "0");
    assertEquals((await one.as("ann").send("DELETE", `${MINE}/${token}`)).status, 404);
  }
  const { value } = await one.as("root").send("GET", "/admin/v1/audit?actor=ann&outcome=failed&n=1000");
  assertEquals([value.events.length, value.next], [1_000, undefined]);
});

Deno.test("New passwords are hashed one at a time, and few wait: whoever signs in needs the same thread", async () => {
  const release = Promise.withResolvers<void>();
  let [atOnce, most] = [0, 0];
  const auth = {
    async hashPassword(password: string) {
      most = Math.max(most, ++atOnce);
      await release.promise;
      atOnce--;
      return `hash of ${password}`;
    },
  } as unknown as Auth;
  const never = () => Promise.reject(new Error("nobody is asked"));
  const directory = new Directory({ auths: [auth], policies: [], askPasswords: never, askRoles: never });
  const hashing = Array.from({ length: 40 }, (_, index) => directory.hashPassword(`${index}`));
  const ends = Promise.allSettled(hashing);
  release.resolve();
  const outcomes = (await ends).map((end) => end.status === "fulfilled" ? end.value : end.reason.code);
  const hashed = Array.from({ length: 16 }, (_, index) => `hash of ${index}`);
  assertEquals([most, outcomes], [1, [...hashed, ...Array(24).fill("TOOMANYREQUESTS")]]);
  assertEquals(await directory.hashPassword("later"), "hash of later");
});

Deno.test("Nobody changes their own password again and again", async () => {
  await using replicas = await startReplicas(await peopled() + OWNERS);
  const { one } = replicas;
  assertEquals(
    (await one.as("root").send("POST", "/admin/v1/identities", await orderOf("cleo"))).status,
    201,
  );
  await one.as("root").send("POST", "/admin/v1/bindings", { role: "pull", users: ["cleo"] });
  const change = async (old_password: string, new_password: string) => {
    const value = { old_password, new_password };
    return (await one.as("cleo", old_password).send("PUT", "/admin/v1/me/password", value)).status;
  };
  const passwords = ["cleo-password", ...Array.from({ length: 6 }, (_, index) => `password ${index}`)];
  const statuses = [];
  for (const [index, password] of passwords.slice(1).entries()) {
    statuses.push(await change(passwords[index]!, password));
  }
  assertEquals(statuses, [204, 204, 204, 204, 204, 429]);
});

Deno.test("Nobody has more than a hundred tokens of their own making", async () => {
  await using replicas = await startReplicas(await peopled() + OWNERS);
  const ann = replicas.one.as("ann");
  const make = () => ann.send("POST", MINE, { name: "another" });
  for (let count = 0; count < 99; count++) assertEquals((await make()).status, 201);
  const { id } = (await make()).value;
  const tooMany = [409, "Cannot make a token: you have 100, take one back first"];
  assertEquals(errorOf(await make()), tooMany);
  assertEquals((await ann.send("DELETE", `${MINE}/${id}`)).status, 204);
  assertEquals((await make()).status, 201);
});

Deno.test("No page of another site has a browser administrate", async (t) => {
  await using scene = await startScene();
  const { host, url } = scene.registry;
  const reload = async (headers: Record<string, string>) =>
    (await scene.as("admin").send("POST", "/admin/v1/config/reload", { headers })).status;
  const cases: readonly [status: number, headers: Record<string, string>][] = [
    [403, { "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" }],
    [403, { "Sec-Fetch-Site": "same-site", Origin: `http://evil.${host}` }],
    [403, { Origin: "https://evil.example" }],
    [403, { Origin: "null" }],
    [200, { "Sec-Fetch-Site": "same-origin", Origin: url }],
    [200, { "Sec-Fetch-Site": "none" }],
    [200, { Origin: url }],
    [200, {}],
  ];
  for (const [status, headers] of cases) {
    await t.step(`${status} for ${JSON.stringify(headers).replaceAll(host, "<host>")}`, async () => {
      assertEquals(await reload(headers), status);
    });
  }
});

Deno.test("A path is no other one than it looks like to a proxy", async (t) => {
  await using scene = await startScene();
  const { host } = scene.registry;
  const statusOf = async (path: string) => {
    const head = `Host: ${host}\r\nAuthorization: ${basic("admin")}\r\nConnection: close`;
    return Number((await exchange(host, `GET ${path} HTTP/1.1\r\n${head}\r\n\r\n`)).split(" ")[1]);
  };
  const cases = {
    "/admin/v1/me": 200,
    "/admin/v1/me?x=/../": 200,
    "/v2/../admin/v1/me": 400,
    "/v2/%2e%2E/admin/v1/me": 400,
    "/v2/.%2e/admin/v1/me": 400,
    "/admin/./v1/me": 400,
    "/admin/v1/identities/..": 400,
    "/admin/v1\\me": 400,
    "/v2/..%2fadmin/v1/me": 404,
    "/v2//admin/v1/me": 404,
  };
  for (const [path, status] of Object.entries(cases)) {
    await t.step(`${path}: ${status}`, async () => assertEquals(await statusOf(path), status));
  }
});

Deno.test("Settings of plugins are not shown where they are called what secrets are called", () => {
  const names = ["api_key", "apiKey", "X-Api-Key", "access_key_id", "private_key", "signing_key", "hmac-key"];
  names.push(
    "authorization",
    "Cookie",
    "bearer",
    "passphrase",
    "password",
    "client_secret",
    "tokens",
    "auth-token",
  );
  const secrets = Object.fromEntries(names.map((name) => [name, "hidden"]));
  const shown = {
    server_private_key: "./tls/server.key",
    client_private_key: "./tls/client.key",
    secret_file: "./secret",
    token_service: "sreg",
    token_lifetime_ms: 300_000,
    challenges: ["bearer", "basic"],
    url: "https://example.com/",
  };
  const pem = "-----BEGIN EC PRIVATE KEY-----\nMHc=\n-----END EC PRIVATE KEY-----\n";
  const masked = Object.fromEntries(names.map((name) => [name, "***"]));
  assertEquals(maskValue({ ...shown, inner: [secrets], identity: pem }), {
    ...shown,
    inner: [masked],
    identity: "***",
  });
});

Deno.test("No robot's name or group breaks a line", async () => {
  await using replicas = await startReplicas(await peopled());
  const root = replicas.one.as("root");
  for (
    const order of [{ name: "ci\n{}" }, { name: "ci\u009b2J" }, { name: "\ud800" }, {
      name: "ci",
      groups: ["a\r"],
    }]
  ) {
    assertEquals((await root.send("POST", "/admin/v1/tokens", order)).status, 400);
  }
  assertEquals(
    (await root.send("POST", "/admin/v1/tokens", { name: "José 🔑", groups: ["ops"] })).status,
    201,
  );
});
