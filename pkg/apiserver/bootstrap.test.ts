import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { endpointSlices, namespaces, persistentVolumeClaims, priorityClasses, services, storageClasses } from '#api/shapes/resources';
import { bootstrap, publishServers } from './bootstrap.ts';
import { type MemoryApi, startMemoryApi } from './memory-api.ts';

let api: MemoryApi;
beforeEach(() => {
  api = startMemoryApi();
});
afterEach(async () => {
  await api.stop();
});

test('makes what a cluster needs, once', async () => {
  const client = api.client();
  const options = { serviceAddress: '10.43.0.1', server: { address: '192.0.2.1', port: 6443 } };
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
});

test('the endpoints of the API are where the servers are, and are written only when that changes', async () => {
  const client = api.client();
  await bootstrap(client, { serviceAddress: '10.43.0.1', server: { address: '192.0.2.1', port: 6443 } });
  const shown = async (): Promise<unknown> =>
    (await client.list(endpointSlices, { namespace: 'default' })).items.map(({ endpoints = [], ports = [] }) => [
      ports[0]?.port,
      ...(endpoints ?? []).flatMap(({ addresses }) => addresses),
    ]);
  await publishServers(client, [
    { address: '192.0.2.2', port: 6443 },
    { address: '192.0.2.1', port: 6443 },
  ]);
  expect(await shown()).toEqual([[6443, '192.0.2.1', '192.0.2.2']]);
  const { resourceVersion } = (await client.list(endpointSlices)).metadata;
  await publishServers(client, [
    { address: '192.0.2.1', port: 6443 },
    { address: '192.0.2.2', port: 6443 },
  ]);
  expect((await client.list(endpointSlices)).metadata.resourceVersion).toBe(resourceVersion);
  await publishServers(client, [
    { address: '192.0.2.1', port: 7443 },
    { address: '192.0.2.1', port: 6443 },
  ]);
  expect(await shown()).toEqual([
    [6443, '192.0.2.1'],
    [7443, '192.0.2.1'],
  ]);
  await publishServers(client, [{ address: '192.0.2.3', port: 7443 }]);
  expect(await shown()).toEqual([[7443, '192.0.2.3']]);
});

test('claims that name no class get the default one', async () => {
  const client = api.client();
  await bootstrap(client, { serviceAddress: '10.43.0.1', server: { address: '192.0.2.1', port: 6443 } });
  const claim = await client.create(persistentVolumeClaims, {
    metadata: { name: 'data', namespace: 'default' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  expect(claim.spec.storageClassName).toBe('berth-local');
});
