import { expect, test } from '@jest/globals';
import { ManualClock } from '#base/manual-clock';
import { WatchRounds } from './watch-rounds.ts';

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test('one watch may write again after 8 ms; a thousand wait 50 ms, and then all go', async () => {
  const clock = new ManualClock();
  const rounds = new WatchRounds(clock);
  let written = 0;
  const rest = (count: number): void => {
    for (let index = 0; index < count; index++) void rounds.next().then(() => written++);
  };
  rest(1);
  await clock.advance(7);
  await turns();
  expect(written).toBe(0);
  await clock.advance(1);
  await turns();
  expect(written).toBe(1);
  rest(1000);
  await clock.advance(49);
  await turns();
  expect(written).toBe(1);
  await clock.advance(1);
  await turns();
  expect(written).toBe(1001);
});

test('the rest has an end, however many watches there are', async () => {
  const clock = new ManualClock();
  const rounds = new WatchRounds(clock);
  const all = Promise.all(Array.from({ length: 8000 }, () => rounds.next()));
  for (let time = 0; time < 200; time += 8) await clock.advance(8);
  await all;
});
