import { assert, assertEquals } from "../../tests/support/assert.ts";
import { Throttle } from "./throttle.ts";

Deno.test("A throttle makes each failure cost more than the one before", () => {
  const throttle = new Throttle({ delayMs: 100, delayMaxMs: 500 });
  const delays = Array.from({ length: 5 }, () => throttle.attempt("alice", "10.0.0.1"));
  assertEquals(delays, [100, 200, 400, 500, 500]);
});

Deno.test("A throttle stops a name from an address, and neither the name elsewhere nor the address's others", () => {
  const throttle = new Throttle({ failuresMax: 3, addressFailuresMax: 100 });
  for (let count = 0; count < 3; count++) throttle.attempt("alice", "10.0.0.1");
  assert(throttle.waitMs("alice", "10.0.0.1") > 0);
  assertEquals(throttle.waitMs("alice", "10.0.0.2"), 0);
  assertEquals(throttle.waitMs("bob", "10.0.0.1"), 0);
});

Deno.test("A throttle stops an address that tries many names", () => {
  const throttle = new Throttle({ failuresMax: 3, addressFailuresMax: 5 });
  for (let count = 0; count < 5; count++) throttle.attempt(`name${count}`, "10.0.0.1");
  assert(throttle.waitMs("another", "10.0.0.1") > 0);
  assertEquals(throttle.waitMs("another", "10.0.0.2"), 0);
});

Deno.test("A throttle forgets the failures of a name that got in", () => {
  const throttle = new Throttle({ failuresMax: 2 });
  throttle.attempt("alice", "10.0.0.1");
  throttle.succeed("alice", "10.0.0.1");
  throttle.attempt("alice", "10.0.0.1");
  assertEquals(throttle.waitMs("alice", "10.0.0.1"), 0);
});

Deno.test("A throttle opens again when its window has passed", () => {
  const throttle = new Throttle({ failuresMax: 1, windowMs: -1 });
  throttle.attempt("alice", "10.0.0.1");
  assertEquals(throttle.waitMs("alice", "10.0.0.1"), 0);
});

Deno.test("A throttle remembers a bounded number of names", () => {
  const throttle = new Throttle({ failuresMax: 1, addressFailuresMax: 1e9 });
  throttle.attempt("first", "10.0.0.1");
  for (let count = 0; count < 20_000; count++) {
    throttle.attempt(`name${count}`, `10.0.${count % 256}.${count >> 8}`);
  }
  assertEquals(throttle.waitMs("first", "10.0.0.1"), 0);
});
