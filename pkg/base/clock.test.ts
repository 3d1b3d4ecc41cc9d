import { describe, expect, test } from '@jest/globals';
import { backoffDelay } from './backoff.ts';
import { formatMicroTime, formatTime, systemClock } from './clock.ts';
import { ManualClock } from './manual-clock.ts';

describe('ManualClock', () => {
  test('wakes sleepers in order of their time, and stands still otherwise', async () => {
    const clock = new ManualClock();
    const woken: string[] = [];
    const later = clock.sleep(200).then(() => woken.push('later'));
    const sooner = clock.sleep(100).then(() => woken.push('sooner'));
    await clock.advance(99);
    expect(woken).toEqual([]);
    await clock.advance(101);
    await Promise.all([later, sooner]);
    expect(woken).toEqual(['sooner', 'later']);
    expect(clock.waiting).toBe(0);
  });

  test('what is scheduled while time moves is still due on the way', async () => {
    const clock = new ManualClock();
    const fired: number[] = [];
    clock.schedule(10, () => clock.schedule(10, () => fired.push(clock.monotonic())));
    await clock.advance(50);
    expect(fired).toEqual([20]);
  });

  test('an aborted sleep rejects and leaves nothing behind', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const sleep = clock.sleep(1000, controller.signal);
    controller.abort();
    await expect(sleep).rejects.toMatchObject({ name: 'AbortError' });
    expect(clock.waiting).toBe(0);
  });
});

test('the system clock gives up a sleep when the signal aborts, before and during it', async () => {
  const controller = new AbortController();
  const sleep = systemClock.sleep(60_000, controller.signal);
  controller.abort();
  await expect(sleep).rejects.toMatchObject({ name: 'AbortError' });
  await expect(systemClock.sleep(1, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
});

test('times have the forms of meta.v1.Time and MicroTime', () => {
  expect(formatTime(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe('2026-01-02T03:04:05Z');
  expect(formatMicroTime(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe('2026-01-02T03:04:05.678000Z');
});

test('back-off grows to its maximum and takes jitter from below', () => {
  const options = { initial: 100, maximum: 1000 };
  expect([0, 1, 2, 3, 4, 500].map((attempt) => backoffDelay(options, attempt))).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(backoffDelay({ ...options, jitter: 0.5 }, 0, () => 0)).toBe(50);
});
