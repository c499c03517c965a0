/** `, did you mean "…"?` with the one of `words` that `text` was probably meant to be, or nothing. */
export function didYouMean(text: string, words: Iterable<string>, { prefix = "" } = {}): string {
  const [best] = [...words]
    .map((word) => ({ word, distance: editDistance(text.toLowerCase(), word.toLowerCase()) }))
    .filter(({ word, distance }) => distance <= mistakesAllowed(word))
    .sort((a, b) => a.distance - b.distance);
  return best ? `, did you mean "${prefix}${best.word}"?` : "";
}

/** One mistake in a short word, more in a long one; none that would make another word of it. */
function mistakesAllowed({ length }: string): number {
  return Math.min(length - 1, Math.max(1, Math.floor(length / 3)));
}

/** Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        row[j - 1]! + 1,
        last[j]! + 1,
        last[j - 1]! + Number(a[i - 1] !== b[j - 1]),
        isSwapped ? beforeLast[j - 2]! + 1 : Infinity,
      );
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length]!;
}
