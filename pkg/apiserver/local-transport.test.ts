import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeClient } from '#client/client.suite';
import { openSqlite } from '#storage/sqlite/sqlite-backend';
import { startMemoryApi } from './memory-api.ts';

describeClient('a client over the local transport and the memory backend', async () => {
  const api = startMemoryApi();
  return { client: (user) => api.client(user), stop: () => api.stop() };
});

describeClient('a client over the local transport and sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-verbs-'));
  const api = startMemoryApi({ backend: await openSqlite({ path: join(folder, 'store.db') }) });
  return {
    client: (user) => api.client(user),
    stop: async () => {
      await api.stop();
      await rm(folder, { recursive: true });
    },
  };
});
