import fc from "fast-check";
import { assertEquals, assertThrows } from "../../tests/support/assert.ts";
import { OciError } from "./error.ts";
import { cutPage, formatNextLink, PAGE_LIMIT_MAX, parsePage } from "./page.ts";

Deno.test("parsePage() reads n and last", () => {
  assertEquals(parsePage(new URLSearchParams("n=5&last=a")), { limit: 5, last: "a" });
  assertEquals(parsePage(new URLSearchParams("")), { limit: PAGE_LIMIT_MAX });
  assertEquals(parsePage(new URLSearchParams("n=0&last=")), { limit: 0 });
  assertEquals(parsePage(new URLSearchParams("n=9223372036854775808")), { limit: PAGE_LIMIT_MAX });
});

for (
  const bad of ["n=-1", "n=x", "n=1e3", "n=", "n=1.5", "n=0x10", "n= 1", "n=1&n=2", "n=99999999999999999999"]
) {
  Deno.test(`parsePage() refuses ${bad}`, () => {
    assertThrows(
      () => parsePage(new URLSearchParams(bad)),
      (error) => error instanceof OciError && error.status === 400,
    );
  });
}

Deno.test("formatNextLink() keeps what the client asked for, escaped", () => {
  const query = new URLSearchParams({ n: "2", artifactType: "a/b+json", last: "x" });
  assertEquals(
    formatNextLink("/v2/a/referrers/x", query, "sha256:y"),
    '</v2/a/referrers/x?n=2&artifactType=a%2Fb%2Bjson&last=sha256%3Ay>; rel="next"',
  );
});

Deno.test("cutPage() says whether entries follow", () => {
  fc.assert(fc.property(fc.array(fc.nat()), fc.nat(20), (entries, limit) => {
    assertEquals(cutPage(entries, limit), { entries: entries.slice(0, limit), more: entries.length > limit });
  }));
});
