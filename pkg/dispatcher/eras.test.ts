import { describe, expect, test } from '@jest/globals';
import { erasOf, hasDiverged } from './eras.ts';

const list = [
  { id: 'a', start: 0 },
  { id: 'b', start: 100 },
  { id: 'c', start: 250 },
];

describe('an agent has diverged', () => {
  test.each([
    ['', 0, false],
    ['a', 100, false],
    ['a', 101, true],
    ['b', 250, false],
    ['b', 251, true],
    ['c', 1_000_000, false],
    ['lost', 1, true],
  ])('from era %p at %d: %p', (era, revision, expected) => {
    expect(hasDiverged(list, era, revision)).toBe(expected);
  });

  test('not merely because its era is too old to be kept', () => {
    const many = Array.from({ length: 500 }, (_, index) => ({ id: `e${index}`, start: 1000 + index * 10 }));
    expect(hasDiverged(many, 'forgotten', 900)).toBe(false);
    expect(hasDiverged(many, 'forgotten', 2000)).toBe(true);
  });
});

test('the newest restore is told apart', () => {
  expect(erasOf(list)).toMatchObject({ current: 'c', restored: '' });
  expect(erasOf([...list, { id: 'd', start: 300, restored: true }, { id: 'e', start: 400 }])).toMatchObject({
    current: 'e',
    restored: 'd',
  });
});
