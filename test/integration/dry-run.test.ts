/** `dryRun=All` on every verb and subresource, over real TLS: the answer is that of the real thing, and nothing at all is written. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { MemoryBackend } from '#storage/memory/memory-backend';
import { type Body, type Face, startFace } from './read-rules/face.ts';

let face: Face;
const inRules = (group: string, plural: string): string => `${group === 'v1' ? '/api' : '/apis'}/${group}/namespaces/rules/${plural}`;
const configMaps = inRules('v1', 'configmaps');
const pods = inRules('v1', 'pods');
const deployments = inRules('apps/v1', 'deployments');
const container = { name: 'c', image: 'i' };
const pod = (name: string, spec: object = {}): object => ({
  metadata: { name, labels: { app: 'x' } },
  spec: { containers: [container], ...spec },
});
const merge = { 'content-type': 'application/merge-patch+json' };

beforeAll(async () => {
  face = await startFace(new MemoryBackend());
  await face.create('/api/v1/namespaces', { metadata: { name: 'rules' } });
  await face.create(configMaps, { metadata: { name: 'c' }, data: { k: 'v' } });
  await face.create(configMaps, { metadata: { name: 'held', finalizers: ['example.com/x'] } });
  await face.create(pods, pod('free'));
  await face.create(pods, pod('bound', { nodeName: 'n1' }));
  await face.patch(`${pods}/bound/status`, { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } });
  const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [container] } };
  await face.create(deployments, { metadata: { name: 'd' }, spec: { replicas: 1, selector: { matchLabels: { app: 'x' } }, template } });
  const budgets = inRules('policy/v1', 'poddisruptionbudgets');
  await face.create(budgets, { metadata: { name: 'b' }, spec: { minAvailable: 0, selector: { matchLabels: { app: 'x' } } } });
  await face.patch(`${budgets}/b/status`, {
    status: { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 1, desiredHealthy: 0, expectedPods: 1 },
  });
  const quotas = inRules('v1', 'resourcequotas');
  await face.create(quotas, { metadata: { name: 'q' }, spec: { hard: { configmaps: '3' } } });
  await face.create('/api/v1/nodes', { metadata: { name: 'n1' } });
});
afterAll(() => face.stop());

interface Row {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly code: number;
  readonly answer: object;
}

const modified = { kind: 'Status', reason: 'Conflict' };
const success = { kind: 'Status', status: 'Success' };
const uid: unknown = expect.any(String);

const rows: readonly Row[] = [
  {
    method: 'POST',
    path: configMaps,
    body: { metadata: { name: 'new' }, data: { k: 'v' } },
    code: 201,
    answer: {
      kind: 'ConfigMap',
      metadata: { name: 'new', namespace: 'rules', uid, creationTimestamp: expect.any(String) },
      data: { k: 'v' },
    },
  },
  {
    method: 'POST',
    path: configMaps,
    body: { metadata: { generateName: 'new-' } },
    code: 201,
    answer: { metadata: { name: expect.stringMatching(/^new-.{5}$/) } },
  },
  { method: 'POST', path: configMaps, body: { metadata: { name: 'c' } }, code: 409, answer: { reason: 'AlreadyExists' } },
  { method: 'POST', path: configMaps, body: { metadata: { name: 'Not Good' } }, code: 422, answer: { reason: 'Invalid' } },
  {
    method: 'POST',
    path: '/api/v1/namespaces/none/configmaps',
    body: { metadata: { name: 'x' } },
    code: 404,
    answer: { reason: 'NotFound' },
  },
  {
    method: 'POST',
    path: '/api/v1/namespaces',
    body: { metadata: { name: 'room' } },
    code: 201,
    answer: { kind: 'Namespace', metadata: { name: 'room' } },
  },
  {
    method: 'POST',
    path: inRules('v1', 'services'),
    body: { metadata: { name: 's' }, spec: { type: 'NodePort', ports: [{ port: 80 }] } },
    code: 201,
    answer: { spec: { clusterIP: expect.any(String), ports: [{ port: 80 }] } },
  },
  { method: 'POST', path: deployments, body: { metadata: { name: 'x' }, spec: {} }, code: 422, answer: { reason: 'Invalid' } },
  {
    method: 'PUT',
    path: `${configMaps}/c`,
    body: { metadata: { name: 'c' }, data: { k: 'w' } },
    code: 200,
    answer: { data: { k: 'w' }, metadata: { uid, resourceVersion: uid } },
  },
  { method: 'PUT', path: `${configMaps}/c`, body: { metadata: { name: 'c', resourceVersion: '1' } }, code: 409, answer: modified },
  { method: 'PUT', path: `${configMaps}/none`, body: { metadata: { name: 'none' } }, code: 404, answer: { reason: 'NotFound' } },
  { method: 'PATCH', path: `${configMaps}/c`, body: { data: { k: 'w' } }, code: 200, answer: { data: { k: 'w' } } },
  { method: 'PATCH', path: `${configMaps}/c`, body: { metadata: { resourceVersion: '1' } }, code: 409, answer: modified },
  {
    method: 'PATCH',
    path: `${configMaps}/held`,
    body: { metadata: { finalizers: null } },
    code: 200,
    answer: { kind: 'ConfigMap', metadata: { name: 'held' } },
  },
  {
    method: 'PATCH',
    path: `${deployments}/d`,
    body: { spec: { replicas: 3 } },
    code: 200,
    answer: { spec: { replicas: 3 }, metadata: { generation: 2 } },
  },
  { method: 'DELETE', path: `${configMaps}/c`, code: 200, answer: { ...success, details: { name: 'c', kind: 'configmaps', uid } } },
  { method: 'DELETE', path: `${configMaps}/c`, body: { preconditions: { uid: 'another' } }, code: 409, answer: modified },
  { method: 'DELETE', path: `${configMaps}/none`, code: 404, answer: { reason: 'NotFound' } },
  {
    method: 'DELETE',
    path: `${configMaps}/held`,
    code: 200,
    answer: { kind: 'ConfigMap', metadata: { deletionTimestamp: uid, finalizers: ['example.com/x'] } },
  },
  {
    method: 'DELETE',
    path: `${configMaps}/c`,
    body: { propagationPolicy: 'Foreground' },
    code: 200,
    answer: { metadata: { finalizers: ['foregroundDeletion'] } },
  },
  {
    method: 'DELETE',
    path: `${pods}/bound`,
    code: 200,
    answer: { kind: 'Pod', metadata: { deletionTimestamp: uid, deletionGracePeriodSeconds: 30 } },
  },
  {
    method: 'DELETE',
    path: `${pods}/bound`,
    body: { gracePeriodSeconds: 0 },
    code: 200,
    answer: { kind: expect.stringMatching(/^(Status|Pod)$/) },
  },
  { method: 'DELETE', path: '/api/v1/namespaces/rules', code: 200, answer: { kind: 'Namespace', status: { phase: 'Terminating' } } },
  { method: 'DELETE', path: configMaps, code: 200, answer: { kind: 'ConfigMapList', items: [{}, {}] } },
  // Subresources.
  {
    method: 'PUT',
    path: `${pods}/free/status`,
    body: { ...pod('free'), status: { phase: 'Running' } },
    code: 200,
    answer: { kind: 'Pod', status: { phase: 'Running' } },
  },
  {
    method: 'PATCH',
    path: `${pods}/free/status`,
    body: { status: { phase: 'Failed' } },
    code: 200,
    answer: { status: { phase: 'Failed' } },
  },
  {
    method: 'PATCH',
    path: `${deployments}/d/scale`,
    body: { spec: { replicas: 5 } },
    code: 200,
    answer: { kind: 'Scale', spec: { replicas: 5 } },
  },
  {
    method: 'PUT',
    path: `${deployments}/d/scale`,
    body: { kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name: 'd', namespace: 'rules' }, spec: { replicas: 7 } },
    code: 200,
    answer: { kind: 'Scale', spec: { replicas: 7 } },
  },
  {
    method: 'POST',
    path: `${pods}/free/binding`,
    body: { metadata: { name: 'free' }, target: { kind: 'Node', name: 'n1' } },
    code: 201,
    answer: success,
  },
  {
    method: 'POST',
    path: `${pods}/bound/binding`,
    body: { metadata: { name: 'bound' }, target: { kind: 'Node', name: 'n1' } },
    code: 409,
    answer: modified,
  },
  {
    method: 'POST',
    path: `${pods}/bound/eviction`,
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'bound' } },
    code: 201,
    answer: success,
  },
  {
    method: 'POST',
    path: `${pods}/none/eviction`,
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'none' } },
    code: 404,
    answer: { reason: 'NotFound' },
  },
  {
    method: 'PATCH',
    path: `${pods}/bound/ephemeralcontainers`,
    body: { spec: { ephemeralContainers: [{ name: 'debug', image: 'i' }] } },
    code: 200,
    answer: { spec: { ephemeralContainers: [{ name: 'debug' }] } },
  },
  {
    method: 'PUT',
    path: '/api/v1/namespaces/rules/finalize',
    body: { metadata: { name: 'rules' }, spec: { finalizers: [] } },
    code: 200,
    answer: { kind: 'Namespace' },
  },
];

describe('nothing is written by', () => {
  const query = (path: string): string => `${path}?dryRun=All`;

  test.each(rows.map((row) => [row.method, row.path, JSON.stringify(row.body)?.slice(0, 80), row] as const))(
    '%s %s %s',
    async (method, path, _, row) => {
      const revision = await face.store.backend.revision();
      const reply = await face.send(method, query(path), row.body, method === 'PATCH' ? merge : undefined);
      const answer = JSON.parse(reply.text) as Body;
      expect([reply.status, answer]).toEqual([row.code, expect.objectContaining({})]);
      expect(answer).toMatchObject(row.answer);
      if (method === 'POST' && reply.status === 201 && answer.kind !== 'Status') expect(answer.metadata.resourceVersion).toBeUndefined();
      expect(await face.store.backend.revision()).toBe(revision);
    },
  );

  test('what could not be done is refused as it would be: a quota, a budget', async () => {
    await face.create(configMaps, { metadata: { name: 'third' } });
    const over = await face.send('POST', query(configMaps), { metadata: { name: 'fourth' } });
    expect([over.status, (JSON.parse(over.text) as Body).message]).toEqual([403, expect.stringContaining('exceeded quota: q')]);
    await face.remove(`${configMaps}/third`);
    await face.patch(`${inRules('policy/v1', 'poddisruptionbudgets')}/b/status`, { status: { disruptionsAllowed: 0 } });
    const refused = await face.send('POST', query(`${pods}/bound/eviction`), {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: 'bound' },
    });
    expect(refused.status).toBe(429);
  });

  test('dryRun in the body of a deletion or an eviction counts too', async () => {
    const revision = await face.store.backend.revision();
    expect((await face.send('DELETE', `${configMaps}/c`, { dryRun: ['All'] })).status).toBe(200);
    await face.patch(`${inRules('policy/v1', 'poddisruptionbudgets')}/b/status`, { status: { disruptionsAllowed: 1 } });
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'bound' }, deleteOptions: { dryRun: ['All'] } };
    expect((await face.send('POST', `${pods}/bound/eviction`, eviction)).status).toBe(201);
    expect(await face.store.backend.revision()).toBe(revision + 1);
  });
});
