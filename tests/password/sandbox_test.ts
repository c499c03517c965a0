import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { runCommand } from "../support/command.ts";
import { ROOT } from "../support/registry.ts";
import { hasProgram } from "../support/programs.ts";
import { hashArgon2id, hashBcrypt } from "./hashes.ts";
import { startPassword } from "./scene.ts";

const MIB = 1024 * 1024;
const REFUSED = { outcome: "refused", reason: "wrong password" };
const FOREIGN = { outcome: "foreign" };

function known(id: string, username: string, groups: readonly string[] = []) {
  const claims = Object.create(null);
  return {
    outcome: "known",
    identity: { id, username, groups, claims, provider: null },
    cacheForMs: 300_000,
  };
}

async function identity(id: string, { username = id, password = "secret", groups = ["team"] } = {}) {
  return { id, username, password: await hashArgon2id(password), groups };
}

async function writeFile(text: string) {
  const path = await Deno.makeTempFile({ prefix: "sreg-htpasswd-" });
  await Deno.writeTextFile(path, text);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

Deno.test("the password plugin knows a configured identity by its password alone", async () => {
  await using scene = await startPassword({ identities: [await identity("a1", { username: "ann" })] });
  assertEquals(await scene.signIn("ann", "secret"), known("a1", "ann", ["team"]));
  for (const wrong of ["Secret", "secret ", "", "secret\0", "secret\0more", "s".repeat(1024 * 1024)]) {
    assertEquals(await scene.signIn("ann", wrong), REFUSED, JSON.stringify(wrong.slice(0, 20)));
  }
  for (const unknown of ["a1", "Ann", "", "__proto__", "x".repeat(100_000)]) {
    assertEquals(await scene.signIn(unknown, "secret"), FOREIGN, unknown.slice(0, 20));
  }
});

Deno.test("the password plugin takes a name and a password of any characters", async () => {
  const pairs = [["José", "pässwörd"], ["密", "\u{1F511}:\u{1F512}"], ["a b", "::"]] as const;
  const identities = await Promise.all(
    pairs.map(([username, password], index) => identity(`id${index}`, { username, password })),
  );
  await using scene = await startPassword({ identities });
  for (const [index, [username, password]] of pairs.entries()) {
    assertEquals(await scene.signIn(username, password), known(`id${index}`, username, ["team"]));
    assertEquals(await scene.signIn(username, password.slice(0, -1)), REFUSED);
  }
});

Deno.test("the password plugin leaves every credential but user names and passwords to others", async () => {
  await using scene = await startPassword({ identities: [await identity("ann")] });
  for (const credential of [{ scheme: "none" }, { scheme: "bearer", token: "secret" }] as const) {
    const question = { credential, certificate: null, clientAddress: "192.0.2.1" };
    assertEquals(await scene.auth.authenticate(question), FOREIGN);
  }
});

Deno.test("the password plugin without any identity leaves everybody to others", async () => {
  await using scene = await startPassword({});
  assertEquals(await scene.signIn("ann", "secret"), FOREIGN);
});

Deno.test({
  name: "the password plugin reads what htpasswd writes",
  ignore: !hasProgram("htpasswd"),
  fn: async () => {
    await using file = await writeFile("# made by hand\n");
    const users = [["ann", "secret"], ["bob", "with:colon"], ["zoë", "pässwörd"], ["long", "a".repeat(80)]];
    for (const [name = "", password = ""] of users) {
      await runCommand("htpasswd", ["-bB", "-C", "5", file.path, name, password]);
    }
    await Deno.writeTextFile(file.path, `argon:${await hashArgon2id("secret")}\r\n`, { append: true });
    await using scene = await startPassword({ htpasswd_file: file.path });
    for (const [name = "", password = ""] of [...users, ["argon", "secret"]]) {
      assertEquals(await scene.signIn(name, password), known(`htpasswd:${name}`, name), name);
      assertEquals(await scene.signIn(name, `x${password}`), REFUSED, name);
    }
    assertEquals(await scene.signIn("eve", "secret"), FOREIGN);
  },
});

Deno.test({
  name: "the password plugin does not start on what else htpasswd can write, by the line",
  ignore: !hasProgram("htpasswd"),
  fn: async () => {
    for (const flag of ["-bm", "-bs", "-bd", "-bp", "-b2", "-b5"]) {
      await using file = await writeFile("");
      await runCommand("htpasswd", ["-bB", file.path, "ann", "secret"]);
      await runCommand("htpasswd", [flag, file.path, "bob", "hunter2"]);
      await assertRejects(startPassword({ htpasswd_file: file.path }), (error: Error) => {
        const expected =
          `Cannot start auth plugin "password": Error: line 2 of ${file.path} has a password ` +
          "that cannot be used: expected an argon2id hash";
        assert(error.message.includes(expected), error.message);
        assert(!error.message.includes("hunter2"));
        return true;
      });
    }
  },
});

Deno.test("the password plugin does not start where it cannot tell identities apart, and says which", async () => {
  await using file = await writeFile(`ann:${await hashBcrypt("secret")}\nann:${await hashBcrypt("other")}\n`);
  const identities = [await identity("a1", { username: "ann" })];
  await assertRejects(startPassword({ identities, htpasswd_file: file.path }), {
    message:
      'Cannot start auth plugin "password": Error: Cannot tell identities apart: the user name "ann" is that ' +
      `of identity.a1 and line 1 of ${file.path} and line 2 of ${file.path}`,
  });
});

Deno.test("the password plugin does not start on a hash out of bounds, and says whose", async () => {
  const password = (await hashArgon2id("secret")).replace("m=64", "m=1048576");
  await assertRejects(startPassword({ identities: [{ ...await identity("ann"), password }] }), {
    message: /identity\.ann has a password that cannot be used: its memory \(m\) is more than 256 MiB$/,
  });
  await assertRejects(startPassword({ identities: [{ id: "ann" }] }), {
    message: /identities\[0\]: expected texts for id, username and password, and a list of texts for groups$/,
  });
});

Deno.test("the password plugin does not start without its htpasswd file, and says which", async () => {
  await assertRejects(startPassword({ htpasswd_file: "/nowhere/htpasswd" }), {
    message: /^Cannot start auth plugin "password": .*\/nowhere\/htpasswd/,
  });
});

Deno.test("the password plugin follows the identities of the store", async () => {
  await using scene = await startPassword({ identities: [await identity("ann")] });
  const stored = async (id: string, password: string) => ({
    id,
    username: id,
    passwordHash: await hashArgon2id(password),
    groups: ["robots"],
  });
  const replace = scene.auth.replaceIdentities!;
  await replace([await stored("bob", "secret"), await stored("eve", "secret")]);
  assertEquals(await scene.signIn("bob", "secret"), known("bob", "bob", ["robots"]));
  const generation = (await scene.auth.recall!("bob"))?.generation;
  await replace([await stored("bob", "changed")]);
  assertEquals(await scene.signIn("bob", "secret"), REFUSED);
  assertEquals(await scene.signIn("bob", "changed"), known("bob", "bob", ["robots"]));
  assertEquals(await scene.signIn("eve", "secret"), FOREIGN);
  assert((await scene.auth.recall!("bob"))?.generation !== generation);
  assertEquals(await scene.auth.recall!("eve"), null);
  await assertRejects(replace([await stored("ann", "other"), await stored("eve", "secret")]), {
    code: "failed",
    message: /the user name "ann" is that of identity\.ann and the stored identity "ann"/,
  });
  assertEquals(await scene.signIn("ann", "secret"), known("ann", "ann", ["team"]));
  assertEquals(await scene.signIn("eve", "secret"), known("eve", "eve", ["robots"]));
});

Deno.test("the password plugin refuses a password that was changed while its check waited", async () => {
  const bob = { id: "bob", username: "bob", passwordHash: await hashArgon2id("secret"), groups: [] };
  await using scene = await startPassword({});
  await scene.auth.replaceIdentities!([bob]);
  const answer = scene.signIn("bob", "secret");
  await scene.auth.replaceIdentities!([{ ...bob, passwordHash: await hashArgon2id("changed") }]);
  assertEquals(await answer, REFUSED);
});

Deno.test("the password plugin lets 64 wait, tells the others that it is busy, and goes on", async () => {
  const hash = await hashArgon2id("secret", { memoryKib: 8_192, passes: 2 });
  await using scene = await startPassword({ identities: [{ id: "ann", username: "ann", password: hash }] });
  const answers = await Promise.allSettled(Array.from({ length: 80 }, () => scene.signIn("ann", "wrong")));
  const busy = answers.flatMap((answer) => answer.status === "rejected" ? [answer.reason] : []);
  const refused = answers.flatMap((answer) => answer.status === "fulfilled" ? [answer.value] : []);
  assert(busy.length >= 10 && refused.length >= 64, `${busy.length} busy, ${refused.length} refused`);
  for (const error of busy) {
    assertEquals([error.code, error.message], ["unavailable", "Cannot check a password: 64 others wait"]);
  }
  for (const answer of refused) assertEquals(answer, REFUSED);
  assertEquals(await scene.signIn("ann", "secret"), known("ann", "ann"));
});

Deno.test("the password plugin takes as long for an unknown user as for a wrong password", async () => {
  const password = await hashArgon2id("secret", { memoryKib: 19_456, passes: 2 });
  await using scene = await startPassword({ identities: [{ id: "ann", username: "ann", password }] });
  const time = async (username: string) => {
    const startMs = performance.now();
    await scene.signIn(username, "wrong");
    return performance.now() - startMs;
  };
  const times: { wrong: number; unknown: number }[] = [];
  for (let i = 0; i < 15; i++) times.push({ wrong: await time("ann"), unknown: await time(`nobody${i}`) });
  const wrongMs = median(times.map(({ wrong }) => wrong));
  const unknownMs = median(times.map(({ unknown }) => unknown));
  // Without a hash to check against, an unknown user would take a hundredth.
  assert(unknownMs > wrongMs / 2 && unknownMs < wrongMs * 2, `${unknownMs} ms, ${wrongMs} ms`);
});

Deno.test("the password plugin checks 200 passwords with argon2id in memory that does not grow", async () => {
  const script = `${ROOT}tests/password/verify_many.ts`;
  const answer = await runCommand(Deno.execPath(), ["run", "--no-prompt", "-A", script, "200"]);
  const { firstBytes, peakBytes } = JSON.parse(answer);
  assert(peakBytes > 0);
  assert(peakBytes - firstBytes < 64 * MIB, `${firstBytes / MIB} MiB grew to ${peakBytes / MIB} MiB`);
});

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}
