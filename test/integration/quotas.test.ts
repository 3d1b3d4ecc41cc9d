import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { configMaps, limitRanges, persistentVolumeClaims, pods, replicaSets, resourceQuotas, services } from '#api/shapes/resources';
import type { Container, Pod, ResourceQuotaSpec } from '#api/shapes/types/core-v1';
import { startMemoryApi } from '#apiserver/memory-api';
import { StatusError } from '#base/errors';
import type { Client } from '#client/client';
import type { Backend } from '#storage/backend';
import { type ControlPlane, eventually, namesOf, startControlPlane } from '../harness/control-plane.ts';

const namespace = 'default';
const key = { namespace, name: 'q' };
let plane: ControlPlane;
let client: Client;

beforeEach(async () => {
  plane = await startControlPlane();
  client = plane.client;
  await plane.addNodes('node-1');
});

afterEach(async () => {
  await plane.stop();
});

async function quota(spec: ResourceQuotaSpec): Promise<void> {
  await client.create(resourceQuotas, { metadata: key, spec });
  await eventually(
    async () => (await client.get(resourceQuotas, key)).status?.used,
    (used) => used !== undefined,
  );
}

const used = (isRight: (amounts: Readonly<Record<string, string>>) => boolean): Promise<Readonly<Record<string, string>>> =>
  eventually(async () => (await client.get(resourceQuotas, key)).status?.used ?? {}, isRight);

async function refused(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return '';
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    expect(error.reason).toBe('Forbidden');
    return error.message;
  }
}

const pod = (name: string, resources: Container['resources'] = {}): Promise<Pod> =>
  client.create(pods, { metadata: { name, namespace }, spec: { containers: [{ name: 'main', image: 'x', resources }] } });
const configMap = (name: string): Promise<unknown> => client.create(configMaps, { metadata: { name, namespace }, data: {} });

