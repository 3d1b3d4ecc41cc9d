import { expect, test } from '@jest/globals';
import { configMaps, pods } from '#api/shapes/resources';
import { silentLogger } from '#base/logging';
import { ManualClock } from '#base/manual-clock';
import { InformerSet } from './informer-set.ts';
import { MemoryTransport } from './memory-transport.ts';
import { createClient } from './typed-client.ts';

test('informers are shared, run from when they are asked for, and are synced also where there is nothing', async () => {
  const client = createClient(new MemoryTransport());
  const set = new InformerSet(client, { clock: new ManualClock(), log: silentLogger });
  expect(set.for(pods)).toBe(set.for(pods));
  expect(set.find(configMaps)).toBeUndefined();
  const stop = new AbortController();
  const running = set.run(stop.signal);
  await set.synced(stop.signal);
  await client.create(configMaps, { metadata: { name: 'a', namespace: 'default' } });
  set.for(configMaps);
  await set.synced(stop.signal);
  expect(set.for(configMaps).byIndex('namespace', 'default')).toHaveLength(1);
  stop.abort();
  await running;
});

test('a set ends with what ends one of its informers', async () => {
  const client = createClient(new MemoryTransport());
  const set = new InformerSet(client, { clock: new ManualClock(), log: silentLogger });
  await client.create(pods, { metadata: { name: 'a', namespace: 'default' }, spec: { containers: [] } });
  set.for(configMaps);
  set.for(pods).onChange(() => {
    throw new Error('defect');
  });
  await expect(set.run(new AbortController().signal)).rejects.toThrow('defect');
});
