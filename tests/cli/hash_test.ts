import {
  parsePasswordHash,
  passwordBytes,
  verifyPassword,
} from "../../plugins/auth/password/password_hash.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { openDesk } from "./scene.ts";

async function fits(text: string, password: string): Promise<boolean> {
  return await verifyPassword(parsePasswordHash(text), passwordBytes(password)!);
}

Deno.test("sregctl hash makes a hash for a file of the first line of its input, without a server", async () => {
  await using desk = await openDesk({});
  const { code, stdout, stderr } = await desk.run(["hash"], {}, "pässword $(id)\nanother line\n");
  assertEquals([code, stderr], [0, ""]);
  assert(stdout.endsWith("\n"));
  assert(await fits(stdout.trimEnd(), "pässword $(id)"));
  await Deno.writeTextFile(
    `${desk.folder}/sreg.toml`,
    `[identity.ann]\nusername = "ann"\npassword = ${JSON.stringify(stdout.trimEnd())}\n`,
  );
  const checked = await desk.run(["config", "check"]);
  assertEquals([checked.code, checked.stderr], [0, ""]);
});

Deno.test("sregctl hash --json prints a hash as JSON", async () => {
  await using desk = await openDesk({});
  const { code, stdout } = await desk.run(["hash", "--json"], {}, "password without a line end");
  const { password_hash, ...rest } = JSON.parse(stdout);
  assertEquals([code, rest], [0, {}]);
  assert(await fits(password_hash, "password without a line end"));
});

Deno.test("sregctl hash refuses", async (t) => {
  await using desk = await openDesk({});
  const refused: readonly (readonly [title: string, stdin: string, problem: string])[] = [
    ["nothing", "", "expected at least 8 characters"],
    ["a short password", "hunter2\n", "expected at least 8 characters"],
    ["a long one", "a".repeat(4_097), "expected at most 4096 bytes"],
    ["one with a NUL", "pass\0word", "it has a NUL in it"],
  ];
  for (const [title, stdin, problem] of refused) {
    await t.step(title, async () => {
      assertEquals(await desk.run(["hash"], {}, stdin), {
        code: 2,
        stdout: "",
        stderr: `sregctl: Cannot hash the password: ${problem}\n`,
      });
    });
  }
});
