/** What the dispatcher does to objects, over the real verbs. */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { configMaps, events, namespaces, nodes, pods, secrets, services } from '#api/shapes/resources';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { openPki } from '#apiserver/auth/pki';
import { type MemoryApi, startMemoryApi } from '#apiserver/memory-api';
import { formatTime, systemClock } from '#base/clock';
import { silentLogger } from '#base/logging';
import type { Client } from '#client/client';
import { InformerSet } from '#client/informer-set';
import { createEnrollment, type Enrollment } from '#dispatcher/enrollment';
import { openEra } from '#dispatcher/eras';
import { createEventWriter, type ReportedEvent } from '#dispatcher/event-writer';
import { AssignmentSources, NodeAssignments } from '#dispatcher/node-assignments';
import { createNodeObjects, type NodeObjects } from '#dispatcher/nodes';
import type { Peer, Peers } from '#dispatcher/peers';
import { createStatusWriter } from '#dispatcher/status-writer';
import { createSigningRequest } from '#rpc/signing-request';

let folder: string;
let api: MemoryApi;
let client: Client;
let nodeObjects: NodeObjects;
const stop: AbortController[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dispatcher-'));
  api = startMemoryApi();
  client = api.client();
  for (const name of ['default', 'kube-system', 'kube-node-lease']) await client.create(namespaces, { metadata: { name }, spec: {} });
  nodeObjects = createNodeObjects({ client, clusterCidr: '10.42.0.0/23', clock: systemClock, log: silentLogger });
});
afterEach(async () => {
  for (const one of stop.splice(0)) one.abort();
  await api.stop();
  await rm(folder, { recursive: true, force: true });
});

function keyAndRequest(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return createSigningRequest(createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })), 'system:node:any', 'system:nodes');
}

describe('enrolment', () => {
  let enrollment: Enrollment;
  beforeEach(async () => {
    const { authority } = await openPki({ directory: folder, hosts: ['localhost'], clock: systemClock });
    enrollment = createEnrollment({ client, authority, nodes: nodeObjects, clusterId: 'c', clock: systemClock, log: silentLogger });
  });

  async function makeToken(more: Record<string, string> = {}): Promise<string> {
    await client.create(secrets, {
      metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
      type: 'bootstrap.kubernetes.io/token',
      stringData: { 'token-id': 'abcdef', 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true', ...more },
    });
    return 'abcdef.0123456789abcdef';
  }

  test('gives a certificate for a token, again for the same key, and to no other key under that name', async () => {
    const token = await makeToken();
    const signingRequest = keyAndRequest();
    const first = await enrollment.enroll({ token, nodeName: 'one', signingRequest });
    expect(first.certificate).toContain('BEGIN CERTIFICATE');
    await enrollment.enroll({ token, nodeName: 'one', signingRequest });
    await expect(enrollment.enroll({ token, nodeName: 'one', signingRequest: keyAndRequest() })).rejects.toMatchObject({
      reason: 'AlreadyExists',
    });
    await client.delete(nodes, { name: 'one' });
    await enrollment.enroll({ token, nodeName: 'one', signingRequest: keyAndRequest() });
  });

  test('refuses tokens that are not for this, have expired or are none', async () => {
    const signingRequest = keyAndRequest();
    const refused = (token: string) =>
      expect(enrollment.enroll({ token, nodeName: 'one', signingRequest })).rejects.toMatchObject({ reason: 'Unauthorized' });
    await refused('abcdef.0123456789abcdef');
    await refused('');
    await makeToken({ 'usage-bootstrap-authentication': 'false' });
    await refused('abcdef.0123456789abcdef');
    await client.delete(secrets, { name: 'bootstrap-token-abcdef', namespace: 'kube-system' });
    await makeToken({ expiration: formatTime(Date.now() - 1000) });
    await refused('abcdef.0123456789abcdef');
  });

  test('refuses names and requests that are none', async () => {
    const token = await makeToken();
    await expect(enrollment.enroll({ token, nodeName: '../x', signingRequest: keyAndRequest() })).rejects.toThrow('cannot name a node');
    await expect(enrollment.enroll({ token, nodeName: 'one', signingRequest: 'nonsense' })).rejects.toThrow('signing request');
  });

  test('renews for the key that a node joined with, also when its certificate has ended, and for no other', async () => {
    const token = await makeToken();
    const signingRequest = keyAndRequest();
    await enrollment.enroll({ token, nodeName: 'one', signingRequest });
    expect((await enrollment.renew({ signingRequest, nodeName: 'one' }, undefined)).certificate).toContain('BEGIN CERTIFICATE');
    await expect(enrollment.renew({ signingRequest: keyAndRequest(), nodeName: 'one' }, undefined)).rejects.toThrow('join it anew');
    await expect(enrollment.renew({ signingRequest, nodeName: 'two' }, undefined)).rejects.toThrow('join it anew');
  });
});

describe('nodes', () => {
  const observed = (name: string, ready = 'True'): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: {},
    status: { capacity: { cpu: '2' }, conditions: [{ type: 'Ready', status: ready, reason: 'KubeletReady' }] },
  });

  test('that register at once get a range each, as long as there is one, and keep what people wrote', async () => {
    const registered = await Promise.all(['one', 'two', 'three'].map((name) => nodeObjects.register(name, observed(name))));
    expect(registered.map(({ spec }) => spec?.podCIDR ?? '').toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      '',
      '10.42.0.0/24',
      '10.42.1.0/24',
    ]);
    await client.patch(nodes, { name: 'one' }, 'merge', { metadata: { labels: { disk: 'ssd' } }, spec: { unschedulable: true } });
    const again = await nodeObjects.register('one', observed('one'));
    expect(again.metadata.labels).toMatchObject({ disk: 'ssd', 'kubernetes.io/hostname': 'one' });
    expect(again.spec).toMatchObject({ unschedulable: true, podCIDR: registered[0]?.spec?.podCIDR ?? '' });
  });

  test('that fall silent are unknown, and come back', async () => {
    await nodeObjects.register('one', observed('one'));
    await nodeObjects.markSilent('one');
    const ready = async () => (await client.get(nodes, { name: 'one' })).status?.conditions?.find(({ type }) => type === 'Ready');
    expect(await ready()).toMatchObject({ status: 'Unknown', reason: 'NodeStatusUnknown' });
    await nodeObjects.update('one', observed('one'));
    expect(await ready()).toMatchObject({ status: 'True', reason: 'KubeletReady' });
    await nodeObjects.markSilent('nobody');
  });
});

