import { assert, assertEquals } from "../../../tests/support/assert.ts";
import { Watchdog } from "./watchdog.ts";

Deno.test("a watchdog says what did not come, counted from the last sign", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const dog = new Watchdog(resolve);
  dog.expect("nothing", 60_000);
  dog.expect("no first byte", 20);
  const begunAt = performance.now();
  for (let count = 0; count < 1_000; count++) dog.expect("no next byte", 60);
  assertEquals(await promise, "no next byte within 60 ms");
  assert(performance.now() - begunAt >= 60);
});

Deno.test("a watchdog that has ended is silent, and keeps no timer", () => {
  const dog = new Watchdog(() => {
    throw new Error("it barked");
  });
  dog.expect("nothing", 1);
  dog.end();
});
