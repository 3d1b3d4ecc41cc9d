import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeBackend } from '../backend.suite.ts';
import { openSqlite } from './sqlite-backend.ts';

describeBackend('the sqlite backend', async (options) => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-sqlite-'));
  const backend = await openSqlite({ path: join(folder, 'store.db'), ...options });
  return { backend, dispose: () => rm(folder, { recursive: true }) };
});
