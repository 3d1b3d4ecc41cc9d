/** What Kubernetes' rules say of lists and gets: the query, and what must come of it. */

/** The code, reason and message of a Status. */
export type Refusal = readonly [code: number, reason: string, message: string | RegExp];

/**
 * Queries may name revisions in braces. `middle`: a, b and c are there. `now`: after d and e were made, b deleted, c changed, and something done elsewhere.
 * `future`: one that is not there yet.
 */
export interface ListRow {
  readonly query: string;
  /** Names, in order. */
  readonly items?: string;
  /** Of the list; `now` unless given. */
  readonly at?: 'middle';
  /** How many are left to list; absent: this is all. `unknown`: there are more, but it is not said how many. */
  readonly left?: number | 'unknown';
  /** Instead of items. */
  readonly refused?: Refusal;
}

const now = 'acde';
const invalid = (...faults: readonly string[]): Refusal => {
  const all = faults.length === 1 ? faults[0] : `[${faults.join(', ')}]`;
  return [422, 'Invalid', `ListOptions.meta.k8s.io "" is invalid: ${all}`];
};
const tooLarge: Refusal = [504, 'Timeout', /^Timeout: Too large resource version: \d+, current: \d+$/];
const matchNeedsVersion = 'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided';
const matchWithContinue = 'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided';
const continueWithVersion: Refusal = [400, 'BadRequest', 'specifying resource version is not allowed when using continue'];
const token = (content: unknown): string =>
  Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)).toString('base64url');

