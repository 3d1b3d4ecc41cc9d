import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type PendingPod, PendingPods } from './pending-pods.ts';
import { testPod } from './testing.ts';

type Step = { readonly do: 'put' | 'remove' | 'next' | 'park' | 'give back' | 'wake' | 'change'; readonly pick: number };

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('put', 'put', 'put', 'remove', 'next', 'park', 'give back', 'wake', 'change'),
  pick: fc.nat(9),
});

test('a pending pod is in one place alone, and leaves by removal alone, whatever happens', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const pending = new PendingPods();
      const there = new Set<string>();
      const inHand: PendingPod[] = [];
      const podOf = (pick: number, cpu = `${(pick % 3) + 1}`) => testPod(`p${pick}`, { cpu, spec: { priority: pick % 2 } });
      for (const { do: what, pick } of steps) {
        const pod = podOf(pick);
        const uid = pod.metadata.uid ?? '';
        if (what === 'put') {
          pending.put(`default/p${pick}`, pod);
          there.add(uid);
        } else if (what === 'change' && there.has(uid)) {
          pending.put(`default/p${pick}`, podOf(pick, '9'));
        } else if (what === 'remove') {
          pending.remove(uid);
          there.delete(uid);
        } else if (what === 'next') {
          const next = pending.next();
          if (next !== undefined) inHand.push(next);
        } else if (what === 'park') {
          const held = inHand.pop();
          if (held !== undefined) pending.park(held);
        } else if (what === 'give back') {
          const held = inHand.pop();
          if (held !== undefined) pending.activate(held);
        } else if (what === 'wake') {
          const [parked] = pending.parked.values();
          if (parked !== undefined) pending.wake(parked);
        }
        const open = inHand.filter((each) => there.has(each.uid) && pending.get(each.uid) === each).length;
        expect(pending.size).toBe(there.size);
        expect(pending.active + pending.parkedCount + open).toBe(there.size);
      }
      for (const held of inHand) pending.activate(held);
      for (const parked of [...pending.parked.values()]) pending.wake(parked);
      const order: PendingPod[] = [];
      for (let next = pending.next(); next !== undefined; next = pending.next()) order.push(next);
      expect(new Set(order.map(({ uid }) => uid))).toEqual(there);
      expect(order).toHaveLength(there.size);
      expect(order).toEqual(order.toSorted((a, b) => b.priority - a.priority || a.order - b.order));
    }),
    { numRuns: 300 },
  );
});
