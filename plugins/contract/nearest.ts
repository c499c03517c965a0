/** The one of `words` that `text` was probably meant to be; case and the kind of separator do not count. */
export function nearest(text: string, words: Iterable<string>): string | undefined {
  const wanted = fold(text);
  let best: { word: string; distance: number } | undefined;
  for (const word of words) {
    const distance = editDistance(wanted, fold(word));
    if (distance <= mistakesAllowed(word) && distance < (best?.distance ?? Infinity)) {
      best = { word, distance };
    }
  }
  return best?.word;
}

function fold(text: string): string {
  return text.toLowerCase().replace(/[-_. ]/g, "");
}

/** One mistake in a short word, more in a long one; none that would make another word of it. */
function mistakesAllowed(word: string): number {
  return Math.min(word.length - 1, Math.max(1, Math.floor(word.length / 3)));
}

/** Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        row[j - 1]! + 1,
        last[j]! + 1,
        last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
        swapped ? beforeLast[j - 2]! + 1 : Infinity,
      );
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length]!;
}

/** `, did you mean "word"?`, where one of `words` was probably meant; else nothing. */
export function didYouMean(text: string, words: Iterable<string>, { prefix = "" } = {}): string {
  const meant = nearest(text, words);
  return meant === undefined ? "" : `, did you mean "${prefix}${meant}"?`;
}
