import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findDuplicateKeys } from './json-scan.ts';

describe('findDuplicateKeys', () => {
  test('names each key that occurs again by its path', () => {
    expect(findDuplicateKeys('{"a":1,"b":{"c":[{"d":1},{"e":1,"e":2}],"a":1},"a":2}')).toEqual(['b.c[1].e', 'a']);
    expect(findDuplicateKeys('{"a":1,"\\u0061":2}')).toEqual(['a']);
    expect(findDuplicateKeys('{"a":"a\\\\","b":"\\"a\\":","c":{}, "b":1}')).toEqual(['b']);
  });

  test('finds none in what JSON.stringify writes', () => {
    fc.assert(fc.property(fc.json(), (text) => expect(findDuplicateKeys(text)).toEqual([])));
    fc.assert(fc.property(fc.jsonValue(), (value) => expect(findDuplicateKeys(JSON.stringify(value, null, 2))).toEqual([])));
  });

  test('ends on any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', 'a') }), (text) => {
        expect(Array.isArray(findDuplicateKeys(text))).toBe(true);
      }),
    );
  });

  test('refuses nesting that only serves to harm', () => {
    expect(() => findDuplicateKeys('['.repeat(3_000_000))).toThrow(/nested more than 500/);
    expect(() => findDuplicateKeys('{"a":'.repeat(600_000))).toThrow(/nested more than 500/);
  });
});
