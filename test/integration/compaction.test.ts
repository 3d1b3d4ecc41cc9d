import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { systemClock } from '#base/clock';
import { Compactor } from '#storage/compactor';
import { openSqlite } from '#storage/sqlite/sqlite-backend';

test('a million overwrites, with the compaction that a server runs, leave a bounded file and the newest values', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-compaction-'));
  const path = join(folder, 'store.db');
  const backend = await openSqlite({ path });
  const stop = new AbortController();
  const compacting = new Compactor({ backend, clock: systemClock }).run(stop.signal);
  try {
    const keys = Array.from({ length: 500 }, (_, index) => `/key-${index}`);
    const filling = 'x'.repeat(500);
    let largest = 0;
    // Without compaction there would be 500 MB.
    for (let round = 0; round < 2000; round++) {
      const value = Buffer.from(`${round} ${filling}`);
      await Promise.all(keys.map((key) => backend.commit({ compare: [], ops: [{ type: 'put', key, value }] })));
      if (round % 100 === 99) largest = Math.max(largest, (await stat(path)).size + (await stat(`${path}-wal`)).size);
    }
    expect(largest).toBeLessThan(200_000_000);
    const { items } = await backend.list('/');
    expect(items).toHaveLength(keys.length);
    for (const { value } of items) expect(Buffer.from(value).toString()).toBe(`1999 ${filling}`);
  } finally {
    stop.abort();
    await compacting;
    await backend.close();
    await rm(folder, { recursive: true });
  }
}, 1_200_000);
