import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { defineKind } from '#api/define-kind';
import { kinds } from '#api/kinds/index';
import type { KubernetesObject, ResourceType } from '#api/object';
import { KindRegistry } from '#api/registry';
import {
  configMaps,
  events,
  eventsK8sIoEvents,
  namespaces,
  pods,
  selfSubjectAccessReviews,
  selfSubjectReviews,
  selfSubjectRulesReviews,
  subjectAccessReviews,
} from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { ManualClock } from '#base/manual-clock';
import type { Client } from '#client/client';
import { createClient } from '#client/typed-client';
import { createAdmissionSteps } from '../admission/index.ts';
import { createAuthorizers } from '../authorization/index.ts';
import { boundPodsOf } from '../bound-pods.ts';
import { indexers } from '../indexers.ts';
import { createLocalTransport } from '../local-transport.ts';
import { administrator, type MemoryApi, startMemoryApi } from '../memory-api.ts';
import type { RequestContext } from '../request-context.ts';
import { createVerbObserver } from './verb-metrics.ts';
import { Verbs } from './verbs.ts';
import { bookmarkInterval } from './watch.ts';

const namespace = 'default';
let clock: ManualClock;
let api: MemoryApi;
let client: Client;

beforeEach(async () => {
  clock = new ManualClock();
  api = startMemoryApi({ clock });
  client = api.client();
  await client.create(namespaces, { metadata: { name: namespace }, spec: {} });
});
afterEach(() => api.stop());

const quiet: RequestContext = { user: administrator, warn: () => undefined };
const configMap = (name: string, more: object = {}) => ({ metadata: { name, namespace }, ...more });
const pod = (name: string): Omit<Pod, 'apiVersion' | 'kind'> => ({
  metadata: { name, namespace },
  spec: { containers: [{ name: 'c', image: 'i' }] },
});
const key = (name: string) => ({ name, namespace });

describe('answers', () => {
  test('objects are frozen and shared, and their bytes are one and the same for everyone', async () => {
    await client.create(configMaps, configMap('a', { data: { x: '1' } }));
    const read = async () => {
      const answer = await api.verbs.send(quiet, { verb: 'get', resource: configMaps, ...key('a') });
      if (answer.type !== 'object') throw new Error('no object');
      return answer.object;
    };
    const [first, second] = [await read(), await read()];
    expect(first.bytes).toBe(second.bytes);
    expect(JSON.parse(first.bytes.toString())).toEqual(first.object);
    expect(Object.isFrozen((first.object as unknown as { data: object }).data)).toBe(true);
  });

  test('what a caller hands in is copied: changing it later changes nothing', async () => {
    const draft = configMap('a', { data: { x: '1' } as Record<string, string> }) as { metadata: object; data: Record<string, string> };
    const made = client.create(configMaps, draft as never);
    draft.data.x = 'changed';
    await made;
    draft.data.x = 'changed again';
    expect((await client.get(configMaps, key('a'))).data?.x).not.toBe('changed again');
    expect(Object.isFrozen(draft.data)).toBe(false);
  });

  test('a deletion says what is gone, or shows what is still there', async () => {
    await client.create(configMaps, configMap('a'));
    await client.create(configMaps, { metadata: { name: 'held', namespace, finalizers: ['x.io/y'] } });
    const gone = await api.verbs.send(quiet, { verb: 'delete', resource: configMaps, ...key('a'), options: {} });
    expect(gone).toMatchObject({ type: 'status', status: { status: 'Success', details: { name: 'a', kind: 'configmaps' } } });
    const held = await api.verbs.send(quiet, { verb: 'delete', resource: configMaps, ...key('held'), options: {} });
    expect(held).toMatchObject({ type: 'object', code: 200 });
  });

  test('a collection is deleted by the rules of its objects', async () => {
    for (const name of ['a', 'b', 'c']) await client.create(configMaps, { metadata: { name, namespace, labels: { name } } });
    await client.patch(configMaps, key('b'), 'merge', { metadata: { finalizers: ['x.io/y'] } });
    const answer = await api.verbs.send(quiet, {
      verb: 'deletecollection',
      resource: configMaps,
      namespace,
      options: { labelSelector: 'name!=c' },
    });
    expect(answer.type === 'list' && answer.list.items).toHaveLength(2);
    expect((await client.list(configMaps)).items.map((item) => item.metadata.name)).toEqual(['b', 'c']);
  });

  test('what is not served is not found, and what a kind cannot do is not allowed', async () => {
    const odd: ResourceType = { group: 'x.io', version: 'v1', plural: 'odds', kind: 'Odd', namespaced: true };
    await expect(client.list(odd)).rejects.toMatchObject({ code: 404, message: 'the server could not find the requested resource' });
    await expect(api.verbs.send(quiet, { verb: 'deletecollection', resource: namespaces, options: {} })).rejects.toMatchObject({
      code: 405,
      message: 'the server does not allow this method on the requested resource',
    });
    await expect(client.createSubresource(pods, key('a'), 'nothing', {})).rejects.toMatchObject({ code: 404 });
  });
});

