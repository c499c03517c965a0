import { assertEquals } from "../../tests/support/assert.ts";
import { parseDuration, parseSize } from "./units.ts";

const DURATIONS: readonly (readonly [text: string, ms: number | undefined])[] = [
  ["0s", 0],
  ["500ms", 500],
  ["90s", 90_000],
  ["1h30m", 5_400_000],
  ["7d", 604_800_000],
  ["2w", 1_209_600_000],
  ["", undefined],
  ["5", undefined],
  ["s", undefined],
  ["1.5h", undefined],
  ["-1s", undefined],
  ["1 h", undefined],
  ["1H", undefined],
  ["1y", undefined],
  ["99999999999999999999s", undefined],
];

const SIZES: readonly (readonly [text: string, bytes: number | undefined])[] = [
  ["0B", 0],
  ["512B", 512],
  ["10KB", 10_000],
  ["64KiB", 65_536],
  ["4MiB", 4_194_304],
  ["2GB", 2_000_000_000],
  ["1TiB", 1_099_511_627_776],
  ["", undefined],
  ["5", undefined],
  ["5kb", undefined],
  ["1.5GiB", undefined],
  ["-1B", undefined],
  ["1 GiB", undefined],
  ["99999999999999TiB", undefined],
];

Deno.test("parseDuration() reads", async (t) => {
  for (const [text, ms] of DURATIONS) {
    await t.step(`${JSON.stringify(text)} as ${ms}`, () => assertEquals(parseDuration(text), ms));
  }
});

Deno.test("parseSize() reads", async (t) => {
  for (const [text, bytes] of SIZES) {
    await t.step(`${JSON.stringify(text)} as ${bytes}`, () => assertEquals(parseSize(text), bytes));
  }
});
