import { assert, assertEquals } from "../support/assert.ts";
import type { Answer } from "../support/client.ts";
import { startRegistry } from "../support/registry.ts";
import { basic, exchange, identitiesOf, PROXIED, type Scene, sceneOf } from "./scene.ts";

/** Passwords of identities, by user name. */
const PASSWORDS = {
  "reader": "with:colons::in:it:",
  "writer": ":a password that begins with a colon",
  "other": 'pässwörd 🐙 \u0001 with "quotes" and \\ and %41 and +',
  "robot": "x".repeat(4_000),
  "blank": " ",
};

const ROOT_PASSWORD = "the root's own password, which ps must not show";

const NOT_ACCEPTED = { errors: [{ code: "UNAUTHORIZED", message: "The credentials are not accepted" }] };

const folder = await Deno.makeTempDir({ prefix: "sreg-secrets-" });
const scene = await start();
Deno.test.afterAll(async () => {
  await scene.registry.stop();
  await Deno.remove(folder, { recursive: true });
});

/** All that nobody else may see, and all answers that they could be seen in. */
const secrets = new Set<string>([...Object.values(PASSWORDS), ROOT_PASSWORD]);
const answers: Answer[] = [];
let addresses = 0;

async function start(): Promise<Scene> {
  const file = `${folder}/password`;
  await Deno.writeTextFile(file, `${ROOT_PASSWORD}\nanother line\n`);
  return sceneOf(
    await startRegistry({
      config: `${PROXIED}${await identitiesOf(
        PASSWORDS,
      )}\n[[binding]]\nrole = "pull"\ngroups = ["authenticated"]\n`,
      args: ["--verbose", "--admin-name", "root", "--admin-password-file", file],
    }),
  );
}

async function keep(asked: Promise<Answer>): Promise<Answer> {
  const answer = await asked;
  answers.push(answer);
  return answer;
}

/** Shows a credential, from an address of its own, so that no failure counts against another. */
function show(authorization: string): Promise<Answer> {
  secrets.add(authorization).add(authorization.slice(authorization.indexOf(" ") + 1));
  const headers = { "Authorization": authorization, "X-Forwarded-For": `10.0.0.${++addresses}` };
  return keep(scene.nobody.get("/v2/", headers));
}

/** The secrets that are found somewhere; those too short to be told from other text are not looked for. */
function foundSecrets(isFound: (secret: string) => boolean): string[] {
  return [...secrets].filter((secret) => secret.length >= 8 && isFound(secret)).map((secret) =>
    secret.slice(0, 60)
  );
}

Deno.test("Passwords of every kind are good, as Basic and for tokens", async () => {
  for (const [username, password] of [...Object.entries(PASSWORDS), ["root", ROOT_PASSWORD] as const]) {
    assertEquals([username, (await show(basic(username, password))).status], [username, 200]);
    const form = { grant_type: "password", username, password, access_type: "offline" };
    const answer = await scene.nobody.send("POST", "/token", { body: new URLSearchParams(form) });
    assertEquals(answer.status, 200);
    secrets.add(answer.json().access_token).add(answer.json().refresh_token);
  }
});

Deno.test("Passwords that are nearly right are not", async () => {
  const { reader, other, robot } = PASSWORDS;
  const wrong: [username: string, password: string][] = [
    ...[reader.slice(0, -1), `${reader}:`, reader.replace("::", ":"), "with", "", `${reader}\0`].map(
      (password): [string, string] => ["reader", password],
    ),
    ...[other.normalize("NFD"), other.toUpperCase(), decodeURIComponent(other)].map(
      (password): [string, string] => ["other", password],
    ),
    ["robot", robot.slice(1)],
    ["root", "another line"],
  ];
  const statuses = await Promise.all(wrong.map(async (pair) => (await show(basic(...pair))).status));
  assertEquals(statuses, wrong.map(() => 401));
});

