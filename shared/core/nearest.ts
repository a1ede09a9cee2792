/**
 * The known word that a misspelt one most likely stands for: the same but for case, the one that it is the
 * beginning of, or at most two edits away (one for words of up to four letters). Undefined when nothing is near.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  // A long text is no misspelling of a short word; comparing it would only cost time.
  if (word.length > 60) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = wanted.length <= 4 ? 2 : 3;
  let completion: string | undefined;
  let completions = 0;
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    if (wanted.length >= SHORTEST_BEGINNING && lower.startsWith(wanted)) {
      completion = candidate;
      completions++;
    }
    const distance = editDistance(wanted, lower, bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return bestDistance > 0 && completions === 1 ? completion : best;
}

/** Fewer letters begin too many words to mean one of them. */
const SHORTEST_BEGINNING = 3;

const { abs, min } = Math;

/** Edits (insert, delete, replace, swap of neighbours) between two words; `limit` when there are that many or more. */
export function editDistance(a: string, b: string, limit: number): number {
  if (abs(a.length - b.length) >= limit) return limit;
  let beforePrevious: number[] = [];
  let previous: number[] = [];
  for (let j = 0; j <= b.length; j++) previous.push(j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    const letter = a.charCodeAt(i - 1);
    const letterBefore = a.charCodeAt(i - 2);
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const other = b.charCodeAt(j - 1);
      let cost = min(
        (previous[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (previous[j - 1] as number) + (letter === other ? 0 : 1),
      );
      if (i > 1 && j > 1 && letter === b.charCodeAt(j - 2) && letterBefore === other) {
        cost = min(cost, (beforePrevious[j - 2] as number) + 1);
      }
      row.push(cost);
      least = min(least, cost);
    }
    // A swap reaches back over one row and costs one, so this row and the one before bound what can still come.
    if (least >= limit && min(...previous) >= limit) return limit;
    beforePrevious = previous;
    previous = row;
  }
  return min(previous[b.length] as number, limit);
}
