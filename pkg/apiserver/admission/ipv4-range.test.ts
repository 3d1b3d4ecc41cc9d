import { describe, expect, test } from '@jest/globals';
import { Ipv4Range, parseIpv4 } from './ipv4-range.ts';

describe('IPv4 range', () => {
  test('gives out all but the first and the last address', () => {
    const range = new Ipv4Range('10.96.0.0/29');
    expect(Array.from({ length: range.size }, (_, index) => range.at(index))).toEqual([
      '10.96.0.1',
      '10.96.0.2',
      '10.96.0.3',
      '10.96.0.4',
      '10.96.0.5',
      '10.96.0.6',
    ]);
    for (const outside of ['10.96.0.0', '10.96.0.7', '10.95.255.255', '10.96.0.8', 'x', '10.96.0']) expect(range.has(outside)).toBe(false);
    expect(range.has('10.96.0.6')).toBe(true);
  });

  test('begins at the network of the address given', () => {
    expect(new Ipv4Range('10.96.5.7/16').at(0)).toBe('10.96.0.1');
  });

  test('refuses what is no range', () => {
    for (const bad of ['', '10.96.0.0', '10.96.0.0/31', '10.96.0.0/x', 'fd00::/8', '256.0.0.0/16'])
      expect(() => new Ipv4Range(bad)).toThrow(/no IPv4 range/);
  });

  test('knows plain addresses alone', () => {
    expect(parseIpv4('255.255.255.255')).toBe(2 ** 32 - 1);
    for (const bad of ['1.2.3', '01.2.3.4', '1.2.3.256', '1.2.3.4 ', '::1']) expect(parseIpv4(bad)).toBeUndefined();
  });
});