test('an event that is told twice counts once, and one that goes on is one object', async () => {
  const writer = createEventWriter(client, silentLogger);
  const event: ReportedEvent = {
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'web', uid: 'u' },
    type: 'Warning',
    reason: 'BackOff',
    message: 'again',
    firstTime: Date.UTC(2026, 0, 1),
    lastTime: Date.UTC(2026, 0, 1),
    count: 1,
    component: 'kubelet',
  };
  await writer.write('one', event);
  await writer.write('one', event);
  await writer.write('one', { ...event, count: 5, lastTime: Date.UTC(2026, 0, 1, 1) });
  // Another server, which has not seen the first.
  await createEventWriter(client, silentLogger).write('one', { ...event, count: 6, lastTime: Date.UTC(2026, 0, 1, 2) });
  const { items } = await client.list(events, { namespace: 'default' });
  expect(items).toMatchObject([
    { reason: 'BackOff', count: 6, lastTimestamp: '2026-01-01T02:00:00Z', source: { component: 'kubelet', host: 'one' } },
  ]);
});

test('eras follow one another, each from where its server found the store', async () => {
  const { signal } = new AbortController();
  const open = (openedAt: number) => openEra({ client, openedAt, peers: undefined, clock: systemClock, signal });
  const first = await open(10);
  const second = await open(20);
  expect(second.diverged(first.current, 20)).toBe(false);
  expect(second.diverged(first.current, 21)).toBe(true);
  expect(second.diverged(second.current, 1000)).toBe(false);
});

