/**
 * The known word that a misspelt one most likely stands for: the same but for case, the beginning of
 * exactly one, or at most two edits away (one for words of up to four letters). Undefined when nothing is near.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  // A long text is no misspelling of a short word; comparing it would only cost time.
  if (word.length > 60) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = wanted.length <= 4 ? 2 : 3;
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Edits (insert, delete, replace, swap of neighbours) between two words; `limit` when there are that many or more. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(
        (previous[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (previous[j - 1] as number) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforePrevious[j - 2] as number) + 1);
      }
      row.push(cost);
    }
    beforePrevious = previous;
    previous = row;
  }
  return Math.min(previous[b.length] as number, limit);
}
