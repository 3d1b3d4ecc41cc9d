/** Whether a commit took place, told by the events of the time in which it must have: pure. */
import type { Commit, Revision, StoreEvent } from '../backend.ts';

/**
 * The revision at which the commit took place; undefined if it did not. `events` are all events of those of its keys that begin with
 * `prefix`, in order.
 * A commit of somebody else that did the very same to the same keys counts as this one: nobody could tell them apart.
 */
export function findCommit({ compare, ops }: Commit, events: readonly StoreEvent[], prefix: string): Revision | undefined {
  const byRevision = new Map<Revision, Map<string, StoreEvent>>();
  for (const event of events) {
    const group = byRevision.get(event.revision) ?? new Map<string, StoreEvent>();
    group.set(event.key, event);
    byRevision.set(event.revision, group);
  }
  const expected = new Map(compare.map(({ key, revision }) => [key, revision]));
  for (const [revision, group] of byRevision) {
    let matched = 0;
    const fits = ops.every((op) => {
      const event = group.get(op.key);
      // A put always makes an event; a deletion does not where there was nothing.
      if (event === undefined) return op.type === 'delete' || !op.key.startsWith(prefix);
      matched++;
      if (event.type !== op.type) return false;
      if ((expected.get(op.key) ?? event.previous?.revision ?? 0) !== (event.previous?.revision ?? 0)) return false;
      return event.type === 'delete' || op.type === 'delete' || Buffer.compare(event.value, op.value) === 0;
    });
    if (fits && matched > 0 && matched === group.size) return revision;
  }
  return undefined;
}
