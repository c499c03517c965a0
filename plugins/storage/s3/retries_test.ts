import { assert, assertEquals } from "../../../tests/support/assert.ts";
import { Breaker } from "./breaker.ts";
import { StoreClock } from "./clock.ts";
import { Retries } from "./retries.ts";
import { Slots } from "./slots.ts";

Deno.test("a retry waits up to 50 ms, then twice as long each time, to 5 s", () => {
  const longest = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((tries) => {
    const retries = new Retries();
    return Math.max(...Array.from({ length: 100 }, () => retries.delay({ tries, leftMs: 60_000 })!));
  });
  for (const [index, delayMs] of longest.entries()) {
    const limit = Math.min(5_000, 50 * 2 ** index);
    assert(delayMs <= limit && delayMs > limit / 2, `try ${index + 1}: ${delayMs} ms`);
  }
});

Deno.test("a retry waits for the time that the store names, by seconds or by date", () => {
  const delay = (retryAfter: string) => new Retries().delay({ tries: 1, retryAfter, leftMs: 60_000 })!;
  assert(delay("7") === 7_000);
  const date = delay(new Date(Date.now() + 20_000).toUTCString());
  assert(date > 18_000 && date <= 20_000, `${date}`);
  for (const odd of ["soon", "-5", new Date(0).toUTCString()]) assert(delay(odd) <= 50, odd);
});

Deno.test("there is no retry after the request's time, and none without tokens", () => {
  assertEquals(new Retries().delay({ tries: 1, retryAfter: "2", leftMs: 1_999 }), undefined);
  assertEquals(new Retries().delay({ tries: 1, leftMs: -1 }), undefined);
  const retries = new Retries();
  const next = () => retries.delay({ tries: 1, leftMs: 60_000 });
  for (let count = 0; count < 100; count++) assert(next() !== undefined);
  assertEquals(next(), undefined);
  for (let count = 0; count < 5; count++) retries.succeed();
  assert(next() !== undefined);
  assertEquals(next(), undefined);
});

Deno.test("the breaker opens after a run of failures, lets a probe through each second, and closes on success", () => {
  let now = 100_000;
  const breaker = new Breaker({ failures: 3, spanMs: 10_000, probeMs: 1_000 }, () => now);
  const fail = () => breaker.record("failure", now);
  for (let count = 0; count < 100; count++) fail();
  assertEquals(breaker.admit(), true, "A moment is no run.");
  breaker.record("success", now);
  fail();
  now += 10_000;
  assertEquals(breaker.admit(), true, "One failure is none.");
  fail();
  fail();
  assertEquals([breaker.admit(), breaker.admit()], [true, false]);
  now += 999;
  assertEquals(breaker.admit(), false);
  now += 1;
  assertEquals([breaker.admit(), breaker.admit()], [true, false]);
  breaker.record("success", now);
  assertEquals([breaker.admit(), breaker.admit()], [true, true]);
});

Deno.test("the store's clock is ours while they are within 2 s, and is not learnt from slow answers", () => {
  const clock = new StoreClock();
  const observe = (aheadMs: number, wayMs = 10, refused = false) =>
    clock.observe(new Date(Date.now() + aheadMs).toUTCString(), { wayMs, refused });
  assertEquals([observe(1_000), observe(-1_000), clock.offsetMs], [false, false, 0]);
  assertEquals([observe(-9_000, 5_000), clock.offsetMs], [false, 0]);
  assertEquals([observe(-9_000), observe(-9_000)], [true, false]);
  assert(Math.abs(clock.offsetMs + 9_000) < 1_000, `${clock.offsetMs}`);
  assertEquals([observe(60_000, 5_000, true), observe(0), clock.offsetMs], [true, true, 0]);
  assertEquals([clock.observe(null, { wayMs: 1, refused: true }), clock.offsetMs], [false, 0]);
});

Deno.test("slots are given in the order in which they are asked for", async () => {
  const slots = new Slots(2);
  const begun: number[] = [];
  let underWay = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      slots.hold(async () => {
        begun.push(index);
        most = Math.max(most, ++underWay);
        await new Promise((resolve) => setTimeout(resolve, 20 - index));
        underWay--;
        if (index % 3 === 0) throw new Error("failed");
      }).catch(() => {})),
  );
  assertEquals([begun, most], [Array.from({ length: 20 }, (_, index) => index), 2]);
});
