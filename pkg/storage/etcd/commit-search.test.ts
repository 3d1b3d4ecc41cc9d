import { describe, expect, test } from '@jest/globals';
import type { Commit, Op, Revision, StoredValue, StoreEvent } from '../backend.ts';
import { findCommit as search } from './commit-search.ts';

const value = (text: string): Buffer => Buffer.from(text);
const put = (key: string, text: string): Op => ({ type: 'put', key, value: value(text) });
const remove = (key: string): Op => ({ type: 'delete', key });
const stored = (key: string, revision: Revision): StoredValue => ({ key, value: value('old'), revision, createRevision: revision });
const wasPut = (key: string, text: string, revision: Revision, previous?: Revision): StoreEvent => ({
  type: 'put',
  key,
  value: value(text),
  revision,
  createRevision: previous ?? revision,
  previous: previous === undefined ? undefined : stored(key, previous),
});
const wasDeleted = (key: string, revision: Revision, previous: Revision): StoreEvent => ({
  type: 'delete',
  key,
  revision,
  previous: stored(key, previous),
});
const findCommit = (sought: Commit, events: readonly StoreEvent[], prefix = ''): Revision | undefined => search(sought, events, prefix);
const commit = (ops: readonly Op[], compare: Commit['compare'] = []): Commit => ({ ops, compare });

describe('a commit whose reply was lost', () => {
  test('is found by what it wrote over what it compared', () => {
    const sought = commit([put('a', 'mine')], [{ key: 'a', revision: 5 }]);
    expect(findCommit(sought, [wasPut('a', 'mine', 7, 5), wasPut('a', 'later', 8, 7)])).toBe(7);
    expect(findCommit(sought, [wasPut('a', 'theirs', 7, 5)])).toBeUndefined();
    expect(findCommit(sought, [wasPut('a', 'theirs', 7, 5), wasPut('a', 'mine', 8, 7)])).toBeUndefined();
    expect(findCommit(sought, [])).toBeUndefined();
  });

  test('that made a key is found even when the key is gone again', () => {
    const sought = commit([put('a', 'mine')], [{ key: 'a', revision: 0 }]);
    expect(findCommit(sought, [wasPut('a', 'mine', 7), wasDeleted('a', 8, 7)])).toBe(7);
    expect(findCommit(sought, [wasPut('a', 'theirs', 7), wasDeleted('a', 8, 7)])).toBeUndefined();
  });

  test('is found by all of its operations together', () => {
    const sought = commit([put('a', '1'), remove('b'), remove('never')]);
    expect(findCommit(sought, [wasPut('a', '1', 7), wasDeleted('b', 7, 3)])).toBe(7);
    expect(findCommit(sought, [wasPut('a', '1', 7), wasPut('b', '1', 8, 3)])).toBe(7);
    expect(findCommit(sought, [wasPut('a', '1', 7), wasPut('b', '1', 7, 3)])).toBeUndefined();
    const both = commit([put('in/a', '1'), put('out/b', '1')]);
    expect(findCommit(both, [wasPut('in/a', '1', 7)], 'in/')).toBe(7);
    expect(findCommit(both, [wasPut('in/a', '1', 7)])).toBeUndefined();
  });

  test('that only deletes is found by the deletion, and not where there was nothing to delete', () => {
    const sought = commit([remove('a')], [{ key: 'a', revision: 5 }]);
    expect(findCommit(sought, [wasDeleted('a', 7, 5)])).toBe(7);
    expect(findCommit(sought, [wasPut('a', 'x', 7, 5), wasDeleted('a', 8, 7)])).toBeUndefined();
    expect(findCommit(commit([remove('a')]), [])).toBeUndefined();
  });
});
