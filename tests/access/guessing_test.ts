import { assert, assertEquals } from "../support/assert.ts";
import type { Answer } from "../support/client.ts";
import { startRegistry } from "../support/registry.ts";
import { basic, identitiesOf, type Scene, sceneOf, startScene } from "./scene.ts";

const FAILURES_MAX = 10;
const ADDRESS_FAILURES_MAX = 100;

const IDENTITIES = await identitiesOf({ reader: "reader-password", writer: "writer-password" });

/** Shows a password from an address. */
function show(scene: Scene, forwarded: string, username: string, password?: string): Promise<Answer> {
  const headers = { "Authorization": basic(username, password), "X-Forwarded-For": forwarded };
  return scene.nobody.get("/v2/", headers);
}

async function guess(
  scene: Scene,
  forwarded: (at: number) => string,
  username: (at: number) => string,
  count: number,
) {
  const guesses = Array.from(
    { length: count },
    (_, at) => show(scene, forwarded(at), username(at), `guess ${at}`),
  );
  assertEquals((await Promise.all(guesses)).map(({ status }) => status), guesses.map(() => 401));
}

function assertHeldBack({ status, headers, json }: Answer): void {
  const message = "The credentials are not looked at: too many before were wrong";
  assertEquals([status, json()], [429, { errors: [{ code: "TOOMANYREQUESTS", message }] }]);
  const seconds = Number(headers.get("Retry-After"));
  assert(seconds >= 1 && seconds <= 60, `${seconds}`);
  assertEquals(headers.get("WWW-Authenticate"), null);
}

Deno.test("Who guesses a password", async (t) => {
  await using scene = await startScene();
  await t.step("waits longer for each answer", async () => {
    const waits: number[] = [];
    for (const password of ["a", "b", "c"]) {
      const started = performance.now();
      assertEquals((await show(scene, "10.0.0.1", "reader", password)).status, 401);
      waits.push(performance.now() - started);
    }
    assertEquals(waits.map((wait, at) => wait >= 100 * 2 ** at - 5), [true, true, true], `${waits}`);
  });
  await t.step("waits as long for a name that there is not", async () => {
    const started = performance.now();
    assertEquals((await show(scene, "10.0.0.1", "stranger", "a")).status, 401);
    assert(performance.now() - started >= 95);
  });
  await t.step(`is not looked at after ${FAILURES_MAX} failures, though the password be right`, async () => {
    await Promise.all([
      guess(scene, () => "10.0.0.2", () => "reader", FAILURES_MAX),
      guess(scene, (at) => `192.0.2.${at}, 10.0.2.1, 127.0.0.1`, () => "reader", FAILURES_MAX),
    ]);
    assertHeldBack(await show(scene, "10.0.0.2", "reader"));
    assertHeldBack(
      await scene.nobody.send("POST", "/token", {
        headers: { "X-Forwarded-For": "10.0.0.2" },
        body: new URLSearchParams({
          grant_type: "password",
          username: "reader",
          password: "reader-password",
        }),
      }),
    );
  });
  await t.step("and makes up addresses is known by the last that a trusted proxy has seen", async () => {
    assertHeldBack(await show(scene, "198.51.100.1, 10.0.2.1", "reader"));
    assertEquals((await show(scene, "10.0.2.1, 198.51.100.1", "reader")).status, 200);
  });
  await t.step("locks nobody else out: neither the same name elsewhere, nor another name there", async () => {
    const others = [await show(scene, "10.0.0.3", "reader"), await show(scene, "10.0.0.2", "writer")];
    assertEquals(others.map(({ status }) => status), [200, 200]);
  });
  await t.step("does not lock out who holds a token", async () => {
    const { token } = (await scene.as("reader").get("/token?scope=repository:team/app:pull")).json();
    const headers = { "Authorization": `Bearer ${token}`, "X-Forwarded-For": "10.0.0.2" };
    assertEquals((await scene.nobody.get("/v2/", headers)).status, 200);
  });
});

Deno.test(`Who guesses names too is not looked at after ${ADDRESS_FAILURES_MAX} failures`, async () => {
  await using scene = await startScene();
  // In parts, as only so many are checked at once.
  for (let part = 0; part < 4; part++) {
    await guess(scene, () => "10.0.1.1", (at) => `name-${part}-${at}`, ADDRESS_FAILURES_MAX / 4);
  }
  assertHeldBack(await show(scene, "10.0.1.1", "reader"));
  assertEquals((await show(scene, "10.0.1.2", "reader")).status, 200);
});

Deno.test("Who makes up addresses without a trusted proxy is known by the connection", async () => {
  await using scene = sceneOf(await startRegistry({ config: IDENTITIES }));
  await guess(scene, (at) => `192.0.2.${at}`, () => "reader", FAILURES_MAX);
  assertHeldBack(await show(scene, "198.51.100.1", "reader"));
});
