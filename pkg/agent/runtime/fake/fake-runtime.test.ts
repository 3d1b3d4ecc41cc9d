import { describe, expect, test } from '@jest/globals';
import { ManualClock } from '#base/manual-clock';
import { runtimeSuite } from '../runtime.suite.ts';
import { FakeMachine, FakeRuntime } from './fake-runtime.ts';
import type { FakeScript } from './script.ts';

const program = (image: string) => ({ image, command: ['program'] });

const script: FakeScript = {
  images: {
    'fake/runs-on:1': {
      present: true,
      containers: [{ commands: { speaks: { stdout: 'out', stderr: 'err', exitCode: 4 }, hangs: { milliseconds: 60_000 } } }],
    },
    'fake/exits:1': { present: true, containers: [{ exitAfterMilliseconds: 10, exitCode: 3 }] },
    'fake/ignores-term:1': { present: true, containers: [{ ignoresTerm: true }] },
    'fake/missing-program:1': { present: true, containers: [{ startFailure: { code: 'NotFound', message: 'no such program' } }] },
    'fake/out-of-memory:1': { present: true, containers: [{ exitAfterMilliseconds: 10, outOfMemory: true }] },
    'fake/slow:1': { pullMilliseconds: 5_000, size: 100 },
    'fake/private:1': { pullFailure: { code: 'Unauthenticated', message: 'pull access denied' } },
    'fake/changes:1': { present: true, containers: [{ exitAfterMilliseconds: 1, exitCode: 1 }, {}] },
  },
};

runtimeSuite('fake', async () => {
  const clock = new ManualClock();
  const machine = new FakeMachine();
  return {
    runtime: new FakeRuntime({ clock, script, machine, instance: 'node-1' }),
    stranger: new FakeRuntime({ clock, script, machine, instance: 'node-2' }),
    programs: {
      runsOn: program('fake/runs-on:1'),
      exitsWith3: program('fake/exits:1'),
      ignoresTerm: program('fake/ignores-term:1'),
      missingProgram: program('fake/missing-program:1'),
      outOfMemory: program('fake/out-of-memory:1'),
    },
    commands: { speaks: ['speaks'], hangs: ['hangs'], missing: ['missing'] },
    missingImage: 'fake/none:1',
    passTime: () => clock.advance(2_000),
    close: async () => undefined,
  };
});

describe('pulling in a fake runtime', () => {
  test('takes its time, tells its progress and makes the image known', async () => {
    const clock = new ManualClock();
    const runtime = new FakeRuntime({ clock, script });
    const progress: number[] = [];
    const pulling = runtime.pullImage('fake/slow:1', {
      signal: new AbortController().signal,
      onProgress: ({ doneBytes }) => progress.push(doneBytes),
    });
    expect(await runtime.imageStatus('fake/slow:1')).toBeUndefined();
    await clock.advance(5_000);
    const id = await pulling;
    expect((await runtime.imageStatus(id))?.tags).toEqual(['fake/slow:1']);
    expect(progress).toEqual([0, 100]);
  });

  test('fails as scripted', async () => {
    const runtime = new FakeRuntime({ clock: new ManualClock(), script });
    const pulling = runtime.pullImage('fake/private:1', { signal: new AbortController().signal });
    await expect(pulling).rejects.toMatchObject({ code: 'Unauthenticated', message: 'pull access denied' });
  });
});
