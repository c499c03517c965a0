import { type Configured, startConfigured } from "../access/configured.ts";
import { clientsOf, identitiesOf, startScene } from "../access/scene.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import type { RegistryClient } from "../support/client.ts";

const ADMIN = `${await identitiesOf({ admin: "admin-password" })}
[[binding]]
role = "admin"
users = ["admin"]
`;

const SERVER = '[server]\nbind_address = "127.0.0.1"\nport = 0\n';

Deno.test("GET /admin/v1/me says whom the registry takes one for", async () => {
  await using scene = await startScene();
  const me = async (client: typeof scene.nobody) => (await client.get("/admin/v1/me")).json();
  const reader = { id: "reader", username: "reader", groups: [], anonymous: false };
  assertEquals(await me(scene.as("reader")), { ...reader, by: "password" });
  const order = { headers: { "Content-Type": "application/json" }, body: '{"name":"laptop"}' };
  const { token } = (await scene.as("reader").send("POST", "/admin/v1/me/tokens", order)).json();
  assertEquals(await me(scene.bearing(token)), { ...reader, by: "token" });
});

Deno.test("GET /admin/v1/plugins says what plugins may touch, and how they do", async (t) => {
  await using scene = await startScene();
  const admin = scene.as("admin");
  const { plugins } = (await admin.get("/admin/v1/plugins")).json();
  const facts = plugins.map((
    { name, kind, version, isolation, permissions, state, restarts }: Readonly<Record<string, unknown>>,
  ) => ({ name, kind, version, isolation, permissions, state, restarts }));
  const { dataDir } = scene.registry;
  const common = { version: "1.0.0", isolation: "worker", state: "running", restarts: 0 };
  const [storage, password, rbac] = facts;
  assertEquals(facts.length, 3);
  assertEquals(storage, {
    name: "fs",
    kind: "storage",
    permissions: { read: [dataDir], write: [dataDir] },
    ...common,
  });
  assertEquals([password.name, password.kind, Object.keys(password.permissions)], ["password", "auth", [
    "read",
  ]]);
  assertEquals(rbac, { name: "rbac", kind: "policy", permissions: {}, ...common });

  await t.step("calls are counted, by method", async () => {
    const read = async () => (await admin.get("/admin/v1/plugins/fs")).json();
    const putsOf = ({ methods }: { methods: { name: string; calls: number }[] }) =>
      methods.find(({ name }) => name === "put")?.calls ?? 0;
    const before = await read();
    await admin.pushImage("team/app", "v1");
    const after = await read();
    assert(putsOf(after) >= putsOf(before) + 2);
    const { p50, p99, max } = after.latency_ms;
    assert(0 < p50 && p50 <= p99 && p99 <= max, `${p50} ${p99} ${max}`);
    assertEquals([after.failures, after.calls > before.calls], [0, true]);
    assertEquals(after.options, { root_dir: dataDir });
  });
  await t.step("secrets of settings are not told", async () => {
    const { options } = (await admin.get("/admin/v1/plugins/password")).json();
    assertEquals(options.identities[0], { id: "reader", username: "reader", password: "***", groups: [] });
    const { text } = await admin.get("/admin/v1/config");
    assert(text.includes('"password":"***"') && !text.includes("$argon2id"));
  });
  await t.step("and one that there is none of is not found", async () => {
    assertEquals((await admin.get("/admin/v1/plugins/none")).status, 404);
    assertEquals((await admin.get("/admin/v1/plugins/fs?kind=auth")).status, 404);
  });
});

Deno.test("The configuration is shown, checked and taken over", async (t) => {
  const configure = () => `${SERVER}[storage.memory]\n[log]\nlevel = "info"\n${ADMIN}`;
  await using running = await startConfigured(configure);
  const admin = clientsOf(running.url).as("admin");
  const send = async (what: string) => (await admin.send("POST", `/admin/v1/config/${what}`)).json();
  const shown = async () => (await admin.get("/admin/v1/config")).json();

  await t.step("all that is in force, defaults too, with its files", async () => {
    const { files, config } = await shown();
    assertEquals(files, [running.file]);
    assertEquals(config.server, { bind_address: "127.0.0.1", port: 0, trusted_proxies: [] });
    assertEquals(config.uploads, { idle_timeout_ms: 86_400_000, open_max: 1_000, stall_timeout_ms: 60_000 });
    assertEquals(config.storage.plugin, "memory");
  });
  await t.step("good files are good", async () => {
    assertEquals(await send("check"), { ok: true, problems: [] });
  });
  const problem = {
    file: running.file,
    line: 6,
    column: 9,
    key: "log.level",
    message: 'expected one of "debug", "info", "warn", "error", found "loud"',
  };
  await t.step("what is wrong is told with its place, and changes nothing", async () => {
    await running.write(configure().replace('"info"', '"loud"'));
    assertEquals(await send("check"), { ok: false, problems: [problem] });
    assertEquals(await send("reload"), { reloaded: false, problems: [problem] });
    assertEquals((await shown()).config.log, { level: "info" });
    assertMatch(
      (await admin.get("/admin/v1/status")).json().config.last_error,
      /log\.level: expected one of/,
    );
  });
  await testReloads(t, { running, admin, configure });
});

interface Running {
  readonly running: Configured;
  readonly admin: RegistryClient;
  readonly configure: () => string;
}

async function testReloads(t: Deno.TestContext, { running, admin, configure }: Running): Promise<void> {
  const send = async (what: string) => (await admin.send("POST", `/admin/v1/config/${what}`)).json();
  const shown = async () => (await admin.get("/admin/v1/config")).json();
  await t.step("so is what only policies can tell", async () => {
    await running.write(`${configure()}[global.access_policy]\nrules = ["identity.nobody == 1"]\n`);
    const { ok, problems: [{ key, line, message }] } = await send("check");
    assertEquals([ok, key, line], [
      false,
      "global.access_policy.rules.0",
      configure().split("\n").length + 1,
    ]);
    assertMatch(message, /nobody/);
  });
  await t.step("and what only a restart can change", async () => {
    await running.write(configure().replace("port = 0", "port = 1"));
    const problems = [{ key: "server.port", message: "only a restart can change it" }];
    assertEquals(await send("check"), { ok: false, problems });
  });
  await t.step("good files are taken over, at once and for whoever asks", async () => {
    const before = await shown();
    await running.write(configure().replace('"info"', '"warn"'));
    assertEquals(await send("reload"), { reloaded: true, problems: [] });
    const after = await shown();
    assertEquals(after.config.log, { level: "warn" });
    assert(after.loaded_at > before.loaded_at);
    assertEquals((await admin.get("/admin/v1/status")).json().config, {
      files: [running.file],
      loaded_at: after.loaded_at,
    });
  });
}

Deno.test("GET /admin/v1/status says how the server does", async () => {
  await using scene = await startScene();
  const admin = scene.as("admin");
  await admin.pushImage("team/app", "v1");
  await admin.pushImage("public/app", "v1");
  const { version, started_at, uptime_s, ...status } = (await admin.get("/admin/v1/status")).json();
  assertMatch(version, /^\d+\.\d+\.\d+$/);
  assert(Math.abs(Date.parse(started_at) + uptime_s * 1_000 - Date.now()) < 10_000);
  assertEquals({ ...status, config: Object.keys(status.config) }, {
    deno: Deno.version.deno,
    listen: [scene.registry.url],
    storage: { plugin: "fs", reachable: true },
    repositories: 2,
    config: ["files", "loaded_at"],
  });
});
