/** What Kubernetes' rules say of how a watch begins: the query, and what comes before anything new happens. */
import type { Refusal } from './list-rows.ts';

/**
 * Queries may name revisions in braces. `middle`: a, b and c are there. `now`: after d and e were made, b deleted and c changed. `future`: one that is not
 * there yet.
 */
export interface WatchRow {
  readonly query: string;
  /** In order: `ADDED a`, `BOOKMARK initial-events-end`. */
  readonly events?: readonly string[];
  /** Whether bookmarks come besides. */
  readonly bookmarks?: true;
  /** Instead of a stream. */
  readonly refused?: Refusal;
  /** The ERROR event with which the stream ends at once. */
  readonly error?: Refusal;
}

const initial = ['ADDED a', 'ADDED c', 'ADDED d', 'ADDED e'];
const sinceMiddle = ['ADDED d', 'ADDED e', 'DELETED b', 'MODIFIED c'];
const marker = 'BOOKMARK initial-events-end';
const invalid = (...faults: readonly string[]): Refusal => {
  const all = faults.length === 1 ? faults[0] : `[${faults.join(', ')}]`;
  return [422, 'Invalid', `ListOptions.meta.k8s.io "" is invalid: ${all}`];
};
const needsMatch = 'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan';
const needsInitial = 'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
const exactUnsupported = 'resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"';
const tooLarge: Refusal = [504, 'Timeout', /^Timeout: Too large resource version: \d+, current: \d+$/];

export const watchRows: readonly WatchRow[] = [
  { query: '', events: initial },
  { query: 'resourceVersion=0', events: initial },
  { query: 'resourceVersion={middle}', events: sinceMiddle },
  { query: 'resourceVersion={now}', events: [] },
  { query: 'allowWatchBookmarks=true', events: initial, bookmarks: true },
  { query: 'resourceVersion={middle}&allowWatchBookmarks=1', events: sinceMiddle, bookmarks: true },
  { query: 'resourceVersion={now}&allowWatchBookmarks=true', events: [], bookmarks: true },
  { query: 'resourceVersion={now}&allowWatchBookmarks=false', events: [] },
  { query: 'resourceVersion=0&limit=1', events: initial },
  // With the initial events, or expressly without.
  {
    query: 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
    events: [...initial, marker],
    bookmarks: true,
  },
  {
    query: 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=0',
    events: [...initial, marker],
    bookmarks: true,
  },
  {
    query: 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion={middle}',
    events: [...initial, marker],
    bookmarks: true,
  },
  { query: 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan', events: initial },
  { query: 'sendInitialEvents=false&resourceVersionMatch=NotOlderThan', events: [] },
  { query: 'sendInitialEvents=false&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true', events: [], bookmarks: true },
  { query: 'sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=0', events: [] },
  { query: 'sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion={middle}', events: sinceMiddle },
  {
    query: 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=none',
    events: [marker],
    bookmarks: true,
  },
  // With selectors.
  { query: 'resourceVersion=0&labelSelector=vowel%3Dyes', events: ['ADDED a', 'ADDED e'] },
  { query: 'resourceVersion={middle}&labelSelector=vowel%3Dyes', events: ['ADDED e'] },
  { query: 'resourceVersion={middle}&labelSelector=!vowel', events: ['ADDED d', 'DELETED b', 'MODIFIED c'] },
  { query: 'resourceVersion=0&fieldSelector=metadata.name%3Dc', events: ['ADDED c'] },
  { query: 'resourceVersion={middle}&fieldSelector=metadata.name%3Db', events: ['DELETED b'] },
  {
    query: 'resourceVersion={middle}&fieldSelector=metadata.name!%3Db,metadata.namespace%3Drules',
    events: ['ADDED d', 'ADDED e', 'MODIFIED c'],
  },
  { query: 'resourceVersion={middle}&fieldSelector=metadata.namespace%3Dother', events: [] },
  // What does not go together, and what cannot be.
  { query: 'sendInitialEvents=true', refused: invalid(needsMatch) },
  { query: 'sendInitialEvents=false', refused: invalid(needsMatch) },
  { query: 'sendInitialEvents=true&resourceVersionMatch=Exact', refused: invalid(needsMatch, exactUnsupported) },
  { query: 'resourceVersionMatch=NotOlderThan', refused: invalid(needsInitial) },
  { query: 'resourceVersion={now}&resourceVersionMatch=Exact', refused: invalid(needsInitial, exactUnsupported) },
  {
    query: 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&continue=x',
    refused: invalid('resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided'),
  },
  { query: 'resourceVersion=abc', refused: [400, 'BadRequest', /invalid syntax$/] },
  { query: 'timeoutSeconds=soon', refused: [400, 'BadRequest', /parsing "soon": invalid syntax$/] },
  { query: 'labelSelector=a%20b%20c', refused: [400, 'BadRequest', /found 'b'/] },
  { query: 'fieldSelector=data.x%3D1', refused: [400, 'BadRequest', /is not a known field selector/] },
  // The client is told at once, where Kubernetes would let it wait: it lists again and finds where it stands.
  { query: 'resourceVersion={future}', error: tooLarge },
  { query: 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion={future}', error: tooLarge },
];
