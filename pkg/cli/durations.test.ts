import { describe, expect, test } from '@jest/globals';
import { parseCount, parseSeconds } from './durations.ts';

describe('lengths of time in flags', () => {
  test.each([
    ['90', 90],
    ['0', 0],
    ['0s', 0],
    ['1.5', 1.5],
    ['90s', 90],
    ['2m', 120],
    ['1h30m', 5400],
    ['500ms', 0.5],
    ['1m0.5s', 60.5],
  ])('%s is %d seconds', (text, seconds) => {
    expect(parseSeconds('--timeout', text)).toBe(seconds);
  });

  test.each(['', 'abc', '5 s', '-5s', '5d', '5s!', 's', '1h 2m', 'Infinity', '1e3'])('%j is refused, with the name of the flag', (text) => {
    expect(() => parseSeconds('--timeout', text)).toThrow(`--timeout is a length of time such as 30s, 2m or 1h, not "${text}"`);
  });
});

describe('whole numbers in flags', () => {
  test.each(['', '-1', '1.5', 'x', '1e3', '99999999999'])('%j is refused', (text) => {
    expect(() => parseCount('--replicas', text)).toThrow('--replicas is a whole number from 0');
  });

  test('are read', () => {
    expect(parseCount('--replicas', '007')).toBe(7);
  });
});
