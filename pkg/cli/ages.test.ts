import { expect, test } from '@jest/globals';
import { ManualClock } from '#base/manual-clock';
import { formatAge, formatDuration } from './ages.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

test.each([
  [0, '0s'],
  [119_000, '119s'],
  [2 * minute, '2m'],
  [9 * minute + 5000, '9m5s'],
  [10 * minute + 5000, '10m'],
  [179 * minute, '179m'],
  [3 * hour, '3h'],
  [7 * hour + 20 * minute, '7h20m'],
  [8 * hour + 20 * minute, '8h'],
  [47 * hour, '47h'],
  [2 * day + hour, '2d1h'],
  [8 * day + hour, '8d'],
  [800 * day, '2y'],
])('%d ms is %s', (milliseconds, expected) => {
  expect(formatDuration(milliseconds)).toBe(expected);
});

test('an age is taken from the clock, and is unknown without a stamp', () => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:01:00Z'));
  expect(formatAge('2026-01-01T00:00:00Z', clock)).toBe('60s');
  expect(formatAge(undefined, clock)).toBe('<unknown>');
});
