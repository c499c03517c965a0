/** Draws trees: a line for each thing, with its digest, its size and a note. */

import { formatSize, shortDigest } from "./format.ts";
import { harmless, outputColumns, paint } from "./output.ts";
import type { Absent } from "./shape.ts";
import { clip, widthOf } from "./table.ts";

/** A line, and what hangs below it. All of its texts may be others'. */
export interface Branch {
  readonly name: string;
  readonly digest?: string;
  readonly size?: number | Absent;
  readonly note?: string | undefined;
  readonly isBad?: boolean;
  readonly branches: readonly Branch[];
}

const DIGEST_COLUMNS = 19;
const SIZE_COLUMNS = 9;

/** A tree, as wide as the output allows. */
export function drawTree(root: Branch): string {
  const lines = linesOf(root, { first: "", rest: "" });
  const columns = outputColumns();
  const nameColumns = Math.min(
    Math.max(...lines.map(({ label }) => widthOf(label))),
    columns - DIGEST_COLUMNS - SIZE_COLUMNS - 4,
  );
  return lines.map(({ label, branch }) => {
    const { digest, size, note = "", isBad = false } = branch;
    const name = clip(label, nameColumns);
    const fixed = [
      name + " ".repeat(nameColumns - widthOf(name)),
      (digest === undefined ? "" : harmless(shortDigest(digest)).slice(0, DIGEST_COLUMNS)).padEnd(
        DIGEST_COLUMNS,
      ),
      formatSize(size).padStart(SIZE_COLUMNS),
    ].join("  ");
    const room = columns - widthOf(fixed) - 2;
    const end = note !== "" && room > 3
      ? `  ${paint(clip(harmless(note), room), isBad ? "bad" : "faint")}`
      : "";
    return `${(fixed + end).trimEnd()}\n`;
  }).join("");
}

interface Line {
  readonly label: string;
  readonly branch: Branch;
}

function linesOf(branch: Branch, { first, rest }: { readonly first: string; readonly rest: string }): Line[] {
  const below = branch.branches.flatMap((child, index) => {
    const isLast = index === branch.branches.length - 1;
    return linesOf(child, { first: rest + (isLast ? "└─ " : "├─ "), rest: rest + (isLast ? "   " : "│  ") });
  });
  return [{ label: first + harmless(branch.name), branch }, ...below];
}
