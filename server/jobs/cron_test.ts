import { assertEquals } from "../../tests/support/assert.ts";
import { isTimezone, parseCron } from "./cron.ts";

const BEFORE_MS = Date.parse("2026-03-28T23:59:59.500Z");

Deno.test("parseCron() knows the next time", () => {
  const cases: [pattern: string, timezone: string, next: string][] = [
    ["17 * * * *", "UTC", "2026-03-29T00:17:00.000Z"],
    ["*/2 * * * * *", "UTC", "2026-03-29T00:00:00.000Z"],
    ["0 3 * * 1", "UTC", "2026-03-30T03:00:00.000Z"],
    ["0 3 * * 1", "Europe/Berlin", "2026-03-30T01:00:00.000Z"],
    // This time of the day is left out when the clocks go forward.
    ["30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00.000Z"],
    ["@daily", "UTC", "2026-03-29T00:00:00.000Z"],
  ];
  for (const [pattern, timezone, next] of cases) {
    assertEquals(new Date(parseCron(pattern, timezone)!.next(BEFORE_MS)!).toISOString(), next, pattern);
  }
});

Deno.test("parseCron() refuses what is no pattern, and what never comes", () => {
  const refused = [
    "",
    "off",
    "* * *",
    "60 * * * *",
    "* * * * FOO",
    "0 0 30 2 *",
    "2030-01-01T00:00:00",
    "* * * * * * 2020",
  ];
  assertEquals(refused.filter((pattern) => parseCron(pattern)), []);
});

Deno.test("isTimezone() knows time zones", () => {
  const names = ["UTC", "Europe/Berlin", "Mars/Olympus", "", "Europe/"];
  assertEquals(names.filter(isTimezone), ["UTC", "Europe/Berlin"]);
});
