import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { configMaps, namespaces, pods } from '#api/shapes/resources';
import type { Client } from '#client/client';
import { type MemoryApi, startMemoryApi } from '../memory-api.ts';

let api: MemoryApi;
let client: Client;

beforeEach(async () => {
  api = startMemoryApi();
  client = api.client();
  await client.create(namespaces, { metadata: { name: 'default' }, spec: {} });
});

afterEach(async () => {
  await api.stop();
});

describe('create', () => {
  test('try', async () => {
    const made = await client.create(configMaps, { metadata: { name: 'a', namespace: 'default' }, data: { x: '1' } });
    console.log(made);
    const up = await client.update(configMaps, { ...made, data: { x: '2' } });
    console.log(up, Object.isFrozen(up.data));
    console.log(await client.patch(configMaps, { name: 'a', namespace: 'default' }, 'strategic', { data: { y: '3' } }));
    console.log(await client.list(configMaps));
    await client.delete(configMaps, { name: 'a', namespace: 'default' });
    expect(await client.find(configMaps, { name: 'a', namespace: 'default' })).toBeUndefined();
    void pods;
  });
});
