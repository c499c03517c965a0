import { assert } from "../support/assert.ts";
import { ROOT } from "../support/registry.ts";
import { isTest } from "./files.ts";
import { functionLines, visitFunctions } from "./lengths.ts";

/** The lengths of the functions and methods of a source text, in lines; arrows, mostly one-liners, would flatter. */
function measure(text: string): number[] {
  const lengths: number[] = [];
  const rule: Deno.lint.Rule = {
    create: () =>
      visitFunctions((node) => {
        if (node.type !== "ArrowFunctionExpression") lengths.push(functionLines(node, text));
      }),
  };
  Deno.lint.runPlugin({ name: "measure", rules: { functions: rule } }, "measured.ts", text);
  return lengths;
}

const SOURCES = ["server", "plugins", "cli"];

async function* sources(folder = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(ROOT + folder)) {
    const path = `${folder}${name}`;
    if (folder === "" && !SOURCES.includes(name)) continue;
    if (isDirectory) yield* sources(`${path}/`);
    else if (name.endsWith(".ts") && !isTest(path)) yield path;
  }
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.floor((sorted.length - 1) * share)]!;
}

Deno.test("Functions are short: the median has at most 10 lines, nine of ten have at most 35", async () => {
  const lengths: number[] = [];
  for await (const path of sources()) lengths.push(...measure(await Deno.readTextFile(ROOT + path)));
  lengths.sort((a, b) => a - b);
  assert(lengths.length > 100);
  assert(percentile(lengths, 0.5) <= 10, `the median is ${percentile(lengths, 0.5)} lines`);
  assert(percentile(lengths, 0.9) <= 35, `the 90th percentile is ${percentile(lengths, 0.9)} lines`);
});
