import { expect, test } from '@jest/globals';
import { ManualClock } from '#base/manual-clock';
import { CompactedError } from './backend.ts';
import { Compactor } from './compactor.ts';
import { MemoryBackend } from './memory/memory-backend.ts';

const write = async (backend: MemoryBackend, times: number): Promise<number> => {
  let last = 0;
  for (let index = 0; index < times; index++) {
    const result = await backend.commit({ compare: [], ops: [{ type: 'put', key: 'k', value: Buffer.from(String(index)) }] });
    if (result.committed) last = result.revision;
  }
  return last;
};

test('history is kept for the window, then forgotten', async () => {
  const backend = new MemoryBackend();
  const clock = new ManualClock();
  const compactor = new Compactor({ backend, clock, window: 60_000 });
  const early = await write(backend, 10);
  await compactor.step();
  await clock.advance(59_000);
  const late = await write(backend, 10);
  await compactor.step();
  expect((await backend.list('k', { revision: early })).items).toHaveLength(1);
  await clock.advance(2_000);
  await compactor.step();
  await expect(backend.list('k', { revision: early - 1 })).rejects.toBeInstanceOf(CompactedError);
  expect((await backend.list('k', { revision: early })).items).toHaveLength(1);
  await clock.advance(60_000);
  await compactor.step();
  await expect(backend.list('k', { revision: late - 1 })).rejects.toMatchObject({ compactRevision: late });
});

test('more revisions than the maximum are forgotten earlier', async () => {
  const backend = new MemoryBackend();
  const compactor = new Compactor({ backend, clock: new ManualClock(), maximumRevisions: 10 });
  const last = await write(backend, 100);
  await compactor.step();
  await expect(backend.list('k', { revision: last - 11 })).rejects.toMatchObject({ compactRevision: last - 10 });
});

test('it runs by its clock until it is stopped, also when the store refuses', async () => {
  const backend = new MemoryBackend();
  const clock = new ManualClock();
  const stop = new AbortController();
  const running = new Compactor({ backend, clock, window: 10_000, interval: 5_000 }).run(stop.signal);
  await write(backend, 5);
  for (let turn = 0; turn < 5; turn++) await clock.advance(5_000);
  await expect(backend.list('k', { revision: 3 })).rejects.toBeInstanceOf(CompactedError);
  stop.abort();
  await running;
});
