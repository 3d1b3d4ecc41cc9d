/**
 * What a store must do, as plainly as it can be said, for the contract suite: the commits that took place, put in the order
 * of their revisions, must each have been allowed by the state that the ones before it left.
 */
import type { Commit, CommitResult, Revision, StoredValue, StoreEvent } from './backend.ts';

export interface Issued {
  readonly commit: Commit;
  readonly result: CommitResult;
}

/** One row of a list: key, value as text, revision, revision of creation. */
export type Row = readonly [string, string, Revision, Revision];

export interface Model {
  /** The state at each revision, from the base on, in key order. */
  readonly states: ReadonlyMap<Revision, readonly Row[]>;
  readonly events: readonly StoreEvent[];
}

/** Throws when the results do not fit any order of the commits. The store is empty under the keys of the commits at `base`. */
export function checkHistory(base: Revision, issued: readonly Issued[]): Model {
  const state = new Map<string, StoredValue>();
  const states = new Map<Revision, readonly Row[]>([[base, []]]);
  const snapshots = [new Map(state)];
  const events: StoreEvent[] = [];
  const committed = issued.flatMap(({ commit, result }) => (result.committed ? [{ commit, revision: result.revision }] : []));
  const writes = committed.filter(({ commit }) => commit.ops.some((op) => op.type === 'put')).length;
  const pending = committed.toSorted((a, b) => a.revision - b.revision);
  let revision = base;
  while (pending.length > 0) {
    const given = pending[0]?.revision ?? 0;
    const holds = ({ commit }: { commit: Commit }): boolean =>
      commit.compare.every((compare) => (state.get(compare.key)?.revision ?? 0) === compare.revision);
    const changes = ({ commit }: { commit: Commit }): boolean => commit.ops.some((op) => op.type === 'put' || state.has(op.key));
    if (given === revision) {
      // The revision is taken: what else carries it found nothing to delete.
      const [next] = pending.splice(0, 1);
      if (next === undefined || changes(next) || !holds(next))
        throw new Error(`two commits have the revision ${given}, or a compare of one did not hold`);
      continue;
    }
    const index = pending.findIndex((entry) => entry.revision === given && changes(entry) && holds(entry));
    const next = index < 0 ? undefined : pending.splice(index, 1)[0];
    if (next === undefined) throw new Error(`no commit with the revision ${given} could take place after revision ${revision}`);
    const { commit } = next;
    revision = given;
    for (const op of commit.ops) {
      const previous = state.get(op.key);
      if (op.type === 'put') {
        const item = { key: op.key, value: op.value, revision, createRevision: previous?.createRevision ?? revision };
        state.set(op.key, item);
        events.push({ type: 'put', ...item, previous });
      } else if (previous !== undefined) {
        state.delete(op.key);
        events.push({ type: 'delete', key: op.key, revision, previous });
      }
    }
    states.set(revision, rows(state));
    snapshots.push(new Map(state));
  }
  if (states.size - 1 < writes) throw new Error(`${writes} commits wrote something, but there are only ${states.size - 1} revisions`);
  for (const { commit, result } of issued) {
    if (result.committed) continue;
    const fits = snapshots.some(
      (at) =>
        commit.compare.every(({ key }, index) => at.get(key)?.revision === result.current[index]?.revision) &&
        commit.compare.some(({ key, revision: expected }) => (at.get(key)?.revision ?? 0) !== expected),
    );
    if (!fits)
      throw new Error(
        `a commit was refused although there was no moment at which its compares did not hold: ${JSON.stringify(commit.compare)}`,
      );
  }
  return { states, events };
}

function rows(state: ReadonlyMap<string, StoredValue>): readonly Row[] {
  return [...state.values()]
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map((item) => [item.key, Buffer.from(item.value).toString(), item.revision, item.createRevision]);
}