describe('pods', () => {
  test('one that no node has goes at once; a bound one is given its grace, which can only become shorter', async () => {
    await client.create(pods, pod('free'));
    await client.delete(pods, key('free'));
    expect(await client.find(pods, key('free'))).toBeUndefined();

    await client.create(pods, pod('bound'));
    await client.createSubresource(pods, key('bound'), 'binding', {
      metadata: { name: 'bound', namespace },
      target: { kind: 'Node', name: 'n1' },
    });
    expect((await client.get(pods, key('bound'))).spec.nodeName).toBe('n1');
    await expect(
      client.createSubresource(pods, key('bound'), 'binding', { metadata: { name: 'bound' }, target: { kind: 'Node', name: 'n2' } }),
    ).rejects.toMatchObject({ reason: 'Conflict' });

    await client.delete(pods, key('bound'));
    const going = await client.get(pods, key('bound'));
    expect(going.metadata.deletionGracePeriodSeconds).toBe(30);
    expect(going.metadata.deletionTimestamp).toBe('2026-01-01T00:00:30Z');
    await client.delete(pods, key('bound'), { gracePeriodSeconds: 60 });
    expect(await client.get(pods, key('bound'))).toEqual(going);
    await clock.advance(2000);
    await client.delete(pods, key('bound'), { gracePeriodSeconds: 10 });
    expect((await client.get(pods, key('bound'))).metadata).toMatchObject({
      deletionGracePeriodSeconds: 10,
      deletionTimestamp: '2026-01-01T00:00:10Z',
    });
    await client.delete(pods, key('bound'), { gracePeriodSeconds: 0 });
    expect(await client.find(pods, key('bound'))).toBeUndefined();
  });

  test('a status may be written while the pod goes, and its removal waits for the last deletion', async () => {
    await client.create(pods, pod('p'));
    await client.createSubresource(pods, key('p'), 'binding', { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n1' } });
    await client.delete(pods, key('p'));
    const going = await client.get(pods, key('p'));
    const done = await client.updateStatus(pods, { ...going, status: { ...going.status, phase: 'Failed' } });
    expect(done.status?.phase).toBe('Failed');
    await client.delete(pods, key('p'), { gracePeriodSeconds: 0, preconditions: { uid: done.metadata.uid ?? '' } });
    expect(await client.find(pods, key('p'))).toBeUndefined();
  });

  test('are chosen by the node that has them, from an index', async () => {
    for (const name of ['a', 'b', 'c']) await client.create(pods, pod(name));
    for (const [name, node] of [
      ['a', 'n1'],
      ['b', 'n2'],
    ] as const) {
      await client.createSubresource(pods, key(name), 'binding', { metadata: { name }, target: { kind: 'Node', name: node } });
    }
    const on = async (fieldSelector: string) => (await client.list(pods, { fieldSelector })).items.map((item) => item.metadata.name);
    expect(await on('spec.nodeName=n1')).toEqual(['a']);
    expect(await on('spec.nodeName=n1,status.phase!=Pending')).toEqual([]);
    expect(await on('spec.nodeName=')).toEqual(['c']);
    expect(await on('spec.nodeName!=n1')).toEqual(['b', 'c']);
    const node = api.client({ name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] });
    expect((await node.list(pods, { fieldSelector: 'spec.nodeName=n1' })).items).toHaveLength(1);
    await expect(node.list(pods)).rejects.toMatchObject({ reason: 'Forbidden' });
  });

  test('evictions delete', async () => {
    await api.stop();
    const eviction = {
      name: 'eviction',
      kind: { group: 'policy', version: 'v1', kind: 'Eviction' },
      typeName: 'policy.v1.Eviction',
      verbs: ['create'],
    };
    const evictable = kinds.map((kind) =>
      kind.kind === 'Pod' && kind.group === ''
        ? { ...kind, subresources: [...kind.subresources.filter(({ name }) => name !== 'eviction'), eviction] }
        : kind,
    );
    api = startMemoryApi({ clock, registry: new KindRegistry(evictable) });
    client = api.client();
    await client.create(namespaces, { metadata: { name: namespace }, spec: {} });
    await client.create(pods, pod('p'));
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p', namespace } };
    expect(await client.createSubresource(pods, key('p'), 'eviction', body, { dryRun: true })).toMatchObject({ status: 'Success' });
    expect(await client.find(pods, key('p'))).toBeDefined();
    await client.createSubresource(pods, key('p'), 'eviction', body);
    expect(await client.find(pods, key('p'))).toBeUndefined();
  });
});

describe('kinds with ways of their own', () => {
  test('a namespace is held until its contents are gone, and goes when it is finalized', async () => {
    await client.create(namespaces, { metadata: { name: 'room' }, spec: {} });
    const finalize = async (finalizers: string[]) => {
      const found = await client.get(namespaces, { name: 'room' });
      const answer = await api.verbs.send(quiet, {
        verb: 'update',
        resource: namespaces,
        name: 'room',
        subresource: 'finalize',
        object: { ...found, spec: { finalizers } },
        options: {},
      });
      return answer.type;
    };
    await client.delete(namespaces, { name: 'room' });
    const going = await client.get(namespaces, { name: 'room' });
    expect(going.status?.phase).toBe('Terminating');
    expect(going.spec.finalizers).toEqual(['kubernetes']);
    await client.delete(namespaces, { name: 'room' });
    expect(await client.get(namespaces, { name: 'room' })).toEqual(going);
    await finalize([]);
    expect(await client.find(namespaces, { name: 'room' })).toBeUndefined();
  });

  test('an Event is one object in two groups', async () => {
    const regarding = { kind: 'Pod', namespace, name: 'p', uid: 'u' };
    await client.create(events, {
      metadata: { name: 'e', namespace },
      involvedObject: regarding,
      reason: 'Started',
      message: 'said',
      type: 'Normal',
      source: { component: 'test' },
    });
    const other = await client.get(eventsK8sIoEvents, key('e'));
    expect(other).toMatchObject({ apiVersion: 'events.k8s.io/v1', regarding, note: 'said', reason: 'Started' });
    expect((await client.list(eventsK8sIoEvents, { namespace })).items).toHaveLength(1);
    expect((await client.list(events, { fieldSelector: 'involvedObject.name=p,involvedObject.kind=Pod' })).items).toHaveLength(1);
    expect((await client.list(events, { fieldSelector: 'involvedObject.name=q' })).items).toHaveLength(0);
    await client.delete(eventsK8sIoEvents, key('e'));
    expect(await client.find(events, key('e'))).toBeUndefined();
  });

  test('the faults of an object are told all at once, with their paths', async () => {
    const bad = { metadata: { name: 'bad', namespace }, spec: { containers: [{ name: 'Not Valid' }], restartPolicy: 'Sometimes' } };
    const error = await client.create(pods, bad).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'Invalid', code: 422, details: { name: 'bad', kind: 'Pod' } });
    const fields = ((error as { details?: { causes?: { field?: string }[] } }).details?.causes ?? []).map((cause) => cause.field);
    expect(fields).toEqual(expect.arrayContaining(['spec.containers[0].name', 'spec.containers[0].image', 'spec.restartPolicy']));
  });
});

