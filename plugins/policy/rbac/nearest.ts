/** `, did you mean "…"?` with the one of `words` that `text` was probably meant to be, or nothing. */
export function didYouMean(text: string, words: Iterable<string>): string {
  const ranked = [...words]
    .map((word) => ({ word, mistakes: countMistakes(text.toLowerCase(), word.toLowerCase()) }))
    .filter(({ word, mistakes }) => mistakes <= Math.floor(word.length / 3))
    .toSorted((a, b) => a.mistakes - b.mistakes);
  return ranked[0] ? `, did you mean ${JSON.stringify(ranked[0].word)}?` : "";
}

/** Insertions, deletions and substitutions between two words (Levenshtein). */
function countMistakes(a: string, b: string): number {
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, letter] of [...a].entries()) {
    const row = [i + 1];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + Number(letter !== b[j - 1]);
      row[j] = Math.min(row[j - 1]! + 1, last[j]! + 1, replaced);
    }
    last = row;
  }
  return last[b.length]!;
}
