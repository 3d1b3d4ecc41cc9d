import { describeClient } from '#client/client.suite';
import { startMemoryApi } from './memory-api.ts';

describeClient('a client over the local transport', async () => {
  const api = startMemoryApi();
  return { client: (user) => api.client(user), stop: () => api.stop() };
});
