import { assertEquals } from "../../tests/support/assert.ts";
import { isKey } from "./storage.ts";

const GOOD = [
  "a",
  "-",
  "...",
  ".a",
  "a.",
  "a/b",
  "A/b!/c",
  "!#$&'()+,-.0123456789;=@AZ[]^_`az{}~",
  "n".repeat(255),
];

const BAD = [
  "",
  "/",
  "/a",
  "a/",
  "a//b",
  ".",
  "..",
  "a/./b",
  "a/../b",
  "../a",
  "a b",
  "a\tb",
  "a\nb",
  "a\n",
  "a\0b",
  "a\x7f",
  ...'\\"%*:<>?|é😀'.split("").map((character) => `a${character}b`),
  "n".repeat(256),
  `a/${"n".repeat(256)}`,
  "d/".repeat(512) + "d",
];

Deno.test("isKey() takes keys as long and as strange as they may be", () => {
  assertEquals(GOOD.filter((key) => !isKey(key)), []);
});

Deno.test("isKey() takes exactly 1,024 characters", () => {
  const longest = `${"d/".repeat(400)}${"k".repeat(224)}`;
  assertEquals([longest.length, isKey(longest), isKey(`${longest}k`)], [1024, true, false]);
});

Deno.test("isKey() refuses whatever is no key", () => {
  assertEquals(BAD.filter(isKey), []);
});
