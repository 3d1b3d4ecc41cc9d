import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { OrderedList } from './ordered-list.ts';

interface Item {
  readonly key: string;
  readonly value: number;
}

const key = (n: number): string => String(n).padStart(5, '0');

test('agrees with a sorted map, and its copies stand still', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ type: fc.constant('set' as const), n: fc.nat(3000) }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('delete' as const), n: fc.nat(3000) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('clone' as const), n: fc.nat(2) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.nat(2000), fc.nat(3000), fc.nat(3000), (steps, preset, from, to) => {
      let list = new OrderedList<Item>();
      let model = new Map<string, number>();
      const copies: [OrderedList<Item>, Map<string, number>][] = [];
      for (let n = 0; n < preset; n++) {
        list.set({ key: key(n * 2), value: -1 });
        model.set(key(n * 2), -1);
      }
      for (const [value, { type, n }] of steps.entries()) {
        if (type === 'set') {
          list.set({ key: key(n), value });
          model.set(key(n), value);
        } else if (type === 'delete') {
          expect(list.delete(key(n))).toBe(model.delete(key(n)));
        } else {
          copies.push([list.clone(), new Map(model)]);
          // Sometimes go on with the copy, and keep the original standing still.
          if (n === 0) {
            const [copy, copyModel] = copies.pop() as [OrderedList<Item>, Map<string, number>];
            copies.push([list, model]);
            [list, model] = [copy, copyModel];
          }
        }
      }
      for (const [each, expected] of [...copies, [list, model] as const]) {
        const sorted = [...expected].toSorted(([a], [b]) => (a < b ? -1 : 1));
        expect([...each.range()].map((item) => [item.key, item.value])).toEqual(sorted);
        expect(each.size).toBe(expected.size);
        const within = sorted.filter(([name]) => name >= key(from) && name < key(to));
        expect([...each.range(key(from), key(to))].map((item) => [item.key, item.value])).toEqual(within);
        if (from <= to) expect(each.count(key(from), key(to))).toBe(within.length);
        expect(each.count(key(from))).toBe(sorted.filter(([name]) => name >= key(from)).length);
        expect(each.get(key(from))?.value).toBe(expected.get(key(from)));
      }
    }),
    { numRuns: 60 },
  );
});
