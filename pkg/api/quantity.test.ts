import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  milliOf,
  parseQuantity,
  quantityOf,
  subtractQuantities,
  unitsOf,
} from './quantity.ts';

test.each([
  ['0', '0'],
  ['-0', '0'],
  ['1000m', '1'],
  ['0.5', '500m'],
  ['.5', '500m'],
  ['1.', '1'],
  ['+3', '3'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
  ['100000', '100k'],
  ['1500', '1500'],
  ['0.1Gi', '107374182400m'],
  ['512Ki', '512Ki'],
  ['0.5Ki', '512'],
  ['1e3', '1e3'],
  ['1500e3', '1500e3'],
  ['1E3', '1e3'],
  ['1E', '1E'],
  ['12e6', '12e6'],
  ['0.0000000001', '1n'],
  ['1e-12', '1e-9'],
  ['100', '100'],
  ['-1.5Gi', '-1536Mi'],
  ['99999999999999999999', '9223372036854775807'],
  ['1e9999', '9223372036854775807'],
  ['123.456u', '123456n'],
])('%s is spelled %s', (text, canonical) => {
  expect(canonicalQuantity(text)).toBe(canonical);
});

test.each(['', ' ', '1x', '1 Gi', 'Gi', '1.2.3', '--1', '1kk', '1e', '1e+', 'NaN', '0x10', '1Gi5', '1ki', '.', '1'.repeat(300)])(
  '%j is refused',
  (text) => {
    expect(() => canonicalQuantity(text)).toThrow(/quantit/);
  },
);

describe('quantities of any size', () => {
  const suffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'Ki', 'Mi', 'Gi', 'e3', 'e-3', 'E6'];
  const amounts = fc
    .tuple(fc.bigInt({ min: -(10n ** 6n), max: 10n ** 6n }), fc.constantFrom(...suffixes))
    .map(([number, suffix]) => `${number}${suffix}`);

  test('their canonical spelling is their own canonical spelling, and the same amount', () => {
    fc.assert(
      fc.property(amounts, (text) => {
        const canonical = canonicalQuantity(text);
        expect(canonicalQuantity(canonical)).toBe(canonical);
        expect(compareQuantities(parseQuantity(text), parseQuantity(canonical))).toBe(0);
      }),
    );
  });

  test('adding and then subtracting gives the first again', () => {
    fc.assert(
      fc.property(amounts, amounts, (a, b) => {
        const [left, right] = [parseQuantity(a), parseQuantity(b)];
        expect(compareQuantities(subtractQuantities(addQuantities(left, right), right), left)).toBe(0);
        expect(Math.sign(compareQuantities(left, right))).toBe(-Math.sign(compareQuantities(right, left)) + 0);
      }),
    );
  });
});

test('whole units and thousandths are rounded away from zero', () => {
  expect([unitsOf('1.5Gi'), unitsOf('1m'), milliOf('1.5'), milliOf('1u')]).toEqual([1610612736, 1, 1500, 1]);
  expect(formatQuantity(quantityOf(2048, 'BinarySI'))).toBe('2Ki');
});
