import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import { UsageError, type VerbContext } from './verb.ts';
import { type Round, waitUntilWell } from './wait.ts';

/** Time that passes when it is slept, and not otherwise. */
function sleepingClock(): Clock & { readonly elapsed: number } {
  let elapsed = 0;
  return {
    get elapsed() {
      return elapsed;
    },
    now: () => elapsed,
    monotonic: () => elapsed,
    sleep: (ms, signal) => {
      elapsed += ms;
      return signal?.aborted ? Promise.reject(signal.reason) : Promise.resolve();
    },
    schedule: () => ({ cancel: () => undefined }),
  };
}

function bench(): { clock: ReturnType<typeof sleepingClock>; context: VerbContext; stderr(): string; stop: AbortController } {
  const clock = sleepingClock();
  let text = '';
  const stderr = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  const stop = new AbortController();
  return { clock, context: { clock, stderr, environment: {}, signal: stop.signal } as unknown as VerbContext, stderr: () => text, stop };
}

const pod = (status: object, name = 'web'): Pod => ({ metadata: { name, uid: name }, spec: { containers: [] }, status }) as unknown as Pod;
const unscheduled = pod({ conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' }] });
const noImage = pod({ containerStatuses: [{ name: 'main', state: { waiting: { reason: 'ImagePullBackOff' } } }] });
const waiting = (...pods: Pod[]): Round => ({ rows: [], verdict: 'waiting', pods });

describe('waiting', () => {
  test('ends when all is well, and when it has failed', async () => {
    for (const verdict of ['done', 'failed'] as const) {
      const { context } = bench();
      let rounds = 0;
      const end = await waitUntilWell(context, 60_000, () => Promise.resolve(++rounds < 4 ? waiting() : { rows: [], verdict, pods: [] }));
      expect([end, rounds]).toEqual([verdict, 4]);
    }
  });

  test('ends when the time is up; with no time, after one look', async () => {
    const { clock, context } = bench();
    expect(await waitUntilWell(context, 10_000, () => Promise.resolve(waiting()))).toBe('late');
    expect(clock.elapsed).toBe(10_000);
    let looks = 0;
    expect(
      await waitUntilWell(bench().context, 0, () =>
        Promise.resolve(++looks > 1 ? ({ rows: [], verdict: 'done', pods: [] } as Round) : waiting()),
      ),
    ).toBe('late');
    expect(looks).toBe(1);
  });

  test.each([
    ['unschedulable', unscheduled, 15_000],
    ['stuck', noImage, 30_000],
  ] as const)('gives up where a pod stays %s', async (end, troubled, after) => {
    const { clock, context } = bench();
    expect(await waitUntilWell(context, 600_000, () => Promise.resolve(waiting(troubled)))).toBe(end);
    expect(clock.elapsed).toBeGreaterThanOrEqual(after);
    expect(clock.elapsed).toBeLessThan(after + 1000);
  });

  test('does not give up where troubles come and go', async () => {
    const { clock, context } = bench();
    const end = await waitUntilWell(context, 120_000, () =>
      Promise.resolve(clock.elapsed % 10_000 < 9000 ? waiting(unscheduled) : waiting()),
    );
    expect(end).toBe('late');
  });

  test('outlasts a server that is away for a moment, and says so once', async () => {
    const { clock, context, stderr } = bench();
    const away = [new StatusError('ServiceUnavailable', 'away'), new UsageError('away', undefined, { unreachable: true })];
    let rounds = 0;
    const end = await waitUntilWell(context, 60_000, () => {
      rounds++;
      if (clock.elapsed > 20_000) return Promise.resolve({ rows: [], verdict: 'done', pods: [] } as Round);
      return Promise.reject(away[rounds % 2]!);
    });
    expect(end).toBe('done');
    expect(stderr()).toBe('the server does not answer; trying again\n');
  });

  test('does not outlast one that stays away, nor any other error', async () => {
    const { clock, context } = bench();
    await expect(
      waitUntilWell(context, 600_000, () => Promise.reject(new StatusError('ServiceUnavailable', 'gone for good'))),
    ).rejects.toThrow('gone for good');
    expect(clock.elapsed).toBeGreaterThanOrEqual(30_000);
    await expect(waitUntilWell(bench().context, 600_000, () => Promise.reject(new StatusError('NotFound', 'deleted')))).rejects.toThrow(
      'deleted',
    );
    await expect(waitUntilWell(bench().context, 1000, () => Promise.reject(new StatusError('ServiceUnavailable', 'x')))).rejects.toThrow(
      'the server did not answer in time',
    );
  });

  test('ends with an interrupt', async () => {
    const { context, stop } = bench();
    stop.abort(new Error('interrupted'));
    await expect(waitUntilWell(context, 60_000, () => Promise.resolve(waiting()))).rejects.toThrow('interrupted');
  });
});
