import { assertEquals } from "../../tests/support/assert.ts";
import { nearest } from "./nearest.ts";

const KNOWN = ["bind_address", "port", "tls", "idle_timeout", "open_max"];

const CASES: readonly (readonly [text: string, meant: string | undefined])[] = [
  ["prot", "port"],
  ["Port", "port"],
  ["ports", "port"],
  ["tsl", "tls"],
  ["bind-address", "bind_address"],
  ["bindAddress", "bind_address"],
  ["bind_adress", "bind_address"],
  ["idel_timeuot", "idle_timeout"],
  ["max_open", undefined],
  ["certificate", undefined],
  ["x", undefined],
  ["", undefined],
];

Deno.test("nearest() takes", async (t) => {
  for (const [text, meant] of CASES) {
    await t.step(`${JSON.stringify(text)} for ${meant}`, () => assertEquals(nearest(text, KNOWN), meant));
  }
});

Deno.test("nearest() prefers the word with fewer mistakes, then the earlier one", () => {
  assertEquals(nearest("reed", ["red", "read", "reel"]), "red");
  assertEquals(nearest("level", ["levels", "level"]), "level");
});
