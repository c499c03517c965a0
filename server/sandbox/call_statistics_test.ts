import { assert, assertEquals } from "../../tests/support/assert.ts";
import { CallStatistics } from "./call_statistics.ts";

Deno.test("CallStatistics counts calls and failures by method", () => {
  const statistics = new CallStatistics();
  for (const [method, ms, failed] of [["put", 4, false], ["get", 1, false], ["put", 2, true]] as const) {
    statistics.record(method, ms, failed);
  }
  const facts = statistics.methods().map(({ name, calls, failures, latencyMs: { max } }) =>
    [name, calls, failures, max] as const
  );
  assertEquals(facts, [["get", 1, 0, 1], ["put", 2, 1, 4]]);
  const { calls, failures, latencyMs: { max } } = statistics.total();
  assertEquals([calls, failures, max], [3, 1, 4]);
});

Deno.test("CallStatistics tells quantiles within 10 %, whatever their magnitude", () => {
  for (const scale of [0.01, 1, 100, 1_000]) {
    const statistics = new CallStatistics();
    for (let index = 1; index <= 1_000; index++) statistics.record("get", index * scale, false);
    const { p50, p99, max } = statistics.total().latencyMs;
    assert(Math.abs(p50! / (500 * scale) - 1) < 0.1, `${p50} at ${scale}`);
    assert(Math.abs(p99! / (990 * scale) - 1) < 0.1, `${p99} at ${scale}`);
    assertEquals(max, 1_000 * scale);
  }
});

Deno.test("CallStatistics takes calls that took no time, or for ever", () => {
  const statistics = new CallStatistics();
  for (const ms of [0, 1e12]) statistics.record("get", ms, false);
  assertEquals(statistics.total().latencyMs, { p50: 0.00109, p99: 3940000, max: 1e12 });
});

Deno.test("CallStatistics without calls tells no latency", () => {
  const none = { calls: 0, failures: 0, latencyMs: { p50: null, p99: null, max: null } };
  assertEquals(new CallStatistics().total(), none);
});
