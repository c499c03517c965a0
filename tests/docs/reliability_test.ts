/** Each row of docs/reliability.md is a test of tests/faults. That each of those is a row, they say themselves. */

import { assertEquals } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";

const PAGE = await Deno.readTextFile(`${ROOT}docs/reliability.md`);
const FOLDER = `${ROOT}tests/faults`;
const COLUMNS = 4;

/** The cells of all rows of the page, without the heads of its tables. */
function readRows(): string[][] {
  const lines = PAGE.split("\n").filter((line) => line.startsWith("|"));
  const rows = lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  return rows.filter(([first]) => first !== "fault" && !/^-+$/.test(first!));
}

/** The texts that are written in the tests. */
async function readTexts(): Promise<string[]> {
  const files = (await Array.fromAsync(Deno.readDir(FOLDER))).filter(({ name }) => name.endsWith("_test.ts"));
  const sources = await Promise.all(files.map(({ name }) => Deno.readTextFile(`${FOLDER}/${name}`)));
  return sources.flatMap((source) => [...source.matchAll(/"((?:[^"\\\n]|\\.)+)"/g)].map(([, text]) => text!));
}

Deno.test("each row of docs/reliability.md says all, and is a test of tests/faults once", async () => {
  const texts = await readTexts();
  const rows = readRows();
  assertEquals(rows.filter((row) => row.length !== COLUMNS || row.includes("")), []);
  const tests = rows.map(([fault]) => [fault, texts.filter((text) => text === fault).length]);
  assertEquals(tests, rows.map(([fault]) => [fault, 1]));
});
