import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { freePodRange } from './pod-ranges.ts';

test('gives the first range that nobody has', () => {
  expect(freePodRange('10.42.0.0/16', [])).toBe('10.42.0.0/24');
  expect(freePodRange('10.42.0.0/16', ['10.42.0.0/24', '10.42.2.0/24'])).toBe('10.42.1.0/24');
  expect(freePodRange('10.42.0.0/24', ['10.42.0.0/24'])).toBeUndefined();
  expect(freePodRange('10.255.254.0/23', ['10.255.254.0/24'])).toBe('10.255.255.0/24');
});

test('never gives one twice, and all lie in the cluster’s', () => {
  fc.assert(
    fc.property(fc.integer({ min: 16, max: 24 }), (bits) => {
      const taken = new Set<string>();
      for (let range = freePodRange(`10.42.0.0/${bits}`, taken); range !== undefined; range = freePodRange(`10.42.0.0/${bits}`, taken)) {
        expect(taken.has(range)).toBe(false);
        expect(range).toMatch(/^10\.42\.\d+\.0\/24$/);
        taken.add(range);
      }
      expect(taken.size).toBe(2 ** (24 - bits));
    }),
    { numRuns: 9 },
  );
});

test.each(['', '10.42.0.0', '10.42.0.0/33', '10.42.0.0/28', '300.0.0.0/16', 'fd00::/48'])('%p is refused', (cidr) => {
  expect(() => freePodRange(cidr, [])).toThrow('for example 10.42.0.0/16');
});