export const listRows: readonly ListRow[] = [
  // Without limit.
  { query: '', items: now },
  { query: 'resourceVersion=', items: now },
  { query: 'resourceVersion=0', items: now },
  { query: 'resourceVersion={middle}', items: now },
  { query: 'resourceVersion={now}', items: now },
  { query: 'resourceVersion={middle}&resourceVersionMatch=Exact', items: 'abc', at: 'middle' },
  { query: 'resourceVersion={middle}&resourceVersionMatch=NotOlderThan', items: now },
  { query: 'resourceVersion=0&resourceVersionMatch=NotOlderThan', items: now },
  { query: 'resourceVersion={middle}&resourceVersionMatch=', items: now },
  // With one.
  { query: 'limit=2', items: 'ac', left: 2 },
  { query: 'limit=3', items: 'acd', left: 1 },
  { query: 'limit=4', items: now },
  { query: 'limit=500', items: now },
  { query: 'limit=0', items: now },
  { query: 'limit=-1', items: now },
  { query: 'limit=', items: now },
  { query: 'limit=2&resourceVersion=0', items: 'ac', left: 2 },
  { query: 'limit=2&resourceVersion=0&resourceVersionMatch=NotOlderThan', items: 'ac', left: 2 },
  { query: 'limit=2&resourceVersion={middle}', items: 'ab', at: 'middle', left: 1 },
  { query: 'limit=2&resourceVersion={middle}&resourceVersionMatch=Exact', items: 'ab', at: 'middle', left: 1 },
  { query: 'limit=2&resourceVersion={middle}&resourceVersionMatch=NotOlderThan', items: 'ac', left: 2 },
  // With selectors: how many are left is not known without looking at all of them.
  { query: 'limit=1&labelSelector=vowel%3Dyes', items: 'a', left: 'unknown' },
  { query: 'limit=2&labelSelector=vowel%3Dyes', items: 'ae' },
  { query: 'labelSelector=vowel%20in%20(yes)', items: 'ae' },
  { query: 'labelSelector=!vowel', items: 'cd' },
  { query: 'labelSelector=vowel!%3Dyes', items: 'cd' },
  { query: 'labelSelector=vowel%20notin%20(yes,no)', items: 'cd' },
  { query: 'fieldSelector=metadata.name%3Dc', items: 'c' },
  { query: 'fieldSelector=metadata.name%3Db', items: '' },
  { query: 'fieldSelector=metadata.name%3Db&resourceVersion={middle}&resourceVersionMatch=Exact', items: 'b', at: 'middle' },
  { query: 'fieldSelector=metadata.name%3Dc&limit=500&resourceVersion=0', items: 'c' },
  { query: 'fieldSelector=metadata.name!%3Dc', items: 'ade' },
  { query: 'fieldSelector=metadata.name%3Dc,metadata.name!%3Dc', items: '' },
  { query: 'fieldSelector=metadata.namespace%3Dother', items: '' },
  { query: 'fieldSelector=metadata.namespace%3Drules&labelSelector=vowel', items: 'ae' },
  // What does not go together.
  { query: 'resourceVersionMatch=Exact', refused: invalid(matchNeedsVersion) },
  { query: 'resourceVersionMatch=NotOlderThan', refused: invalid(matchNeedsVersion) },
  { query: 'resourceVersionMatch=NotOlderThan&limit=2', refused: invalid(matchNeedsVersion) },
  {
    query: 'resourceVersion=0&resourceVersionMatch=Exact',
    refused: invalid('resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
  },
  {
    query: 'resourceVersion={now}&resourceVersionMatch=Sometimes',
    refused: invalid('resourceVersionMatch: Unsupported value: "Sometimes": supported values: "Exact", "NotOlderThan", ""'),
  },
  { query: 'resourceVersion={now}&resourceVersionMatch=Exact&continue={token}', refused: invalid(matchWithContinue) },
  { query: 'resourceVersionMatch=NotOlderThan&continue={token}', refused: invalid(matchNeedsVersion, matchWithContinue) },
  { query: 'resourceVersion={now}&continue={token}', refused: continueWithVersion },
  { query: 'sendInitialEvents=true', refused: invalid('sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list') },
  // What cannot be.
  {
    query: 'resourceVersion=abc',
    refused: [400, 'BadRequest', 'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax'],
  },
  { query: 'resourceVersion=-1', refused: [400, 'BadRequest', /invalid syntax$/] },
  { query: 'resourceVersion=1.5', refused: [400, 'BadRequest', /invalid syntax$/] },
  { query: 'resourceVersion=99999999999999999999', refused: [400, 'BadRequest', /value out of range$/] },
  { query: 'resourceVersion={future}', refused: tooLarge },
  { query: 'resourceVersion={future}&limit=2', refused: tooLarge },
  { query: 'resourceVersion={future}&resourceVersionMatch=Exact', refused: tooLarge },
  { query: 'resourceVersion={future}&resourceVersionMatch=NotOlderThan', refused: tooLarge },
  { query: 'limit=two', refused: [400, 'BadRequest', /parsing "two": invalid syntax$/] },
  { query: 'labelSelector=a%20b%20c', refused: [400, 'BadRequest', /^unable to parse requirement: |found 'b', expected/] },
  {
    query: 'fieldSelector=data.x%3D1',
    refused: [400, 'BadRequest', /^"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"$/],
  },
  { query: 'fieldSelector=metadata.labels.vowel%3Dyes', refused: [400, 'BadRequest', /is not a known field selector/] },
  { query: 'fieldSelector=nothing', refused: [400, 'BadRequest', "invalid selector: 'nothing'; can't understand 'nothing'"] },
  // Tokens that this server never gave.
  { query: 'continue=nonsense', refused: [400, 'BadRequest', /^invalid continue token: continue key is not valid/] },
  { query: `continue=${token('{')}`, refused: [400, 'BadRequest', /^invalid continue token: continue key is not valid/] },
  {
    query: `continue=${token({ v: 'meta.k8s.io/v9', rv: 5, start: 'a' })}`,
    refused: [400, 'BadRequest', /does not recognize this encoded version/],
  },
  {
    query: `continue=${token({ v: 'meta.k8s.io/v1', rv: 0, start: 'a' })}`,
    refused: [400, 'BadRequest', /incorrect encoded start resourceVersion/],
  },
  { query: `continue=${token({ v: 'meta.k8s.io/v1', rv: 5, start: '' })}`, refused: [400, 'BadRequest', /encoded start key empty/] },
];

export interface GetRow {
  readonly query: string;
  readonly refused?: Refusal;
}

/** Gets of an object that is there. */
export const getRows: readonly GetRow[] = [
  { query: '' },
  { query: 'resourceVersion=0' },
  { query: 'resourceVersion={middle}' },
  { query: 'resourceVersion={now}' },
  // Rules of lists, which a get does not know.
  { query: 'resourceVersionMatch=Exact' },
  { query: 'limit=two' },
  { query: 'resourceVersion=abc', refused: [400, 'BadRequest', /invalid syntax$/] },
  { query: 'resourceVersion={future}', refused: tooLarge },
];
