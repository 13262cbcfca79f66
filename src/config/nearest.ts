/** The candidate nearest to a mistyped word by edit distance; null where none is near enough to be meant. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const wanted = fold(word.slice(0, 64));
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, fold(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  const bound = Math.max(1, Math.floor(wanted.length / 2));
  return bestDistance <= Math.min(bound, 4) ? best : null;
}

// Case, dashes and underscores are what people mistype most: they cost nothing.
function fold(text: string): string {
  return text.toLowerCase().replace(/[-_]/g, '');
}

/** Levenshtein distance with swapped neighbours counted once. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      next.push(cost);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
