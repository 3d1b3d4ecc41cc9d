import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deepEqual } from './equality.ts';
import { FieldErrors } from './field-errors.ts';
import { deepFreeze } from './freeze.ts';
import { canonicalJson, randomSuffix, shortHash } from './hash.ts';
import { humanDuration } from './human-duration.ts';
import { scaledValue } from './int-or-string.ts';
import {
  checkConfigKey,
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkPortName,
  checkQualifiedName,
} from './names.ts';
import { canonicalMicroTimeOf, canonicalTimeOf, millisecondsOf } from './schema/time.ts';

describe('equality and hashes', () => {
  test('the order of keys and undefined members do not matter, all else does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(deepEqual(a, JSON.parse(JSON.stringify(a)))).toBe(true);
        expect(deepEqual(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
      }),
    );
    expect(deepEqual({ a: 1, b: undefined }, { a: 1 })).toBe(true);
    expect(deepEqual({ a: undefined }, { b: undefined })).toBe(true);
    expect(deepEqual({ a: 1 }, { b: 1 })).toBe(false);
    expect(deepEqual([1], { 0: 1 })).toBe(false);
  });

  test('a hash is short, in the safe alphabet, the same for equal values and another with a salt', () => {
    expect(shortHash({ a: 1, b: 2 })).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{10}$/);
    expect(shortHash({ a: 1, b: 2 })).toBe(shortHash({ b: 2, a: 1 }));
    expect(shortHash({ a: 1 })).not.toBe(shortHash({ a: 1 }, '1'));
    expect(randomSuffix(() => 0)).toBe('bbbbb');
  });
});

test('deepFreeze freezes all the way down', () => {
  const value = deepFreeze({ a: [{ b: {} }] });
  expect(Object.isFrozen(value.a[0]?.b)).toBe(true);
});

test.each([
  [-5000, '<invalid>'],
  [0, '0s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [200_000, '3m20s'],
  [25 * 60_000, '25m'],
  [179 * 60_000, '179m'],
  [3 * 3_600_000, '3h'],
  [5.5 * 3_600_000, '5h30m'],
  [47 * 3_600_000, '47h'],
  [52 * 3_600_000, '2d4h'],
  [10 * 86_400_000, '10d'],
  [800 * 86_400_000, '2y70d'],
  [4000 * 86_400_000, '10y'],
])('%d ms are %s', (milliseconds, text) => {
  expect(humanDuration(milliseconds)).toBe(text);
});

test('times are spelled in UTC; dates that do not exist are none', () => {
  expect(canonicalTimeOf('2024-02-29T23:59:59-01:00')).toBe('2024-03-01T00:59:59Z');
  expect(canonicalTimeOf('2023-02-29T00:00:00Z')).toBeUndefined();
  expect(canonicalTimeOf('2023-01-01')).toBeUndefined();
  expect(canonicalMicroTimeOf('2023-01-01T00:00:00.1234567Z')).toBe('2023-01-01T00:00:00.123456Z');
  expect(millisecondsOf('1970-01-01T00:00:01.5Z')).toBe(1500);
});

test('percentages are rounded as asked', () => {
  expect([scaledValue('25%', 5, true), scaledValue('25%', 5, false), scaledValue(3, 5, true), scaledValue('x', 5, true)]).toEqual([
    2,
    1,
    3,
    undefined,
  ]);
});

test('names', () => {
  expect(checkDns1123Label('a-1')).toEqual([]);
  expect(checkDns1123Label('a.b')).toHaveLength(1);
  expect(checkDns1123Label('a'.repeat(64))).toEqual(['must be no more than 63 bytes']);
  expect(checkDns1123Subdomain('a.b-c.d')).toEqual([]);
  expect(checkDns1123Subdomain('a..b')).toHaveLength(1);
  expect(checkDns1035Label('1a')).toEqual([
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  ]);
  expect(checkQualifiedName('example.com/A_b')).toEqual([]);
  expect(checkQualifiedName('/a')).toEqual(['prefix part must be non-empty']);
  expect(checkLabelValue('')).toEqual([]);
  expect(checkLabelValue('a b')).toHaveLength(1);
  expect(checkConfigKey('..a')).toEqual(["must not start with '..'"]);
  expect(checkPortName('http--')).toEqual(['must not contain consecutive hyphens', 'must not begin or end with a hyphen']);
});

test('one fault stands alone, several in brackets, each once; all are causes', () => {
  const errors = new FieldErrors();
  errors.required('spec.image');
  expect(() => errors.throwIfAny({ group: '', kind: 'Pod' }, 'x')).toThrow('Pod "x" is invalid: spec.image: Required value');
  errors.required('spec.image');
  errors.notSupported('spec.policy', 'no', ['Always', 'Never']);
  try {
    errors.throwIfAny({ group: 'apps', kind: 'Deployment' }, 'x');
  } catch (error) {
    expect(error).toMatchObject({
      code: 422,
      message:
        'Deployment.apps "x" is invalid: [spec.image: Required value, spec.policy: Unsupported value: "no": supported values: "Always", "Never"]',
      details: {
        name: 'x',
        group: 'apps',
        kind: 'Deployment',
        causes: [{}, {}, { reason: 'FieldValueNotSupported', field: 'spec.policy' }],
      },
    });
  }
});

test('of faults without number a thousand are told, and that there are more; of long ones fewer', () => {
  const errors = new FieldErrors();
  for (let index = 0; index < 100_000; index++) errors.invalid(`a[${index}]`, index, 'no');
  expect(errors.list).toHaveLength(1001);
  expect(errors.list.at(-1)?.message).toContain('more faults');
  const long = new FieldErrors();
  const references = Array.from({ length: 5000 }, () => ({ name: 'x'.repeat(100) }));
  for (let index = 0; index < 5000; index++) long.invalid('a', references, 'no');
  expect(JSON.stringify(long.list).length).toBeLessThan(1_000_000);
  errors.addAll(long);
  expect(errors.list).toHaveLength(1001);
});
