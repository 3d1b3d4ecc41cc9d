import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { namespaces, nodes, pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { StatusError } from '#base/errors';
import { ManualClock } from '#base/manual-clock';
import type { ApiRequest } from '#client/transport';
import { administrator, type MemoryApi, startMemoryApi } from '../../memory-api.ts';
import type { NodeUsage } from '../../node-usage.ts';
import type { Answer } from '../answer.ts';
import { nodeMetrics, podMetrics, resourceMetrics } from './resource-metrics.ts';

const namespace = 'default';
const usage: NodeUsage = {
  timestamp: Date.UTC(2026, 0, 1),
  windowMilliseconds: 1500,
  cpuNanocores: 2e9,
  memoryBytes: 4096,
  containers: [{ namespace, pod: 'a', container: 'main', cpuNanocores: 5e6, memoryBytes: 2049 }],
};

let api: MemoryApi;
let warnings: string[];

beforeEach(async () => {
  warnings = [];
  const of = (name: string): Promise<NodeUsage> =>
    name === 'up' ? Promise.resolve(usage) : Promise.reject(new StatusError('ServiceUnavailable', 'it is away'));
  api = startMemoryApi({ clock: new ManualClock(), virtualResources: resourceMetrics({ of }) });
  const client = api.client();
  await client.create(namespaces, { metadata: { name: namespace }, spec: {} });
  for (const name of ['up', 'down']) await client.create(nodes, { metadata: { name, labels: { is: name } }, spec: {} });
  for (const [name, nodeName] of [
    ['a', 'up'],
    ['b', 'down'],
    ['c', 'up'],
  ] as const) {
    const pod: Omit<Pod, 'apiVersion' | 'kind'> = {
      metadata: { name, namespace, labels: { app: name } },
      spec: { nodeName, containers: [{ name: 'main', image: 'i' }] },
    };
    const made = await client.create(pods, pod);
    await client.updateStatus(pods, { ...made, status: { phase: 'Running' } });
  }
});

afterEach(() => api.stop());

const send = (request: ApiRequest): Promise<Answer> =>
  api.verbs.send({ user: administrator, warn: (text) => void warnings.push(text) }, request);

const listed = (answer: Answer): unknown[] => (answer.type === 'list' ? answer.list.items.map(({ object }) => object) : []);

test('nodes and pods have what was measured of them; of a node that is away the user is told', async () => {
  expect(listed(await send({ verb: 'list', resource: nodeMetrics, options: {} }))).toMatchObject([
    { kind: 'NodeMetrics', metadata: { name: 'up' }, window: '1.5s', usage: { cpu: '2000000000n', memory: '4Ki' } },
  ]);
  expect(warnings).toEqual(['node down gives no figures: it is away']);
  expect(listed(await send({ verb: 'list', resource: podMetrics, namespace, options: {} }))).toMatchObject([
    {
      kind: 'PodMetrics',
      metadata: { name: 'a', namespace, labels: { app: 'a' } },
      timestamp: '2026-01-01T00:00:00Z',
      containers: [{ name: 'main', usage: { cpu: '5000000n', memory: '3Ki' } }],
    },
  ]);
});

test('selectors are those of the nodes and pods', async () => {
  expect(listed(await send({ verb: 'list', resource: podMetrics, namespace, options: { labelSelector: 'app=c' } }))).toEqual([]);
  expect(listed(await send({ verb: 'list', resource: nodeMetrics, options: { labelSelector: 'is=up' } }))).toHaveLength(1);
  expect(warnings).toEqual([]);
});

test('one at a time: the figures, the reason why there are none, or not found', async () => {
  expect(await send({ verb: 'get', resource: podMetrics, namespace, name: 'a' })).toMatchObject({
    object: { object: { kind: 'PodMetrics' } },
  });
  await expect(send({ verb: 'get', resource: podMetrics, namespace, name: 'b' })).rejects.toMatchObject({ reason: 'ServiceUnavailable' });
  await expect(send({ verb: 'get', resource: podMetrics, namespace, name: 'c' })).rejects.toMatchObject({ reason: 'NotFound' });
  await expect(send({ verb: 'get', resource: nodeMetrics, name: 'none' })).rejects.toMatchObject({ reason: 'NotFound' });
});

test('nothing else can be done to them', async () => {
  await expect(send({ verb: 'create', resource: podMetrics, namespace, object: {}, options: {} })).rejects.toMatchObject({
    reason: 'MethodNotAllowed',
  });
});
