import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject, ResourceType } from '#api/object';
import { StatusError } from '#base/errors';
import { silentLogger } from '#base/logging';
import { ManualClock } from '#base/manual-clock';
import { type Change, createInformer, type Informer, keyOf, splitKey } from './informer.ts';
import { MemoryTransport } from './memory-transport.ts';
import { createClient } from './typed-client.ts';

const pods: ResourceType = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };

function pod(name: string, labels: Record<string, string> = {}): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels } };
}

interface World {
  readonly transport: MemoryTransport;
  readonly clock: ManualClock;
  readonly informer: Informer;
  readonly seen: string[];
  create(name: string, labels?: Record<string, string>): Promise<KubernetesObject>;
  relabel(name: string, labels: Record<string, string>): Promise<void>;
  remove(name: string): Promise<void>;
  /** Lets everything that is due happen. */
  settle(): Promise<void>;
}

async function withWorld(test: (world: World) => Promise<void>): Promise<void> {
  const transport = new MemoryTransport();
  const client = createClient(transport);
  const clock = new ManualClock();
  const informer = createInformer(client, pods, {
    clock,
    log: silentLogger,
    random: () => 0.5,
    indexes: { app: (object) => (object.metadata.labels?.app === undefined ? [] : [object.metadata.labels.app]) },
  });
  const seen: string[] = [];
  informer.onChange((change: Change) => seen.push(`${change.type} ${change.object.metadata.name}`));
  const stop = new AbortController();
  const running = informer.run(stop.signal);
  try {
    await test({
      transport,
      clock,
      informer,
      seen,
      create: (name, labels) => client.create(pods, pod(name, labels)),
      relabel: async (name, labels) => {
        await client.patch(pods, { namespace: 'default', name }, 'merge', { metadata: { labels } });
      },
      remove: (name) => client.delete(pods, { namespace: 'default', name }),
      settle: () => clock.advance(0),
    });
  } finally {
    stop.abort();
    await running;
  }
}

describe('an informer', () => {
  test('shows what was there and what comes after, frozen and by index', () =>
    withWorld(async ({ informer, create, relabel, remove, seen, settle }) => {
      await create('a', { app: 'web' });
      await informer.synced;
      await create('b', { app: 'web' });
      await relabel('a', { app: 'db' });
      await settle();
      expect(informer.list().map(keyOf).toSorted()).toEqual(['default/a', 'default/b']);
      expect(informer.byIndex('app', 'web').map(keyOf)).toEqual(['default/b']);
      expect(informer.byIndex('app', 'db').map(keyOf)).toEqual(['default/a']);
      expect(Object.isFrozen(informer.get('default/a')?.metadata)).toBe(true);
      await remove('a');
      await settle();
      expect(informer.get('default/a')).toBeUndefined();
      expect(informer.byIndex('app', 'db')).toEqual([]);
      expect(seen.at(-1)).toBe('DELETED a');
      expect(informer.revision).toBe('4');
    }));

  test('goes on where it was when the server ends the watch, missing and repeating nothing', () =>
    withWorld(async ({ informer, transport, create, seen, settle, clock }) => {
      await informer.synced;
      await create('a');
      await settle();
      for (let turn = 0; turn < 5; turn++) {
        transport.cut(turn % 2 === 0 ? 'end' : new StatusError('InternalError', 'connection lost'));
        await create(`while-away-${turn}`);
        await clock.advance(60_000);
      }
      expect(seen).toEqual(['ADDED a', ...[0, 1, 2, 3, 4].map((turn) => `ADDED while-away-${turn}`)]);
    }));

  test('lists again when its revision is too old, and gives the difference', () =>
    withWorld(async ({ informer, transport, create, relabel, remove, seen, clock }) => {
      await create('changed');
      await create('removed');
      await create('replaced');
      await create('same');
      await informer.synced;
      await clock.advance(0);
      seen.length = 0;
      transport.cut(new StatusError('Expired', 'too old resource version: 1 (9)'));
      await relabel('changed', { app: 'web' });
      await remove('removed');
      await remove('replaced');
      await create('replaced');
      await create('new');
      transport.compact();
      await clock.advance(60_000);
      expect(seen.toSorted()).toEqual(['ADDED new', 'ADDED replaced', 'DELETED removed', 'DELETED replaced', 'MODIFIED changed']);
      expect(informer.revision).toBe('9');
    }));

  test('waits longer and longer while the server cannot be reached, then recovers', () =>
    withWorld(async ({ informer, transport, create, clock, settle }) => {
      await informer.synced;
      await settle();
      let requests = 0;
      transport.onRequest = () => {
        requests++;
        throw new StatusError('ServiceUnavailable', 'down');
      };
      transport.cut();
      await clock.advance(600_000);
      expect(requests).toBeGreaterThan(10);
      expect(requests).toBeLessThan(50);
      transport.onRequest = () => undefined;
      await create('late');
      await clock.advance(30_000);
      expect(informer.get('default/late')).toBeDefined();
    }));

  test('takes a watch that gives nothing at all for dead, and opens another', () =>
    withWorld(async ({ informer, transport, clock, settle }) => {
      await informer.synced;
      await settle();
      let watches = 0;
      transport.onRequest = () => watches++;
      await clock.advance(100_000);
      transport.bookmark();
      await clock.advance(100_000);
      expect(watches).toBe(0);
      await clock.advance(60_000);
      expect(watches).toBe(1);
      expect(transport.watching).toBe(1);
    }));

  test('tells when it has reached a revision, by changes or by bookmarks', () =>
    withWorld(async ({ informer, transport, create, settle }) => {
      await informer.synced;
      const created = await create('a');
      await informer.reached(created.metadata.resourceVersion ?? '');
      expect(informer.get('default/a')).toBeDefined();
      await createClient(transport).create({ ...pods, plural: 'others' }, pod('x'));
      let reached = false;
      const waiting = informer.reached('2').then(() => {
        reached = true;
      });
      await settle();
      expect(reached).toBe(false);
      transport.bookmark();
      await waiting;
      const given = new AbortController();
      const never = informer.reached('99', given.signal);
      given.abort();
      await expect(never).rejects.toMatchObject({ name: 'AbortError' });
    }));

  test('gives what is there to a handler and an index that come late', () =>
    withWorld(async ({ informer, create, settle }) => {
      await create('a', { app: 'web' });
      await informer.synced;
      await settle();
      const late: string[] = [];
      const stop = informer.onChange((change) => late.push(`${change.type} ${change.object.metadata.name}`));
      informer.addIndex('name', (object) => [object.metadata.name ?? '']);
      expect(informer.byIndex('name', 'a')).toHaveLength(1);
      expect(() => informer.byIndex('unknown', 'a')).toThrow('has no index unknown');
      stop();
      await create('b');
      await settle();
      expect(late).toEqual(['ADDED a']);
    }));

  test('ends with what a handler throws: a defect is not a broken watch', async () => {
    const transport = new MemoryTransport();
    const client = createClient(transport);
    await client.create(pods, pod('a'));
    const informer = createInformer(client, pods, { clock: new ManualClock(), log: silentLogger });
    informer.onChange(() => {
      throw new TypeError('defect');
    });
    await expect(informer.run(new AbortController().signal)).rejects.toThrow('defect');
  });
});

