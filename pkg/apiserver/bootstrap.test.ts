import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { endpointSlices, namespaces, persistentVolumeClaims, priorityClasses, services, storageClasses } from '#api/shapes/resources';
import { bootstrap } from './bootstrap.ts';
import { type MemoryApi, startMemoryApi } from './memory-api.ts';

let api: MemoryApi;
beforeEach(() => {
  api = startMemoryApi();
});
afterEach(async () => {
  await api.stop();
});

test('makes what a cluster needs, once, and keeps the endpoints true', async () => {
  const client = api.client();
  const options = { serviceAddress: '10.43.0.1', advertiseAddress: '192.0.2.1', port: 6443 };
  await bootstrap(client, options);
  const before = (await client.list(namespaces)).metadata.resourceVersion;
  await bootstrap(client, options);
  expect((await client.list(namespaces)).metadata.resourceVersion).toBe(before);
  expect((await client.list(namespaces)).items.map((item) => item.metadata.name)).toEqual([
    'default',
    'kube-node-lease',
    'kube-public',
    'kube-system',
  ]);
  expect((await client.get(services, { name: 'kubernetes', namespace: 'default' })).spec.clusterIP).toBe('10.43.0.1');
  expect((await client.list(priorityClasses)).items).toHaveLength(2);
  expect((await client.list(storageClasses)).items).toHaveLength(1);

  await bootstrap(client, { ...options, advertiseAddress: '192.0.2.2' });
  const slice = await client.get(endpointSlices, { name: 'kubernetes', namespace: 'default' });
  expect(slice.endpoints).toEqual([{ addresses: ['192.0.2.2'], conditions: { ready: true } }]);
});

test('claims that name no class get the default one', async () => {
  const client = api.client();
  await bootstrap(client, { serviceAddress: '10.43.0.1', advertiseAddress: '192.0.2.1', port: 6443 });
  const claim = await client.create(persistentVolumeClaims, {
    metadata: { name: 'data', namespace: 'default' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  expect(claim.spec.storageClassName).toBe('berth-local');
});