describe('watch', () => {
  const open = async (options: object, signal: AbortSignal) => {
    const stream = await api.verbs.watch(quiet, { verb: 'watch', resource: configMaps, namespace, options }, signal);
    return stream[Symbol.asyncIterator]();
  };

  test('bookmarks come now and then, never ahead of what was given, and once more before the end', async () => {
    await client.create(configMaps, configMap('a'));
    const stop = new AbortController();
    const iterator = await open({ allowWatchBookmarks: true, timeoutSeconds: 60 }, stop.signal);
    expect((await iterator.next()).value).toMatchObject([{ type: 'ADDED' }]);
    const next = iterator.next();
    await clock.advance(1000);
    const elsewhere = await client.create(namespaces, { metadata: { name: 'other' }, spec: {} });
    await clock.advance(bookmarkInterval);
    const [bookmark] = (await next).value ?? [];
    expect(bookmark).toMatchObject({ type: 'BOOKMARK', object: { object: { kind: 'ConfigMap', apiVersion: 'v1' } } });
    expect(bookmark?.object.object.metadata.resourceVersion).toBe(elsewhere.metadata.resourceVersion);
    const last = iterator.next();
    await clock.advance(60_000);
    expect((await last).value).toMatchObject([{ type: 'BOOKMARK' }]);
    expect((await iterator.next()).done).toBe(true);
    expect(api.store.cache.resource(configMaps).watchers).toBe(0);
  });

  test('no bookmarks come where they are not wanted', async () => {
    const stop = new AbortController();
    const iterator = await open({}, stop.signal);
    const next = iterator.next();
    await clock.advance(3 * bookmarkInterval);
    await client.create(configMaps, configMap('a'));
    expect((await next).value).toMatchObject([{ type: 'ADDED' }]);
    stop.abort();
    expect((await iterator.next()).done).toBe(true);
  });

  test('a revision that is no longer known is an ERROR of the stream: 410', async () => {
    const backend = api.backend;
    await api.stop().catch(() => undefined);
    void backend;
    api = startMemoryApi({ clock });
    client = api.client();
    await client.create(namespaces, { metadata: { name: namespace }, spec: {} });
    for (let index = 0; index < 11_500; index++) {
      await api.store.create(
        configMaps,
        { namespace, name: `c${index}` },
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c${index}`, namespace } },
      );
    }
    await api.store.cache.reachNewest();
    const iterator = await open({ resourceVersion: '3' }, new AbortController().signal);
    await expect(iterator.next()).rejects.toMatchObject({
      reason: 'Expired',
      code: 410,
      message: expect.stringMatching(/^too old resource version: 3 \(\d+\)$/),
    });

    const first = await client.list(configMaps, { limit: 1 });
    const old = { continue: Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: 3, start: `${namespace}/c1` })).toString('base64url') };
    await api.backend.compact(1000);
    const expired = await client.list(configMaps, { ...old, limit: 1 }).catch((error: unknown) => error);
    expect(expired).toMatchObject({ reason: 'Expired', message: expect.stringMatching(/^The provided continue parameter is too old/) });
    const { continueToken = '' } = expired as { continueToken?: string };
    const next = await client.list(configMaps, { continue: continueToken, limit: 1 });
    expect(next.items[0]?.metadata.name).toBe('c1');
    expect(next.metadata.continue).not.toBe(first.metadata.continue);
  });
});

describe('reviews', () => {
  const ann = { name: 'ann', groups: ['system:authenticated'], uid: 'u1' };

  test('whoever asks is told who they are', async () => {
    const review = await api.client(ann).create(selfSubjectReviews, { metadata: {} });
    expect(review.status?.userInfo).toEqual({ username: 'ann', groups: ['system:authenticated'], uid: 'u1' });
  });

  test('whoever asks is told what they may do', async () => {
    const attributes = { spec: { resourceAttributes: { verb: 'list', resource: 'pods', namespace } } };
    expect((await api.client(ann).create(selfSubjectAccessReviews, { metadata: {}, ...attributes })).status).toEqual({ allowed: false });
    expect((await client.create(selfSubjectAccessReviews, { metadata: {}, ...attributes })).status).toMatchObject({ allowed: true });
    const path = { spec: { nonResourceAttributes: { verb: 'get', path: '/healthz' } } };
    expect((await api.client(ann).create(selfSubjectAccessReviews, { metadata: {}, ...path })).status).toMatchObject({ allowed: true });
    const other = { spec: { user: 'system:kube-scheduler', ...attributes.spec } };
    expect((await client.create(subjectAccessReviews, { metadata: {}, ...other })).status).toMatchObject({ allowed: true });
    await expect(api.client(ann).create(subjectAccessReviews, { metadata: {}, ...other })).rejects.toMatchObject({ reason: 'Forbidden' });
    const rules = await client.create(selfSubjectRulesReviews, { metadata: {}, spec: { namespace } });
    expect(rules.status?.incomplete).toBe(false);
    expect(rules.status?.resourceRules[0]).toEqual({ apiGroups: ['*'], resources: ['*'], verbs: ['*'] });
    await expect(client.create(selfSubjectAccessReviews, { metadata: {}, spec: {} })).rejects.toMatchObject({ reason: 'BadRequest' });
  });
});

describe('a kind of one’s own', () => {
  interface Toy extends KubernetesObject {
    spec?: { size?: string };
  }
  const toys: ResourceType<Toy> = { group: 'toys.example.com', version: 'v1', plural: 'toys', kind: 'Toy', namespaced: true };

  test('is served by every verb, in each of its versions', async () => {
    const toy = defineKind<Toy>({
      group: toys.group,
      kind: toys.kind,
      names: { plural: 'toys', singular: 'toy', shortNames: [], categories: [] },
      scope: 'Namespaced',
      versions: [
        { version: 'v1', typeName: 'compose.v1alpha1.Stack' },
        {
          version: 'v1beta1',
          typeName: 'compose.v1alpha1.Stack',
          toStored: (object) => ({
            ...object,
            apiVersion: 'toys.example.com/v1',
            spec: { size: (object as unknown as { spec: { big: string } }).spec.big },
          }),
          fromStored: (object) =>
            ({ ...object, apiVersion: 'toys.example.com/v1beta1', spec: { big: object.spec?.size } }) as KubernetesObject,
        },
      ],
      defaults: (draft) => {
        draft.spec = { size: 'small', ...draft.spec };
      },
      selectableFields: { 'spec.size': (object) => object.spec?.size },
    });
    const store = api.store;
    const verbs = new Verbs({
      store,
      clock,
      indexers,
      registry: new KindRegistry([...kinds, toy as never]),
      admission: createAdmissionSteps({ backend: api.backend, cache: store.cache }),
      authorizers: createAuthorizers(boundPodsOf(store.cache)),
    });
    const own = createClient(createLocalTransport(verbs, administrator));
    const made = await own.create(toys, { metadata: { name: 't', namespace } });
    expect(made.spec?.size).toBe('small');
    const beta: ResourceType = { ...toys, version: 'v1beta1' };
    expect(await own.get(beta, key('t'))).toMatchObject({ apiVersion: 'toys.example.com/v1beta1', spec: { big: 'small' } });
    await own.patch(beta, key('t'), 'merge', { spec: { big: 'huge' } });
    expect((await own.list(toys, { fieldSelector: 'spec.size=huge' })).items).toHaveLength(1);
    await own.delete(toys, key('t'));
    expect((await own.list(beta)).items).toEqual([]);
  });
});

test('warnings reach the caller once', async () => {
  const warnings: string[] = [];
  const warned = createClient(createLocalTransport(api.verbs, administrator, { warn: (text) => warnings.push(text) }));
  await warned.create(configMaps, configMap('a', { bogus: 1 }) as never, { fieldValidation: 'Warn' });
  expect(warnings).toEqual(['unknown field "bogus"']);
});

test('a request whose signal aborts rejects with its reason', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(createClient(createLocalTransport(api.verbs, administrator), signal).list(configMaps)).rejects.toThrow('enough');
});

test('open watches and stored objects are counted', async () => {
  const registry = new Registry();
  const { store } = api;
  const verbs = new Verbs({
    store,
    clock,
    registry: api.verbs.registry,
    admission: [],
    authorizers: createAuthorizers(boundPodsOf(store.cache)),
    observer: createVerbObserver(registry, store.cache),
  });
  const stop = new AbortController();
  const iterator = (await verbs.watch(quiet, { verb: 'watch', resource: namespaces, options: {} }, stop.signal))[Symbol.asyncIterator]();
  await iterator.next();
  expect(await registry.metrics()).toContain('apiserver_registered_watchers{resource="namespaces"} 1');
  expect(await registry.metrics()).toContain('apiserver_storage_objects{resource="namespaces"} 1');
  stop.abort();
  await iterator.next();
  expect(await registry.metrics()).toContain('apiserver_registered_watchers{resource="namespaces"} 0');
});
