import { assertEquals } from "../../../tests/support/assert.ts";
import { Breaker } from "./breaker.ts";

const LIMITS = { failures: 3, spanMs: 10_000, probeMs: 1_000 };

/** A breaker, and what it is told at which time. */
function openBreaker() {
  let nowMs = 0;
  const breaker = new Breaker(LIMITS, () => nowMs);
  const at = (ms: number) => {
    nowMs = ms;
    return breaker;
  };
  return { at };
}

Deno.test("a breaker opens after a run of failures that lasts, lets a probe through once in a while, and closes", () => {
  const { at } = openBreaker();
  for (const ms of [100_000, 105_000, 109_000]) at(ms).record("failure", ms - 10);
  assertEquals([at(109_000).admit(), at(109_989).admit()], [true, true]);
  assertEquals([at(109_990).admit(), at(110_900).admit(), at(110_990).admit()], [true, false, true]);
  at(111_000).record("success", 110_990);
  assertEquals([at(111_000).admit(), at(111_001).admit()], [true, true]);
});

Deno.test("a breaker stays closed where the store has just answered others, however long a failed try took", () => {
  const { at } = openBreaker();
  at(129_000).record("success", 128_990);
  at(130_000).record("failure", 100_000);
  for (const ms of [130_001, 130_002]) at(ms).record("failure", ms - 1);
  assertEquals([at(130_003).admit(), at(130_004).admit()], [true, true]);
  assertEquals([at(138_999).admit(), at(139_000).admit(), at(139_001).admit()], [true, true, false]);
});
