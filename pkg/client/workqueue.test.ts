import { describe, expect, test } from '@jest/globals';
import { ManualClock } from '#base/manual-clock';
import { createWorkQueue } from './workqueue.ts';

const never = new AbortController().signal;

describe('a work queue', () => {
  test('holds a key once, and gives keys in the order in which they came', async () => {
    const queue = createWorkQueue({ clock: new ManualClock() });
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.length).toBe(3);
    expect([await queue.take(never), await queue.take(never), await queue.take(never)]).toEqual(['a', 'b', 'c']);
  });

  test('gives a key that is added while it is worked on again, but only when it is done', async () => {
    const queue = createWorkQueue({ clock: new ManualClock() });
    queue.add('a');
    await queue.take(never);
    queue.add('a');
    queue.add('a');
    expect(queue.length).toBe(0);
    queue.done('a');
    expect(await queue.take(never)).toBe('a');
    queue.done('a');
    expect(queue.length).toBe(0);
  });

  test('makes a failing key wait longer each time, until it is forgotten', async () => {
    const clock = new ManualClock();
    const queue = createWorkQueue({ clock, backoff: { initial: 100, maximum: 300 } });
    const waits: number[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      queue.retry('a');
      const before = clock.monotonic();
      while (queue.length === 0) await clock.advance(50);
      waits.push(clock.monotonic() - before);
      queue.done(await queue.take(never));
    }
    expect(waits).toEqual([100, 200, 300, 300]);
    expect(queue.failures('a')).toBe(4);
    queue.forget('a');
    queue.retry('a');
    await clock.advance(100);
    expect(queue.length).toBe(1);
  });

  test('keeps the earlier of two delays, and a due key is not put off', async () => {
    const clock = new ManualClock();
    const queue = createWorkQueue({ clock });
    queue.addAfter('a', 1000);
    queue.addAfter('a', 100);
    queue.addAfter('a', 5000);
    await clock.advance(100);
    expect(queue.length).toBe(1);
    queue.addAfter('a', 100);
    queue.done(await queue.take(never));
    await clock.advance(10_000);
    expect(queue.length).toBe(0);
  });

  test('works on different keys at once and never on one twice at once', async () => {
    const queue = createWorkQueue<number>({ clock: new ManualClock() });
    const stop = new AbortController();
    const running = new Set<number>();
    let most = 0;
    let worked = 0;
    for (let key = 0; key < 10; key++) queue.add(key);
    await queue.process(
      3,
      async (key) => {
        expect(running.has(key)).toBe(false);
        running.add(key);
        most = Math.max(most, running.size);
        if (worked < 100) queue.add(key);
        await new Promise((resolve) => setImmediate(resolve));
        running.delete(key);
        if (++worked >= 110) stop.abort();
      },
      stop.signal,
    );
    expect(most).toBe(3);
  });

  test('ends with what the work throws', async () => {
    const queue = createWorkQueue({ clock: new ManualClock() });
    queue.add('a');
    await expect(queue.process(2, () => Promise.reject(new Error('defect')), never)).rejects.toThrow('defect');
  });

  test('loses no wake-up when the taker that was woken leaves', async () => {
    const queue = createWorkQueue({ clock: new ManualClock() });
    const leaving = new AbortController();
    const first = queue.take(leaving.signal);
    const second = queue.take(never);
    queue.add('a');
    leaving.abort();
    const [one] = await Promise.allSettled([first]);
    if (one?.status === 'fulfilled') queue.add('b');
    await expect(second).resolves.toMatch(/a|b/);
  });
});

test('a long queue of work that waits for nothing lets others run in between, and each key comes once and in order', async () => {
  const queue = createWorkQueue<number>({ clock: new ManualClock() });
  const stop = new AbortController();
  for (let key = 0; key < 5000; key++) queue.add(key);
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  const seen: number[] = [];
  const processing = queue.process(
    4,
    async (key) => {
      seen.push(key);
      if (key === 10) queue.add(5000);
      if (key === 5000) stop.abort();
    },
    stop.signal,
  );
  await processing;
  counting = false;
  expect(turns).toBeGreaterThan(500);
  expect(seen).toEqual(Array.from({ length: 5001 }, (_, key) => key));
});