describe('a quota', () => {
  test('is never exceeded, however many create at once, and is free again as soon as something goes', async () => {
    // Every namespace has one config map from its beginning.
    const present = (
      await eventually(
        () => namesOf(client, configMaps, namespace),
        (names) => names.length === 1,
      )
    ).length;
    await quota({ hard: { configmaps: String(present + 10) } });
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => refused(() => configMap(`c-${index}`))));
    expect(answers.filter((answer) => answer === '')).toHaveLength(10);
    expect(answers.find((answer) => answer !== '')).toMatch(
      new RegExp(
        `^configmaps "c-\\d+" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=${present + 10}, limited: configmaps=${present + 10}$`,
      ),
    );
    expect(await used(({ configmaps }) => configmaps === String(present + 10))).toEqual({ configmaps: String(present + 10) });
    const [first = ''] = (await namesOf(client, configMaps, namespace)).filter((name) => name.startsWith('c-'));
    await client.delete(configMaps, { namespace, name: first });
    expect(await refused(() => configMap('again'))).toBe('');
    expect(await refused(() => configMap('more'))).toContain('exceeded quota');
    // What fails for another reason takes nothing.
    await client.delete(configMaps, { namespace, name: 'again' });
    expect(await refused(() => client.create(configMaps, { metadata: { name: 'dry', namespace } }, { dryRun: true }))).toBe('');
    await expect(client.create(configMaps, { metadata: { name: 'A B', namespace } })).rejects.toThrow('Invalid value');
    expect(await refused(() => configMap('again'))).toBe('');
  });

  test('is kept by several servers over one store', async () => {
    const { backend } = plane.api;
    const shared: Backend = {
      incarnation: backend.incarnation,
      get: (name) => backend.get(name),
      list: (prefix, options) => backend.list(prefix, options),
      commit: (commit) => backend.commit(commit),
      watch: (prefix, after, signal) => backend.watch(prefix, after, signal),
      revision: () => backend.revision(),
      compact: (revision) => backend.compact(revision),
      // It is the plane's.
      close: () => Promise.resolve(),
    };
    const other = startMemoryApi({ backend: shared });
    try {
      const second = other.client();
      await quota({ hard: { 'count/configmaps': '12' } });
      await second.list(resourceQuotas);
      const make = (of: Client, name: string) => refused(() => of.create(configMaps, { metadata: { name, namespace }, data: {} }));
      const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => make(index % 2 === 0 ? client : second, `s-${index}`)));
      const present = await namesOf(client, configMaps, namespace);
      expect(present).toHaveLength(12);
      expect(answers.filter((answer) => answer === '')).toHaveLength(present.filter((name) => name.startsWith('s-')).length);
    } finally {
      await other.stop();
    }
  });

  test('counts what pods ask for, wants them to say it, and lets go of those that have ended', async () => {
    await quota({ hard: { pods: '5', 'requests.cpu': '1', 'limits.memory': '1Gi' } });
    expect(await refused(() => pod('a'))).toBe(
      'pods "a" is forbidden: failed quota: q: must specify limits.memory for: main; requests.cpu for: main',
    );
    expect(await refused(() => pod('a', { requests: { cpu: '600m' }, limits: { memory: '256Mi' } }))).toBe('');
    await eventually(
      () => client.get(pods, { namespace, name: 'a' }),
      ({ status }) => status?.phase === 'Running',
    );
    expect(await used(({ pods: count }) => count === '1')).toEqual({ pods: '1', 'requests.cpu': '600m', 'limits.memory': '256Mi' });
    expect(await refused(() => pod('b', { requests: { cpu: '500m' }, limits: { memory: '2Gi' } }))).toBe(
      'pods "b" is forbidden: exceeded quota: q, requested: limits.memory=2Gi,requests.cpu=500m, used: limits.memory=256Mi,requests.cpu=600m, limited: limits.memory=1Gi,requests.cpu=1',
    );
    await client.patch(pods, { namespace, name: 'a' }, 'merge', { status: { phase: 'Succeeded' } }, { subresource: 'status' });
    expect(await used(({ pods: count }) => count === '0')).toMatchObject({ 'requests.cpu': '0' });
    expect(await refused(() => pod('b', { requests: { cpu: '1' }, limits: { memory: '1Gi' } }))).toBe('');
  });

  test('holds a ReplicaSet at what there is room for, and says so on it', async () => {
    await quota({ hard: { pods: '3' } });
    const labels = { app: 'web' };
    await client.create(replicaSets, {
      metadata: { name: 'web', namespace },
      spec: {
        replicas: 6,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'x' }] } },
      },
    });
    const set = await eventually(
      () => client.get(replicaSets, { namespace, name: 'web' }),
      ({ status }) => status?.replicas === 3 && status.conditions?.some(({ type }) => type === 'ReplicaFailure') === true,
    );
    expect(set.status?.conditions?.[0]?.message).toContain('exceeded quota: q');
    await client.patch(resourceQuotas, key, 'merge', { spec: { hard: { pods: '6' } } });
    expect(
      await eventually(
        async () => (await client.get(replicaSets, { namespace, name: 'web' })).status?.replicas,
        (count) => count === 6,
      ),
    ).toBe(6);
  });

  test('is about services and claims that grow, too', async () => {
    await quota({ hard: { 'services.nodeports': '1', 'requests.storage': '3Gi' } });
    await client.create(services, {
      metadata: { name: 's', namespace },
      spec: {
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 81 },
        ],
      },
    });
    const grow = (): Promise<unknown> => client.patch(services, { namespace, name: 's' }, 'merge', { spec: { type: 'NodePort' } });
    expect(await refused(grow)).toContain('requested: services.nodeports=2, used: services.nodeports=0, limited: services.nodeports=1');
    const claim = (name: string, storage: string): Promise<unknown> =>
      client.create(persistentVolumeClaims, {
        metadata: { name, namespace },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
      });
    expect(await refused(() => claim('a', '2Gi'))).toBe('');
    expect(await refused(() => claim('b', '2Gi'))).toContain(
      'exceeded quota: q, requested: requests.storage=2Gi, used: requests.storage=2Gi',
    );
  });
});

describe('a limit range', () => {
  test('completes pods, and refuses those outside of it', async () => {
    await client.create(limitRanges, {
      metadata: { name: 'l', namespace },
      spec: { limits: [{ type: 'Container', max: { cpu: '2' }, default: { memory: '128Mi' }, defaultRequest: { cpu: '100m' } }] },
    });
    const draft = { metadata: { name: 'a', namespace }, spec: { containers: [{ name: 'main', image: 'x' }] } };
    await eventually(
      () => client.create(pods, draft, { dryRun: true }),
      ({ spec }) => spec.containers[0]?.resources?.limits !== undefined,
    );
    const made = await pod('a');
    expect(made.spec.containers[0]?.resources).toEqual({
      limits: { cpu: '2', memory: '128Mi' },
      requests: { cpu: '100m', memory: '128Mi' },
    });
    expect(made.metadata.annotations?.['kubernetes.io/limit-ranger']).toContain(
      'LimitRanger plugin set: cpu, memory request for container main',
    );
    expect(await refused(() => pod('b', { limits: { cpu: '3' } }))).toBe(
      'pods "b" is forbidden: [maximum cpu usage per Container is 2, but limit is 3, maximum cpu usage per Container is 2, but request is 3]'.replace(
        /^(.*)\[(.*?), (max.*request is 3)\]$/,
        '$1$2',
      ),
    );
  });
});
