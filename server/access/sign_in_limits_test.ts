import { create } from "../../plugins/cache/memory/memory.ts";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import { SignInLimits } from "./sign_in_limits.ts";

const LIMITS = { failuresMax: 3, addressFailuresMax: 6, windowMs: 60_000, delayMs: 100, delayMaxMs: 400 };
const ALICE = { username: "alice", address: "10.0.0.1" };
const BOB = { username: "bob", address: "10.0.0.1" };
const ELSEWHERE = { username: "alice", address: "10.0.0.2" };

async function together(): Promise<readonly [one: SignInLimits, other: SignInLimits]> {
  const cache = await create({ size: 1_000_000 });
  return [new SignInLimits(cache, LIMITS), new SignInLimits(cache, LIMITS)];
}

Deno.test("SignInLimits counts the failures of a name from an address at all servers together", async () => {
  const [one, other] = await together();
  assertEquals(await one.begin(ALICE), { delayMs: 100 });
  assertEquals(await one.begin(ALICE), { delayMs: 200 });
  assertEquals(await other.begin(ALICE), { delayMs: 100 });
  for (const server of [one, other]) assertEquals(await server.begin(ALICE), { waitMs: 60_000 });
  assertEquals(await other.begin(BOB), { delayMs: 100 });
  assertEquals(await other.begin(ELSEWHERE), { delayMs: 100 });
});

Deno.test("SignInLimits counts the failures of an address at all servers together", async () => {
  const [one, other] = await together();
  for (let at = 0; at < 6; at++) {
    assert("delayMs" in await (at % 2 ? one : other).begin({ username: `name${at}`, address: "10.0.0.1" }));
  }
  for (const server of [one, other]) assertEquals(await server.begin(BOB), { waitMs: 60_000 });
  assertEquals(await one.begin(ELSEWHERE), { delayMs: 100 });
});

Deno.test("SignInLimits stops no more of many attempts at once than it would one after the other", async () => {
  const [one, other] = await together();
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, at) => (at % 2 ? one : other).begin(ALICE)),
  );
  const looked = answers.filter((answer) => answer.delayMs !== undefined).length;
  assert(looked >= 1 && looked <= LIMITS.failuresMax, String(looked));
});

Deno.test("SignInLimits forgets at all servers what a name failed with, once it has succeeded", async () => {
  const [one, other] = await together();
  for (let at = 0; at < 3; at++) await one.begin(ALICE);
  await one.succeed(ALICE);
  for (let at = 0; at < 3; at++) assert("delayMs" in await other.begin(ALICE));
});

Deno.test("SignInLimits does not count what nobody could look at", async () => {
  const [one, other] = await together();
  for (let at = 0; at < 10; at++) {
    assertEquals(await one.begin(ALICE), { delayMs: 100 });
    await one.takeBack(ALICE);
  }
  assertEquals(await other.begin(ALICE), { delayMs: 100 });
});

Deno.test("SignInLimits holds what it has counted itself where the cache counts nothing", async () => {
  const cache = await create({ size: 0 });
  for (const limits of [new SignInLimits(undefined, LIMITS), new SignInLimits(cache, LIMITS)]) {
    for (let at = 0; at < 3; at++) assert("delayMs" in await limits.begin(ALICE));
    const { waitMs = 0 } = await limits.begin(ALICE);
    assert(waitMs > 0 && waitMs <= 60_000);
  }
});
