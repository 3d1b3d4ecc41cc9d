import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '#api/object';
import { systemClock } from '#base/clock';
import { StatusError } from '#base/errors';
import { type Commit, type CommitResult, OutcomeUnknownError, StoreFullError } from './backend.ts';
import { internalKey, objectKey } from './keys.ts';
import { MemoryBackend } from './memory/memory-backend.ts';
import { ExtraCompareError, Store } from './store.ts';
import { encodeJson } from './values.ts';
import { WatchCache } from './watch-cache.ts';

const pods = { group: '', plural: 'pods' };
const deployments = { group: 'apps', plural: 'deployments' };
const named = (name: string) => ({ namespace: 'default', name });
const pod = (name: string, extra: object = {}): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', uid: `uid-${name}` },
  ...extra,
});

/** A memory backend whose commits can be made to fail in the ways that a network or a disk gives. */
class FaultyBackend extends MemoryBackend {
  fault: 'none' | 'full' | 'lost before' | 'lost after' = 'none';
  commits = 0;

  override async commit(commit: Commit): Promise<CommitResult> {
    this.commits++;
    const { fault } = this;
    this.fault = 'none';
    if (fault === 'full') throw new StoreFullError('the disk is full');
    if (fault === 'lost before') throw new OutcomeUnknownError('connection lost');
    const result = await super.commit(commit);
    if (fault === 'lost after') throw new OutcomeUnknownError('connection lost');
    return result;
  }
}

let backend: FaultyBackend;
let store: Store;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  backend = new FaultyBackend();
  const cache = new WatchCache({ backend, clock: systemClock });
  store = new Store(backend, cache);
  stop = new AbortController();
  running = cache.run(stop.signal);
});

afterEach(async () => {
  stop.abort();
  await running;
  await backend.close();
});

const label = (object: KubernetesObject, value: string): KubernetesObject => ({
  ...object,
  metadata: { ...object.metadata, labels: { value } },
});

describe('create', () => {
  test('gives the object with its resourceVersion, the same bytes that readers get', async () => {
    const created = await store.create(pods, named('a'), pod('a', { spec: { x: 1 } }));
    expect(created.object).toEqual({
      ...pod('a', { spec: { x: 1 } }),
      metadata: { ...pod('a').metadata, resourceVersion: String(created.revision) },
    });
    expect(Object.isFrozen(created.object.metadata)).toBe(true);
    const read = await store.get(pods, named('a'));
    expect(read).toBe(created);
    expect(JSON.parse(read.bytes.toString())).toEqual(created.object);
  });

  test('leaves out a resourceVersion that came with the object', async () => {
    const created = await store.create(pods, named('a'), { ...pod('a'), metadata: { name: 'a', resourceVersion: '999' } });
    expect(created.object.metadata.resourceVersion).toBe(String(created.revision));
  });

  test('of what exists is AlreadyExists, in the words of Kubernetes', async () => {
    await store.create(deployments, named('a'), pod('a'));
    await expect(store.create(deployments, named('a'), pod('a'))).rejects.toMatchObject({
      reason: 'AlreadyExists',
      code: 409,
      message: 'deployments.apps "a" already exists',
      details: { name: 'a', group: 'apps', kind: 'deployments' },
    });
  });

  test('of more than 1.5 MB is refused with 413', async () => {
    await expect(store.create(pods, named('a'), pod('a', { data: 'x'.repeat(1_500_000) }))).rejects.toMatchObject({
      code: 413,
      reason: 'RequestEntityTooLarge',
    });
    expect(backend.commits).toBe(0);
  });

  test('writes a reservation with the object, and neither when the reservation is taken', async () => {
    const key = internalKey('addresses', '10.0.0.1');
    const extra = { compare: [{ key, revision: 0 }], ops: [{ type: 'put' as const, key, value: encodeJson({ by: 'a' }) }] };
    await store.create(pods, named('a'), pod('a'), extra);
    expect((await backend.get(key)).item).toBeDefined();
    const refused = store.create(pods, named('b'), pod('b'), extra);
    await expect(refused).rejects.toBeInstanceOf(ExtraCompareError);
    await expect(refused).rejects.toMatchObject({ current: [{ key }] });
    await expect(store.get(pods, named('b'))).rejects.toMatchObject({ reason: 'NotFound' });
  });

  test('refuses a second object in one commit', async () => {
    const key = objectKey(pods, named('b'));
    await expect(store.create(pods, named('a'), pod('a'), { ops: [{ type: 'delete', key }] })).rejects.toBeInstanceOf(RangeError);
  });

  test('on a full disk is ServiceUnavailable, and works when there is room again', async () => {
    backend.fault = 'full';
    await expect(store.create(pods, named('a'), pod('a'))).rejects.toMatchObject({
      reason: 'ServiceUnavailable',
      message: expect.stringContaining('full'),
    });
    await store.create(pods, named('a'), pod('a'));
  });

  test.each(['lost before', 'lost after'] as const)('whose reply is %s took place exactly once', async (fault) => {
    backend.fault = fault;
    const created = await store.create(pods, named('a'), pod('a'));
    expect((await backend.get(objectKey(pods, named('a')))).item?.revision).toBe(created.revision);
    expect(await backend.revision()).toBe(created.revision);
  });
});