Deno.test("Credentials that cannot be read are refused alike", async () => {
  const bytes = (...values: number[]) => `Basic ${Uint8Array.from(values).toBase64()}`;
  const headers = [
    bytes(0x72, 0x3a, 0xff, 0xfe),
    bytes(0xff, 0x3a, 0x61),
    bytes(0x72, 0x3a, 0xc0, 0xaf),
    "Basic not-base64-but-secret!",
    "Basic c2VjcmV0LW5vLWNvbG9u",
    "Basic",
    "Bearer",
    "Bearer a secret with spaces",
    "Digest username=secret-digest",
    "Bearer not.a-jwt.but-secret",
    `Bearer sreg_${"0".repeat(20)}_${"5ec7e7".repeat(10)}5ec7`,
    `Basic ${btoa(`reader:${"l".repeat(30_000)}`)}`,
  ];
  for (const header of headers) {
    const answer = await show(header);
    assertEquals([header.slice(0, 40), answer.status, answer.json()], [
      header.slice(0, 40),
      401,
      NOT_ACCEPTED,
    ]);
  }
});

Deno.test("A password of a megabyte is not read at all", async () => {
  const megabyte = "m".repeat(2 ** 20);
  const { host } = scene.registry;
  const head = `GET /v2/ HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${basic("reader", megabyte)}\r\n\r\n`;
  assert((await exchange(host, head)).startsWith("HTTP/1.1 400 Bad Request\r\n"));
  const body = new URLSearchParams({ grant_type: "password", username: "reader", password: megabyte });
  assertEquals((await keep(scene.nobody.send("POST", "/token", { body }))).status, 413);
  assertEquals((await show(basic("reader", PASSWORDS.reader))).status, 200);
});

Deno.test("A token of one's own is shown once", async () => {
  const client = scene.as("reader", PASSWORDS.reader);
  const path = "/admin/v1/me/tokens";
  const order = { headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name: "laptop" }) };
  const created = (await client.send("POST", path, order)).json();
  const rotated = (await client.send("POST", `${path}/${created.id}/rotate`)).json();
  const credentials = [`Bearer ${created.token}`, `Bearer ${rotated.token}`, basic("anybody", rotated.token)];
  const shown = [];
  for (const credential of credentials) shown.push((await show(credential)).status);
  assertEquals(shown, [401, 200, 200]);
  secrets.add(created.token).add(rotated.token).add(rotated.token.split("_")[2]);
  assertEquals((await keep(client.get(path))).json().tokens.map(({ id }: { id: string }) => id), [
    created.id,
  ]);
});

Deno.test("No secret stands", async (t) => {
  await t.step("in an answer", () => {
    assertEquals(foundSecrets((secret) => answers.some((answer) => leaks(answer, secret))), []);
  });
  await t.step("in a command line", async () => {
    const lines = await commandLinesOf(scene.registry.pid);
    assert(lines[0]!.includes("--admin-password-file"));
    assertEquals(foundSecrets((secret) => lines.some((line) => line.includes(secret))), []);
  });
  await t.step("in the store", async () => {
    const text = await textOf(scene.registry.dataDir);
    assert(text.includes('"secretHash"'));
    assertEquals(foundSecrets((secret) => text.includes(secret)), []);
  });
  await t.step("in the log, at its most talkative", async () => {
    await scene.registry.stop();
    const log = scene.registry.log();
    assert(log.includes('"Refused a credential"') && log.includes('"level":"debug"'));
    // As they are, and as they were before JSON escaped them.
    const values = log.trimEnd().split("\n").flatMap((line) => Object.values(JSON.parse(line)));
    const text = [log, ...values].join("\n");
    assertEquals(foundSecrets((secret) => text.includes(secret)), []);
  });
});

function leaks({ text, headers }: Answer, secret: string): boolean {
  return text.includes(secret) || [...headers].some(([, value]) => value.includes(secret));
}

/** The command lines of a process and of those that it started. */
async function commandLinesOf(pid: number): Promise<string[]> {
  const children = (await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`)).split(" ").filter(Boolean);
  const below = await Promise.all(children.map((child) => commandLinesOf(Number(child))));
  return [await Deno.readTextFile(`/proc/${pid}/cmdline`), ...below.flat()];
}

/** All that the files below a folder hold. */
async function textOf(folder: string): Promise<string> {
  const texts: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    texts.push(
      isDirectory ? await textOf(`${folder}/${name}`) : await Deno.readTextFile(`${folder}/${name}`),
    );
  }
  return texts.join("\n");
}