test('keys go back and forth', () => {
  expect(splitKey(keyOf(pod('a')))).toEqual({ namespace: 'default', name: 'a' });
  expect(splitKey(keyOf({ metadata: { name: 'node-1' } }))).toEqual({ name: 'node-1' });
});

test('what is replayed in slices is given once, in order, whatever changes between the slices', async () => {
  const transport = new MemoryTransport();
  const client = createClient(transport);
  let reading = 0;
  // Every look at it is a slice later.
  const clock = Object.assign(new ManualClock(), { monotonic: () => (reading += 10) });
  const informer = createInformer(client, pods, { clock, log: silentLogger });
  const stop = new AbortController();
  const running = informer.run(stop.signal);
  const create = (name: string): Promise<unknown> => client.create(pods, pod(name));
  for (let index = 0; index < 200; index++) await create(`p${index}`);
  await informer.until(() => informer.list().length === 200);
  const view = new Map<string, KubernetesObject>();
  const faults: string[] = [];
  let given = 0;
  const replaying = informer.replay(({ type, object }) => {
    given++;
    const key = keyOf(object);
    if (view.has(key) === (type === 'ADDED')) faults.push(`${type} ${key}`);
    if (type === 'DELETED') view.delete(key);
    else view.set(key, object);
  }, stop.signal);
  expect(given).toBeLessThan(200);
  const name = (number: number): { namespace: string; name: string } => ({ namespace: 'default', name: `p${number}` });
  // What was given already, and what was not.
  for (const number of [0, 5, 150, 199]) await client.patch(pods, name(number), 'merge', { metadata: { labels: { changed: 'yes' } } });
  for (const number of [1, 6, 151, 198]) await client.delete(pods, name(number));
  for (const number of [6, 151]) await create(`p${number}`);
  await create('new');
  const end = await replaying;
  await client.delete(pods, name(2));
  await informer.until(() => informer.get('default/p2') === undefined);
  expect(faults).toEqual([]);
  const text = (objects: Iterable<KubernetesObject>): string[] => [...objects].map((object) => JSON.stringify(object)).toSorted();
  expect(text(view.values())).toEqual(text(informer.list()));
  end();
  const before = given;
  await create('later');
  await informer.until(() => informer.get('default/later') !== undefined);
  expect(given).toBe(before);
  await expect(informer.replay(() => undefined, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  stop.abort();
  await running;
});
