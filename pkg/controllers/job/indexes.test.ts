import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { indexesOf, indexesText } from './indexes.ts';

test('indexes are written as ranges from three in a row, and read back', () => {
  expect(indexesText([6, 0, 2, 1, 5])).toBe('0-2,5,6');
  expect(indexesText([])).toBe('');
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(60)), (indexes) => {
      expect(indexesOf(indexesText(indexes))).toEqual(new Set(indexes));
    }),
  );
});
