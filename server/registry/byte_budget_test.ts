import { assertEquals } from "../../tests/support/assert.ts";
import { ByteBudget } from "./byte_budget.ts";

/** Takes so many, and notes when they are there. */
function taker(budget: ByteBudget) {
  const granted: string[] = [];
  const take = (name: string, bytes: number) => void budget.take(bytes).then(() => granted.push(name));
  /** What was granted by now. */
  const told = async () => {
    await new Promise((resolve) => setTimeout(resolve));
    return granted.splice(0);
  };
  return { take, told };
}

Deno.test("tryTake() takes what is left, to the last byte, and no more", () => {
  const budget = new ByteBudget(10);
  assertEquals([budget.tryTake(4), budget.tryTake(7), budget.tryTake(6), budget.tryTake(1)], [
    true,
    false,
    true,
    false,
  ]);
  budget.give(4);
  assertEquals([budget.tryTake(5), budget.tryTake(4), budget.tryTake(0)], [false, true, true]);
});

Deno.test("take() waits until so many are left, in the order in which they were asked for", async () => {
  const budget = new ByteBudget(10);
  const { take, told } = taker(budget);
  take("all", 10);
  assertEquals(await told(), ["all"]);
  take("much", 8);
  take("little", 1);
  take("rest", 2);
  assertEquals(await told(), []);
  budget.give(5);
  // What is little does not overtake what waits for much: that would wait for ever.
  assertEquals([await told(), budget.tryTake(1)], [[], false]);
  budget.give(4);
  assertEquals(await told(), ["much", "little"]);
  budget.give(1);
  assertEquals(await told(), []);
  budget.give(1);
  assertEquals(await told(), ["rest"]);
});

Deno.test("what was given back can be taken again, as often as it was", async () => {
  const budget = new ByteBudget(10);
  const { take, told } = taker(budget);
  for (let turn = 0; turn < 100; turn++) {
    take("first", 6);
    take("second", 6);
    assertEquals(await told(), ["first"]);
    budget.give(6);
    assertEquals(await told(), ["second"]);
    budget.give(6);
  }
  assertEquals([budget.tryTake(10), budget.tryTake(1)], [true, false]);
});