describe('update', () => {
  test('writes what the change makes of the object', async () => {
    const created = await store.create(pods, named('a'), pod('a'));
    const { object, previous, outcome } = await store.update(pods, named('a'), (current) => ({ object: label(current.object, '1') }));
    expect(outcome).toBe('written');
    expect(previous.revision).toBe(created.revision);
    expect(object.object.metadata).toMatchObject({ labels: { value: '1' }, resourceVersion: String(object.revision) });
  });

  test('that changes nothing writes nothing, also when fields come in another order', async () => {
    const created = await store.create(pods, named('a'), pod('a', { spec: { x: 1, y: [2] }, status: { z: 3 } }));
    const commits = backend.commits;
    for (const object of [created.object, pod('a', { status: { z: 3 }, spec: { y: [2], x: 1 } })]) {
      const result = await store.update(pods, named('a'), () => ({ object }));
      expect(result).toMatchObject({ outcome: 'unchanged', object: { revision: created.revision } });
    }
    expect(backend.commits).toBe(commits);
  });

  test('of many writers at once loses none', async () => {
    await store.create(pods, named('a'), pod('a', { count: 0 }));
    await Promise.all(
      Array.from({ length: 10 }, () =>
        store.update(pods, named('a'), (current) => ({
          object: { ...current.object, count: (current.object as { count?: number }).count! + 1 } as KubernetesObject,
        })),
      ),
    );
    expect((await store.get(pods, named('a'))).object).toMatchObject({ count: 10 });
  });

  test('with a resourceVersion that is not the stored one is a Conflict', async () => {
    const created = await store.create(pods, named('a'), pod('a'));
    const resourceVersion = String(created.revision);
    await store.update(pods, named('a'), (current) => ({ object: label(current.object, '1') }), { resourceVersion });
    await expect(
      store.update(pods, named('a'), (current) => ({ object: label(current.object, '2') }), { resourceVersion }),
    ).rejects.toMatchObject({
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on pods "a": the object has been modified; please apply your changes to the latest version and try again',
    });
  });

  test('of two that name the same resourceVersion, one wins and one is told of the conflict', async () => {
    const created = await store.create(pods, named('a'), pod('a'));
    const resourceVersion = String(created.revision);
    const results = await Promise.allSettled(
      ['1', '2'].map((value) =>
        store.update(pods, named('a'), (current) => ({ object: label(current.object, value) }), { resourceVersion }),
      ),
    );
    expect(results.map((result) => result.status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  test('of what does not exist is NotFound', async () => {
    await expect(store.update(pods, named('a'), (current) => ({ object: current.object }))).rejects.toMatchObject({
      reason: 'NotFound',
      code: 404,
      message: 'pods "a" not found',
      details: { name: 'a', kind: 'pods' },
    });
  });

  test('passes on what the change throws', async () => {
    await store.create(pods, named('a'), pod('a'));
    const refuse = (): never => {
      throw new StatusError('Invalid', 'no');
    };
    await expect(store.update(pods, named('a'), refuse)).rejects.toMatchObject({ reason: 'Invalid' });
  });

  test('may remove the object, which then carries the resourceVersion of its deletion', async () => {
    await store.create(pods, named('a'), pod('a'));
    const { object, outcome } = await store.update(pods, named('a'), () => ({ remove: true }));
    expect(outcome).toBe('removed');
    expect(object.revision).toBe(await backend.revision());
    expect(object.object.metadata.resourceVersion).toBe(String(object.revision));
    await expect(store.get(pods, named('a'))).rejects.toMatchObject({ reason: 'NotFound' });
  });

  test.each(['lost before', 'lost after'] as const)('whose reply is %s took place exactly once', async (fault) => {
    await store.create(pods, named('a'), pod('a'));
    backend.fault = fault;
    const { object } = await store.update(pods, named('a'), (current) => ({ object: label(current.object, '1') }));
    expect((await backend.get(objectKey(pods, named('a')))).item?.revision).toBe(object.revision);
    expect(await backend.revision()).toBe(object.revision);
  });
});

describe('delete', () => {
  test('removes the object and gives its last content', async () => {
    const created = await store.create(pods, named('a'), pod('a', { spec: { x: 1 } }));
    const deleted = await store.delete(pods, named('a'), { uid: 'uid-a', resourceVersion: String(created.revision) });
    expect(deleted.object).toMatchObject({ spec: { x: 1 }, metadata: { resourceVersion: String(created.revision + 1) } });
  });

  test('of an object with another uid is a Conflict, in the words of Kubernetes', async () => {
    await store.create(pods, named('a'), pod('a'));
    await expect(store.delete(pods, named('a'), { uid: 'other' })).rejects.toMatchObject({
      reason: 'Conflict',
      message: 'Operation cannot be fulfilled on pods "a": Precondition failed: UID in precondition: other, UID in object meta: uid-a',
    });
  });

  test('can be refused by the caller on the newest content', async () => {
    await store.create(pods, named('a'), pod('a'));
    const refuse = (): never => {
      throw new StatusError('Forbidden', 'no');
    };
    await expect(store.delete(pods, named('a'), {}, refuse)).rejects.toMatchObject({ reason: 'Forbidden' });
    await store.get(pods, named('a'));
  });
});

describe('a store that is fenced', () => {
  test('writes while the fence is as it was, and nothing once it is not', async () => {
    const fenceKey = internalKey('leaders', 'a');
    const put = async (): Promise<number> => {
      const result = await backend.commit({ compare: [], ops: [{ type: 'put', key: fenceKey, value: encodeJson({}) }] });
      return result.committed ? result.revision : 0;
    };
    const former = store.fenced({ key: fenceKey, revision: await put() });
    await former.create(pods, named('a'), pod('a'));
    await former.update(pods, named('a'), ({ object }) => ({ object: label(object, '1') }));
    const leader = store.fenced({ key: fenceKey, revision: await put() });
    for (const write of [
      () => former.create(pods, named('b'), pod('b')),
      () => former.update(pods, named('a'), ({ object }) => ({ object: label(object, '2') })),
      () => former.delete(pods, named('a')),
    ]) {
      await expect(write()).rejects.toMatchObject({ name: 'StatusError', reason: 'ServiceUnavailable' });
    }
    expect((await store.get(pods, named('a'))).object.metadata.labels).toEqual({ value: '1' });
    await leader.delete(pods, named('a'));
  });
});
