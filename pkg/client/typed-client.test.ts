import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject, ResourceType } from '#api/object';
import { StatusError } from '#base/errors';
import type { ApiRequest, Transport, WatchRequest } from './transport.ts';
import { createClient } from './typed-client.ts';

const pods: ResourceType = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };
const nodes: ResourceType = { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false };
const pod: KubernetesObject = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'd' } };

function recorder(answer: (request: ApiRequest) => object = () => pod): { transport: Transport; sent: (ApiRequest | WatchRequest)[] } {
  const sent: (ApiRequest | WatchRequest)[] = [];
  return {
    sent,
    transport: {
      send: async (request) => {
        sent.push(request);
        return answer(request);
      },
      watch: async function* (request) {
        sent.push(request);
        yield { type: 'ADDED', object: pod };
      },
    },
  };
}

describe('typed client', () => {
  test('turns each call into one request', async () => {
    const { transport, sent } = recorder();
    const client = createClient(transport);
    const key = { name: 'p', namespace: 'd' };
    await client.get(pods, key);
    await client.list(pods, { namespace: 'd', labelSelector: 'a=b' });
    await client.create(pods, { metadata: { name: 'p', namespace: 'd' } }, { dryRun: true });
    await client.createSubresource(pods, key, 'binding', { target: { name: 'n' } });
    await client.update(pods, pod);
    await client.updateStatus(pods, pod);
    await client.patch(pods, key, 'merge', { a: 1 }, { subresource: 'status', fieldManager: 'm' });
    await client.delete(nodes, { name: 'n' }, { gracePeriodSeconds: 0 });
    expect(sent).toEqual([
      { verb: 'get', resource: pods, namespace: 'd', name: 'p' },
      { verb: 'list', resource: pods, namespace: 'd', options: { labelSelector: 'a=b' } },
      { verb: 'create', resource: pods, namespace: 'd', object: pod, options: { dryRun: true } },
      { verb: 'create', resource: pods, namespace: 'd', name: 'p', subresource: 'binding', object: { target: { name: 'n' } }, options: {} },
      { verb: 'update', resource: pods, namespace: 'd', name: 'p', object: pod, options: {} },
      { verb: 'update', resource: pods, namespace: 'd', name: 'p', subresource: 'status', object: pod, options: {} },
      {
        verb: 'patch',
        resource: pods,
        namespace: 'd',
        name: 'p',
        subresource: 'status',
        patchType: 'merge',
        patch: { a: 1 },
        options: { fieldManager: 'm' },
      },
      { verb: 'delete', resource: nodes, name: 'n', options: { gracePeriodSeconds: 0 } },
    ]);
  });

  test('find gives undefined for what does not exist, and throws everything else', async () => {
    const missing = createClient(
      recorder(() => {
        throw new StatusError('NotFound', 'pods "p" not found');
      }).transport,
    );
    expect(await missing.find(pods, { name: 'p', namespace: 'd' })).toBeUndefined();
    const refused = createClient(
      recorder(() => {
        throw new StatusError('Forbidden', 'no');
      }).transport,
    );
    await expect(refused.find(pods, { name: 'p', namespace: 'd' })).rejects.toMatchObject({ reason: 'Forbidden' });
  });

  test('names what is missing from a call', async () => {
    const client = createClient(recorder().transport);
    await expect(client.get(pods, { name: 'p' })).rejects.toMatchObject({ reason: 'BadRequest' });
    await expect(client.create(pods, { metadata: { name: 'p' } })).rejects.toThrow('metadata.namespace: Required value');
    await expect(client.update(nodes, { apiVersion: 'v1', kind: 'Node', metadata: {} })).rejects.toThrow('metadata.name: Required value');
  });

  test('watches through the transport', async () => {
    const { transport, sent } = recorder();
    const events = [];
    for await (const event of createClient(transport).watch(pods, { resourceVersion: '5' }, new AbortController().signal))
      events.push(event);
    expect(events).toEqual([{ type: 'ADDED', object: pod }]);
    expect(sent).toEqual([{ verb: 'watch', resource: pods, options: { resourceVersion: '5' } }]);
  });
});
