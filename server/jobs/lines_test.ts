import { create } from "../../plugins/storage/memory/memory.ts";
import { assertEquals } from "../../tests/support/assert.ts";
import { LineWriter, readLines } from "./lines.ts";

const JOB = "20260807t101530123z-0f3a9c1e";

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

Deno.test("Lines are read in the order in which they were added, in pages", async () => {
  const storage = await create({});
  const writer = await LineWriter.open(storage, JOB, 0);
  for (const n of numbers(0, 1_000)) void writer.add({ n });
  await writer.flush();
  const read: unknown[] = [];
  let last: number | undefined;
  do {
    const page = await readLines(storage, JOB, {
      count: 1_000,
      limit: 300,
      ...(last !== undefined && { last }),
    });
    read.push(...page.lines);
    last = page.next;
  } while (last !== undefined);
  assertEquals(read, numbers(0, 1_000).map((n) => ({ n })));
  assertEquals(await readLines(storage, JOB, { count: 1_000, limit: 10, last: 999 }), { lines: [] });
  assertEquals(await readLines(storage, JOB, { count: 1_000, limit: 0 }), { lines: [] });
  assertEquals(await readLines(storage, JOB, { count: 2, limit: 10 }), { lines: [{ n: 0 }, { n: 1 }] });
});

Deno.test("Lines go on after those that count, whatever came after them", async () => {
  const storage = await create({});
  for (const count of [0, 1, 255, 256, 257, 600]) {
    const first = await LineWriter.open(storage, JOB, 0);
    for (const n of numbers(0, 700)) void first.add(n);
    await first.flush();
    const second = await LineWriter.open(storage, JOB, count);
    for (const n of numbers(0, 3)) void second.add(`second ${n}`);
    await second.flush();
    assertEquals(second.count, count + 3);
    const { lines } = await readLines(storage, JOB, { count: second.count, limit: 10_000 });
    assertEquals(lines, [...numbers(0, count), "second 0", "second 1", "second 2"]);
  }
});

Deno.test("A line that is too long says how long it was", async () => {
  const storage = await create({});
  const writer = await LineWriter.open(storage, JOB, 0);
  void writer.add("x".repeat(100_000));
  void writer.add("a\nb");
  await writer.flush();
  assertEquals(await readLines(storage, JOB, { count: 2, limit: 10 }), {
    lines: [{ cut_length: 100_002 }, "a\nb"],
  });
});

Deno.test("A page of long lines ends early, and says so", async () => {
  const storage = await create({});
  const writer = await LineWriter.open(storage, JOB, 0);
  for (const _ of numbers(0, 1_000)) await writer.add("x".repeat(16_000));
  await writer.flush();
  const page = await readLines(storage, JOB, { count: 1_000, limit: 10_000 });
  assertEquals([page.lines.length, page.next], [512, 511]);
});
