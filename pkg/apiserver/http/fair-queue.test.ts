import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { StatusError } from '#base/errors';
import { ManualClock } from '#base/manual-clock';
import { FairQueue, type FairQueueOptions, type Level, type Seat } from './fair-queue.ts';

const levels = { light: { seats: 6, queue: 3 }, lists: { seats: 4, queue: 2 } };
const small = { seats: 10, levels, queue: 7, patience: 1000, stalled: 2 };
const never = (): AbortSignal => new AbortController().signal;

function make(options: Partial<FairQueueOptions> = {}): { readonly queue: FairQueue; readonly clock: ManualClock } {
  const clock = new ManualClock();
  return { queue: new FairQueue({ clock, ...small, ...options }), clock };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

function take(queue: FairQueue, count: number, user = 'ann', level: Level = 'light', width = 1): Seat[] {
  return Array.from({ length: count }, () => queue.take(user, level, width)!);
}

describe('a fair queue', () => {
  test('lets in at once what finds seats, and keeps some for others', () => {
    const { queue } = make();
    expect(take(queue, 6).every((seat) => seat !== undefined)).toBe(true);
    expect(queue.take('ann', 'light', 1)).toBeUndefined();
    expect(queue.take('ann', 'lists', 1)).toBeDefined();
    expect(queue.take('bob', 'light', 1)).toBeDefined();
  });

  test('refuses what finds its queue full, with a time to come again', async () => {
    const { queue } = make();
    take(queue, 6);
    for (let number = 0; number < 3; number++) void queue.wait('ann', 'light', 1, never());
    const error = await queue.wait('ann', 'light', 1, never()).catch((refused: unknown) => refused);
    expect(error).toMatchObject({ reason: 'TooManyRequests', code: 429, details: { retryAfterSeconds: 1 } });
    expect(error).toBeInstanceOf(StatusError);
    expect(queue.figures.light).toMatchObject({ executing: 6, queued: 3, rejected: { 'queue-full': 1 } });
  });

  test('refuses what waits too long, and forgets what nobody waits for', async () => {
    const { queue, clock } = make();
    const [first] = take(queue, 6);
    const late = queue.wait('ann', 'light', 1, never()).catch((error: unknown) => error);
    await clock.advance(1000);
    expect(await late).toMatchObject({ code: 429 });
    const gone = new AbortController();
    const left = queue.wait('ann', 'light', 1, gone.signal).catch((error: unknown) => error);
    gone.abort('gone');
    expect(await left).toBe('gone');
    expect(queue.figures.light).toMatchObject({ queued: 0, rejected: { 'time-out': 1 } });
    first!.leave();
    expect(queue.take('ann', 'light', 1)).toBeDefined();
  });

  test('serves users in turn, however many requests one of them has waiting', async () => {
    const { queue } = make({ seats: 6 });
    const seats = take(queue, 6, 'carl');
    const order: string[] = [];
    for (const user of ['ann', 'ann', 'ann', 'bob', 'dora']) {
      void queue.wait(user, 'light', 1, never()).then(() => order.push(user));
    }
    for (const seat of seats) {
      seat.leave();
      await settled();
    }
    expect(order).toEqual(['ann', 'bob', 'dora', 'ann', 'ann']);
  });

  test('serves a wide request less often, but does not let narrow ones pass it for ever', async () => {
    const { queue } = make({ seats: 4 });
    const [first, second] = take(queue, 2, 'carl', 'light', 2);
    let wide = false;
    void queue.wait('ann', 'lists', 4, never()).then(() => {
      wide = true;
    });
    first!.leave();
    expect(queue.take('bob', 'light', 1)).toBeUndefined();
    second!.leave();
    await settled();
    expect(wide).toBe(true);
  });

  test('takes seats back from those whose client holds them up, and gives up where there are too many', () => {
    const { queue } = make();
    const seats = take(queue, 6);
    expect(seats.slice(0, 3).map((seat) => seat.stall())).toEqual([true, true, false]);
    expect(queue.figures.light.seats).toBe(4);
    for (const seat of seats) {
      seat.leave();
      seat.leave();
    }
    expect(queue.figures.light).toMatchObject({ seats: 0, executing: 0 });
    expect(take(queue, 2).map((seat) => seat.stall())).toEqual([true, true]);
  });

  test('holds its bounds, wastes no seat and leaves nobody waiting, whatever comes', async () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constant('ask' as const),
        user: fc.constantFrom('ann', 'bob', 'carl'),
        level: fc.constantFrom<Level>('light', 'lists'),
        width: fc.integer({ min: 1, max: 8 }),
      }),
      fc.record({ do: fc.constantFrom('leave' as const, 'stall' as const, 'cancel' as const), which: fc.nat(20) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { queue } = make();
        const seats: Seat[] = [];
        const waits: AbortController[] = [];
        let refused = 0;
        let open = 0;
        for (const one of steps) {
          if (one.do === 'ask') {
            const seat = queue.take(one.user, one.level, one.width);
            if (seat !== undefined) seats.push(seat);
            else {
              const gone = new AbortController();
              waits.push(gone);
              open++;
              void queue.wait(one.user, one.level, one.width, gone.signal).then(
                (given) => {
                  open--;
                  seats.push(given);
                },
                () => {
                  open--;
                  refused++;
                },
              );
            }
          } else if (one.do === 'cancel') waits[one.which % Math.max(1, waits.length)]?.abort();
          else seats[one.which % Math.max(1, seats.length)]?.[one.do]();
          await settled();
          const { light, lists } = queue.figures;
          expect(light.seats + lists.seats).toBeLessThanOrEqual(small.seats);
          expect(lists.queued + light.queued).toBe(open);
          expect(lists.queued + light.queued).toBeLessThanOrEqual(small.queue);
        }
        for (let round = 0; open > 0 && round < 100; round++) {
          for (const seat of seats.splice(0)) seat.leave();
          await settled();
        }
        for (const seat of seats) seat.leave();
        expect(open).toBe(0);
        expect(queue.figures.light).toMatchObject({ seats: 0, queued: 0, executing: 0 });
        expect(queue.figures.lists).toMatchObject({ seats: 0, queued: 0, executing: 0 });
        expect(refused).toBeLessThanOrEqual(waits.length);
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  test('gives those who always have something waiting equal shares by width', async () => {
    const { queue } = make({ seats: 4, levels: { light: { seats: 4, queue: 1000 }, lists: { seats: 4, queue: 1000 } }, queue: 2000 });
    const held = take(queue, 4, 'carl');
    const given = { ann: 0, bob: 0 };
    const seats: Seat[] = [];
    const ask = (user: 'ann' | 'bob', level: Level, width: number): void =>
      void queue.wait(user, level, width, never()).then((seat) => {
        given[user] += width;
        seats.push(seat);
      });
    for (let number = 0; number < 100; number++) ask('ann', 'lists', 4);
    for (let number = 0; number < 400; number++) ask('bob', 'light', 1);
    for (const seat of held) seat.leave();
    for (let round = 0; round < 100; round++) {
      await settled();
      for (const seat of seats.splice(0)) seat.leave();
    }
    expect(Math.abs(given.ann - given.bob)).toBeLessThanOrEqual(8);
  });
});
