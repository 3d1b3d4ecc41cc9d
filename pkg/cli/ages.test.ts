import { expect, test } from '@jest/globals';
import { ManualClock } from '#base/manual-clock';
import { formatAge } from './ages.ts';

test('an age is taken from the clock, and is unknown without a stamp', () => {
  const clock = new ManualClock(Date.parse('2026-01-01T00:01:00Z'));
  expect(formatAge('2026-01-01T00:00:00Z', clock)).toBe('60s');
  expect(formatAge(undefined, clock)).toBe('<unknown>');
});
