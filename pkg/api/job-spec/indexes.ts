/** Sets of completion indexes as Jobs write them: `1,3-5,7`. */

/** Thrown by `parseIndexes`. */
export class IndexesError extends Error {
  override readonly name = 'IndexesError';
}

/** Closed intervals, in increasing order. */
export type Intervals = readonly (readonly [first: number, last: number])[];

/** Throws `IndexesError` for text that is none, and for indexes of `completions` and above. */
export function parseIndexes(text: string, completions: number): Intervals {
  if (text === '') return [];
  const intervals: [number, number][] = [];
  let before: number | undefined;
  for (const part of text.split(',')) {
    const limits = part.split('-');
    const [firstText = '', lastText = firstText] = limits;
    if (limits.length > 2) {
      throw new IndexesError(
        `the fragment ${JSON.stringify(part)} violates the requirement that an index interval can have at most two parts separated by '-'`,
      );
    }
    const first = parseIndex(firstText, completions);
    const last = parseIndex(lastText, completions);
    if (limits.length === 2 && first >= last) throw new IndexesError(`non-increasing order, previous: ${first}, current: ${last}`);
    if (before !== undefined && before >= first) throw new IndexesError(`non-increasing order, previous: ${before}, current: ${first}`);
    before = last;
    intervals.push([first, last]);
  }
  return intervals;
}

function parseIndex(text: string, completions: number): number {
  if (!/^[+-]?\d{1,9}$/.test(text)) throw new IndexesError(`cannot convert string to integer for index: ${JSON.stringify(text)}`);
  const index = Number(text);
  if (index >= completions) throw new IndexesError(`too large index: ${JSON.stringify(text)}`);
  return index;
}

export function countIndexes(intervals: Intervals): number {
  return intervals.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

export function hasIndex(intervals: Intervals, index: number): boolean {
  return intervals.some(([first, last]) => first <= index && index <= last);
}

/** The intervals of any indexes, in any order. */
export function intervalsOf(indexes: Iterable<number>): Intervals {
  const intervals: [number, number][] = [];
  for (const index of [...new Set(indexes)].toSorted((a, b) => a - b)) {
    const last = intervals.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else intervals.push([index, index]);
  }
  return intervals;
}

export function uniteIndexes(a: Intervals, b: Intervals): Intervals {
  const united: [number, number][] = [];
  for (const [first, end] of [...a, ...b].toSorted((x, y) => x[0] - y[0])) {
    const last = united.at(-1);
    if (last !== undefined && first <= last[1] + 1) last[1] = Math.max(last[1], end);
    else united.push([first, end]);
  }
  return united;
}

/** `1,3-5,7`. */
export function formatIndexes(intervals: Intervals): string {
  return intervals.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',');
}