describe('eras of several servers', () => {
  let members: Peer[];
  let onLook: () => void = () => undefined;
  const looked = (): Promise<void> =>
    new Promise((resolve) => {
      onLook = resolve;
    });
  const peersOf = (name: string, identity = name): Peers => {
    members = [...members.filter((member) => member.name !== name), { name, identity, agents: undefined, era: '', renewed: true }];
    return {
      own: { name, identity },
      members,
      newest: () => {
        const answer = Promise.resolve(members);
        onLook();
        return answer;
      },
      serve: (era) => {
        members = members.map((member) => (member.name === name ? { ...member, era } : member));
        return Promise.resolve();
      },
      onChange: () => () => undefined,
      onLost: () => undefined,
    };
  };
  const open = (peers: Peers, openedAt: number) =>
    openEra({ client, openedAt, peers, clock: systemClock, signal: new AbortController().signal });
  beforeEach(() => {
    members = [];
  });

  test('one that joins a living one serves in the same era, so that an agent may go from one to the other', async () => {
    const first = await open(peersOf('a'), 10);
    const second = await open(peersOf('b'), 20);
    expect(second.current).toBe(first.current);
    expect(second.diverged(first.current, 500)).toBe(false);
    // The first is gone, the second lives on in its era, and a third joins that one.
    members = members.filter(({ name }) => name !== 'a');
    expect((await open(peersOf('c'), 30)).current).toBe(first.current);
  });

  test('many that begin at the same time share one', async () => {
    const all = await Promise.all(['a', 'b', 'c', 'd'].map((name, index) => open(peersOf(name), 10 + index)));
    expect(new Set(all.map(({ current }) => current)).size).toBe(1);
  });

  test('one that finds an older copy begins anew, also when it and others have the names of those before', async () => {
    const before = await open(peersOf('a', 'first start of a'), 10);
    members = members.map((member) => ({ ...member, era: '' }));
    const [one, other] = await Promise.all([open(peersOf('a', 'second start of a'), 20), open(peersOf('b'), 20)]);
    expect(one?.current).toBe(other?.current);
    expect(one?.diverged(before.current, 21)).toBe(true);
  });

  test('one that was not seen to live is waited for: it may, or its end will show', async () => {
    const first = await open(peersOf('a'), 10);
    members = members.map((member) => ({ ...member, renewed: false }));
    const joining = open(peersOf('b'), 20);
    await looked();
    members = members.map((member) => ({ ...member, renewed: true }));
    expect((await joining).current).toBe(first.current);
    members = members.filter(({ name }) => name !== 'b').map((member) => ({ ...member, renewed: false }));
    const next = open(peersOf('c'), 20);
    await looked();
    members = members.filter(({ name }) => name === 'c');
    expect((await next).current).not.toBe(first.current);
  });

  test('one that was taken for dead goes on in its own, if no other has begun one', async () => {
    const peers = peersOf('a');
    const first = await open(peers, 10);
    members = [];
    expect((await open(peers, 50)).current).toBe(first.current);
  });
});

describe('ranges of pod addresses', () => {
  test('are given once, though several servers give at the same time', async () => {
    const servers = ['a', 'b', 'c'].map((server) =>
      createNodeObjects({ client, clusterCidr: '10.42.0.0/16', server, clock: systemClock, log: silentLogger }),
    );
    const names = Array.from({ length: 9 }, (_, index) => `node-${index}`);
    const made = await Promise.all(
      names.map((name, index) =>
        servers[index % 3]!.register(name, { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {}, status: { conditions: [] } }),
      ),
    );
    expect(new Set(made.map(({ spec }) => spec?.podCIDR)).size).toBe(9);
  });
});

