import fc from "fast-check";
import { assert, assertEquals } from "../../tests/support/assert.ts";
import { formatContentRange, formatUnsatisfiedRange, parseRange } from "./range.ts";

Deno.test("parseRange() reads every form of a single range", () => {
  const size = 2048;
  const cases: [string, unknown][] = [
    ["bytes=500-1499", { offset: 500, length: 1000 }],
    ["bytes=500-", { offset: 500, length: 1548 }],
    ["bytes=-500", { offset: 1548, length: 500 }],
    ["bytes=0-0", { offset: 0, length: 1 }],
    ["bytes=2000-5000", { offset: 2000, length: 48 }],
    ["bytes=-5000", { offset: 0, length: 2048 }],
    ["bytes=500-0", "unsatisfiable"],
    ["bytes=2048-", "unsatisfiable"],
    ["bytes=5000-10000", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
  ];
  for (const [range, expected] of cases) assertEquals([range, parseRange(range, size)], [range, expected]);
});

Deno.test("parseRange() ignores what may be ignored", () => {
  for (
    const range of [
      "",
      "bytes",
      "bytes=",
      "bytes=-",
      "bytes=a-b",
      "items=0-5",
      "bytes=0-1,3-4",
      "bytes=1e3-",
      "0-5",
    ]
  ) {
    assertEquals(parseRange(range, 100), undefined);
  }
  assertEquals(parseRange("bytes=-5", 0), undefined);
});

Deno.test("parseRange() finds no byte in an empty thing", () => {
  assertEquals([parseRange("bytes=0-5", 0), parseRange("bytes=0-", 0)], ["unsatisfiable", "unsatisfiable"]);
});

Deno.test("parseRange() never leaves the content", () => {
  const bound = fc.option(fc.nat(3_000), { nil: "" as const });
  fc.assert(fc.property(bound, bound, fc.nat(2_000), (first, last, size) => {
    const span = parseRange(`bytes=${first}-${last}`, size);
    if (span === undefined || span === "unsatisfiable") return;
    assert(span.offset >= 0 && span.length > 0 && span.offset + span.length <= size);
  }));
});

Deno.test("Content-Range is inclusive", () => {
  assertEquals(formatContentRange({ offset: 500, length: 1000 }, 2048), "bytes 500-1499/2048");
  assertEquals(formatUnsatisfiedRange(2048), "bytes */2048");
});
