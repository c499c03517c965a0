import { assertEquals } from "../support/assert.ts";
import { moment, Register } from "./register.ts";

Deno.test("Register", async (t) => {
  await t.step("holds what an acknowledged write wrote", () => {
    const register = new Register("a");
    register.begin("b").acknowledge();
    assertEquals(register.possible(), ["b"]);
  });

  await t.step("may hold what a write whose answer was lost wrote, or not", () => {
    const register = new Register("a");
    register.begin("b");
    assertEquals(register.possible(), ["a", "b"]);
  });

  await t.step("forgets a write that did not happen", () => {
    const register = new Register("a");
    register.begin("b").withdraw();
    assertEquals(register.possible(), ["a"]);
  });

  await t.step("may hold either of two writes that overlapped", () => {
    const register = new Register("a");
    const [first, second] = [register.begin("b"), register.begin("c")];
    second.acknowledge();
    first.acknowledge();
    assertEquals(register.possible(), ["b", "c"]);
    register.begin("d").acknowledge();
    assertEquals(register.possible(), ["d"]);
  });

  await t.step("may hold a write of unknown end until a later one is acknowledged", () => {
    const register = new Register("a");
    const write = register.begin("b");
    register.begin("c").acknowledge();
    assertEquals(register.possible(), ["b", "c"]);
    write.conclude();
    register.begin("d").acknowledge();
    assertEquals(register.possible(), ["d"]);
  });

  await t.step("may hold what an interrupted write wrote, until a later one is acknowledged", () => {
    const register = new Register("a");
    register.begin("b");
    register.interrupt();
    assertEquals(register.possible(), ["a", "b"]);
    register.begin("c").acknowledge();
    assertEquals(register.possible(), ["c"]);
  });

  await t.step("holds what it was seen to hold", () => {
    const register = new Register("a");
    register.begin("b");
    register.settle("b");
    assertEquals(register.possible(), ["b"]);
  });
});

Deno.test("Register, read while others write,", async (t) => {
  await t.step("may have held, while somebody read, what was over before the read was", () => {
    const register = new Register("a");
    const before = moment();
    register.begin("b").acknowledge();
    const between = moment();
    register.begin("c").acknowledge();
    assertEquals(register.possible(before), ["a", "b", "c"]);
    assertEquals(register.possible(between), ["b", "c"]);
    assertEquals(register.possible(), ["c"]);
  });

  await t.step("may have held, while somebody read, what was taken back meanwhile", () => {
    const register = new Register("a");
    const before = moment();
    register.begin("b").takeBack();
    assertEquals(register.possible(before), ["a", "b"]);
    assertEquals(register.possible(), ["a"]);
  });

  await t.step("held what was seen, unless a write overlapped", () => {
    const register = new Register("a");
    register.begin("b").conclude();
    register.see("b", moment());
    assertEquals(register.possible(), ["b"]);
    const write = register.begin("c");
    register.see("b", moment());
    assertEquals(register.possible(), ["c", "b"]);
    write.withdraw();
    assertEquals(register.possible(), ["b"]);
  });

  await t.step("forgets what nobody can have read", () => {
    const register = new Register("a");
    const before = moment();
    register.begin("b").acknowledge();
    register.forget(moment());
    assertEquals(register.possible(before), ["b"]);
  });
});