describe('over caches', () => {
  async function start(): Promise<{ sources: AssignmentSources }> {
    const informers = new InformerSet(client, { clock: systemClock, log: silentLogger });
    const sources = new AssignmentSources(informers);
    const abort = new AbortController();
    stop.push(abort);
    void informers.run(abort.signal);
    await informers.synced(abort.signal);
    return { sources };
  }

  const podOn = (name: string, nodeName: string, more: Partial<Pod['spec']> = {}): Promise<Pod> =>
    client.create(pods, {
      metadata: { name, namespace: 'default' },
      spec: { nodeName, containers: [{ name: 'main', image: 'i' }], ...more },
    });

  const keys = (entries: readonly { resource: string; name: string; object: unknown }[]): string[] =>
    entries
      .map(({ resource, name, object }) => `${object === undefined ? '-' : '+'}${resource}/${name}`)
      .toSorted((a, b) => (a < b ? -1 : 1));

  test('a node gets its pods, exactly what they name, and every service; then what changes of it', async () => {
    for (const name of ['used', 'unused']) await client.create(configMaps, { metadata: { name, namespace: 'default' }, data: {} });
    await client.create(secrets, { metadata: { name: 'other', namespace: 'default' } });
    await podOn('mine', 'one', {
      volumes: [
        { name: 'v', configMap: { name: 'used' } },
        { name: 'w', configMap: { name: 'later', optional: true } },
      ],
    });
    await podOn('theirs', 'two', { containers: [{ name: 'main', image: 'i', envFrom: [{ secretRef: { name: 'other' } }] }] });
    const { sources } = await start();
    const assignments = new NodeAssignments('one', sources);
    expect(keys(assignments.snapshot())).toEqual(['+configmaps/used', '+pods/mine']);
    const changes: string[][] = [];
    let noted = 0;
    for (const informer of sources.all) {
      let replaying = true;
      informer.onChange(({ object, old }) => {
        if (!replaying && assignments.note(informer, object, old)) noted++;
      });
      replaying = false;
    }
    const noting = async (write: () => Promise<unknown>): Promise<void> => {
      const before = noted;
      await write();
      const { metadata } = await client.list(services);
      for (const informer of sources.all) {
        const list = await client.list(informer.resource);
        await informer.until(
          () =>
            list.items.every((item) =>
              informer.list().some((cached) => cached.metadata.resourceVersion === item.metadata.resourceVersion),
            ) && informer.list().length === list.items.length,
        );
      }
      expect(metadata.resourceVersion).toBeDefined();
      if (noted > before) changes.push(keys(assignments.changes()));
    };
    await noting(() => client.create(configMaps, { metadata: { name: 'later', namespace: 'default' }, data: {} }));
    await noting(() => client.patch(configMaps, { namespace: 'default', name: 'unused' }, 'merge', { data: { a: 'b' } }));
    await noting(() => client.create(services, { metadata: { name: 'front', namespace: 'default' }, spec: { ports: [{ port: 80 }] } }));
    await noting(() =>
      client.patch(pods, { namespace: 'default', name: 'mine' }, 'merge', { status: { phase: 'Running' } }, { subresource: 'status' }),
    );
    await noting(() => client.patch(pods, { namespace: 'default', name: 'mine' }, 'merge', { metadata: { labels: { a: 'b' } } }));
    await noting(() => client.delete(pods, { namespace: 'default', name: 'mine' }, { gracePeriodSeconds: 0 }));
    expect(changes).toEqual([
      ['+configmaps/later'],
      ['+services/front'],
      [],
      ['+pods/mine'],
      ['-configmaps/later', '-configmaps/used', '-pods/mine'],
    ]);
  });

  test('a status goes to the pod with that uid on that node alone, and removes it when it has stopped', async () => {
    const { sources } = await start();
    const writer = createStatusWriter({ client, cache: sources.pods, clock: systemClock, log: silentLogger });
    const { signal } = new AbortController();
    const pod = await podOn('web', 'one');
    const report = { namespace: 'default', name: 'web', uid: pod.metadata.uid ?? '', status: { phase: 'Running' }, stopped: false };
    expect(await writer.write('two', report, signal)).toBe('unknown');
    expect(await writer.write('one', { ...report, uid: 'another' }, signal)).toBe('unknown');
    expect(await writer.write('one', { ...report, name: 'nobody' }, signal)).toBe('unknown');
    expect(await writer.write('one', report, signal)).toBe('written');
    const written = await client.get(pods, { namespace: 'default', name: 'web' });
    expect(written.status?.phase).toBe('Running');
    expect(await writer.write('one', report, signal)).toBe('written');
    expect((await client.get(pods, { namespace: 'default', name: 'web' })).metadata.resourceVersion).toBe(written.metadata.resourceVersion);
    // That it has stopped removes nothing that nobody asked to remove.
    expect(await writer.write('one', { ...report, stopped: true }, signal)).toBe('written');
    await client.delete(pods, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 30 });
    expect((await client.get(pods, { namespace: 'default', name: 'web' })).metadata.deletionTimestamp).toBeDefined();
    await writer.write('one', { ...report, status: { phase: 'Failed' }, stopped: true }, signal);
    expect(await client.find(pods, { namespace: 'default', name: 'web' })).toBeUndefined();
  });
});
