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
  if (!/^[+-]?\d{1,18}$/.test(text)) throw new IndexesError(`cannot convert string to integer for index: ${JSON.stringify(text)}`);
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
