import { describe, expect, test } from '@jest/globals';
import { aborted, isAbort, runAll } from './lifecycle.ts';

const patient = (name: string, stopped: string[]) => ({
  name,
  run: async (signal: AbortSignal) => {
    await aborted(signal);
    stopped.push(name);
  },
});

describe('runAll', () => {
  test('ends well when it is asked to, each part having ended', async () => {
    const stopped: string[] = [];
    const controller = new AbortController();
    const running = runAll([patient('a', stopped), patient('b', stopped)], controller.signal);
    controller.abort();
    await running;
    expect(stopped).toEqual(['a', 'b']);
  });

  test('stops the others when one fails, and says which and why', async () => {
    const stopped: string[] = [];
    const broken = { name: 'broken', run: () => Promise.reject(new Error('no luck')) };
    await expect(runAll([patient('a', stopped), broken], new AbortController().signal)).rejects.toThrow('broken failed: no luck');
    expect(stopped).toEqual(['a']);
  });

  test('takes an early end for a failure', async () => {
    const early = { name: 'early', run: () => Promise.resolve() };
    await expect(runAll([early], new AbortController().signal)).rejects.toThrow('early ended without being asked to');
  });

  test('takes the rejection of an aborted wait for an end', async () => {
    const controller = new AbortController();
    const waiting = { name: 'waiting', run: (signal: AbortSignal) => aborted(signal).then(() => Promise.reject(signal.reason)) };
    const running = runAll([waiting], controller.signal);
    controller.abort();
    await expect(running).resolves.toBeUndefined();
    expect(isAbort(controller.signal.reason)).toBe(true);
  });
});
