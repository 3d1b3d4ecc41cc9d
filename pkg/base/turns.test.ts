import { expect, test } from '@jest/globals';
import { Turns } from './turns.ts';

test('one slice is done in a turn of the event loop, whose turn it is', async () => {
  const turns = new Turns();
  const done: string[] = [];
  let turn = 0;
  let counting = true;
  const count = (): void => {
    turn++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  const work = async (name: string): Promise<void> => {
    for (let slice = 0; slice < 3; slice++) {
      await turns.next();
      done.push(`${name}${slice} ${turn}`);
    }
  };
  await Promise.all([work('a'), work('b'), work('c')]);
  counting = false;
  expect(done.map((entry) => entry.split(' ')[0])).toEqual(['a0', 'b0', 'c0', 'a1', 'b1', 'c1', 'a2', 'b2', 'c2']);
  expect(new Set(done.map((entry) => entry.split(' ')[1])).size).toBe(9);
});
