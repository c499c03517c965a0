import { assert, assertEquals } from "../../tests/support/assert.ts";
import { boundReport, REPORT_LENGTH_MAX } from "./report.ts";

Deno.test("A report that is small enough stays as it is", () => {
  const report = { deleted: 3, names: ["a", "b"], more: { a: [1] } };
  assertEquals(boundReport(report), report);
});

Deno.test("A large report keeps the beginning of its longest lists, and says what was cut", () => {
  const long = Array.from({ length: 100_000 }, (_, n) => `entry ${n}`);
  const report = { deleted: 3, long, longer: [...long, ...long], short: ["a"] };
  const bounded = boundReport(report);
  const { cut, long: kept, longer } = bounded as {
    cut: Record<string, number>;
    long: string[];
    longer: string[];
  };
  assert(JSON.stringify(bounded).length <= REPORT_LENGTH_MAX);
  assertEquals([bounded.deleted, bounded.short], [3, ["a"]]);
  assertEquals(longer.length + cut.longer!, 200_000);
  assertEquals(kept.length + (cut.long ?? 0), 100_000);
  assertEquals(kept, long.slice(0, kept.length));
});

Deno.test("A report that is large without lists is left out", () => {
  assertEquals(boundReport({ text: "x".repeat(2_000_000) }), { cut_length: 2_000_011 });
});
