import fc from "fast-check";
import { assert, assertEquals } from "../../../tests/support/assert.ts";
import { foldName, unfoldName } from "./names.ts";

const SEGMENT = fc.stringMatching(/^[!#$&'()+,\-.0-9;=@A-Z\[\]^_`a-z{}~]{1,255}$/);

Deno.test("foldName() keeps small letters and says which were capitals", () => {
  assertEquals(["latest", "Latest", "V1.0-RC1", "!"].map(foldName), [
    "latest",
    "latest%1",
    "v1.0-rc1%61",
    "!",
  ]);
});

Deno.test("foldName() leaves a tag of 128 capitals short enough for a file's name", () => {
  assertEquals(foldName("A".repeat(128)).length, 161);
});

Deno.test("foldName() gives no two segments names that differ by case alone, and unfoldName() undoes it", () => {
  fc.assert(fc.property(SEGMENT, (segment) => {
    const name = foldName(segment);
    assert(!/[A-Z]/.test(name));
    assertEquals(unfoldName(name), segment);
  }));
});

Deno.test("unfoldName() gives no segment for a name that foldName() does not give", () => {
  for (const name of ["%temp", "a%", "a%0", "a%2", "a%1%1", "a%01", "a%x", "%1", "A%1"]) {
    assertEquals(unfoldName(name), "");
  }
});
