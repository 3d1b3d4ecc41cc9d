import { expect, test } from '@jest/globals';
import { SlowConsumerError } from './backend.ts';
import { EventLog } from './event-log.ts';

interface Event {
  readonly at: number;
}

function logOf(maximum = 1_000_000): { readonly log: EventLog<Event>; add(count: number, bytes?: number): void } {
  const log = new EventLog<Event>(0, maximum);
  let at = 0;
  return {
    log,
    add: (count, bytes = 0) => {
      for (let index = 0; index < count; index++) log.push({ at: ++at }, bytes);
      log.advance(at);
    },
  };
}

test('readers that are equally far take the very same list; others what they lack', async () => {
  const { log, add } = logOf();
  const [first, second] = [log.open(0), log.open(0)];
  add(3);
  const late = log.open(3);
  const taken = await first.take();
  expect(taken).toEqual({ events: [{ at: 1 }, { at: 2 }, { at: 3 }], revision: 3 });
  expect((await second.take())?.events).toBe(taken?.events);
  add(2);
  expect(await late.take()).toEqual({ events: [{ at: 4 }, { at: 5 }], revision: 5 });
  expect(await first.take()).toEqual({ events: [{ at: 4 }, { at: 5 }], revision: 5 });
  expect([first.empty, second.empty, second.revisionTaken]).toEqual([true, false, 3]);
});

test('wakes who waits, and only then', async () => {
  const { log, add } = logOf();
  const reader = log.open(0);
  const taking = reader.take();
  log.push({ at: 1 }, 0);
  let woken = false;
  void taking.then(() => {
    woken = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(woken).toBe(false);
  log.advance(1);
  expect((await taking)?.events).toEqual([{ at: 1 }]);
  add(0);
});

test('drops the reader that leaves too much, and keeps the events of the others', async () => {
  const { log, add } = logOf(100_000);
  const [slow, fast] = [log.open(0), log.open(0)];
  let seen = 0;
  for (let round = 0; round < 50; round++) {
    add(10, 100);
    seen += (await fast.take())?.events.length ?? 0;
  }
  expect(seen).toBe(500);
  await expect(slow.take()).rejects.toBeInstanceOf(SlowConsumerError);
  expect(log.readers).toBe(1);
  add(1);
  expect((await fast.take())?.events).toHaveLength(1);
});

test('what waits when it ends is still given, once', async () => {
  const { log, add } = logOf();
  const reader = log.open(0);
  const waiting = log.open(0);
  add(2);
  await waiting.take();
  const taking = waiting.take();
  log.end();
  expect(await taking).toBeUndefined();
  expect(await reader.take()).toEqual({ events: [{ at: 1 }, { at: 2 }], revision: 2 });
  expect(await reader.take()).toBeUndefined();
  add(1);
  expect(await reader.take()).toBeUndefined();
});
