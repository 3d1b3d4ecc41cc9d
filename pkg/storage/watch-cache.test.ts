import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { KubernetesObject } from '#api/object';
import { systemClock } from '#base/clock';
import { StatusError } from '#base/errors';
import { ManualClock } from '#base/manual-clock';
import { type Revision, SlowConsumerError, type WatchBatch } from './backend.ts';
import type { CachedObject } from './cached-object.ts';
import { internalKey } from './keys.ts';
import { MemoryBackend } from './memory/memory-backend.ts';
import type { CacheWatchOptions } from './resource-cache.ts';
import type { ResourceWatchBatch } from './resource-watch.ts';
import { Store } from './store.ts';
import { WatchCache, type WatchCacheOptions } from './watch-cache.ts';
import { type CacheEvent, selectEvent } from './watch-event.ts';

const pods = { group: '', plural: 'pods' };
const nodes = { group: '', plural: 'nodes' };
const nodeIndex = {
  name: 'node',
  resource: pods,
  values: (object: KubernetesObject) => {
    const node = (object as { spec?: { nodeName?: string } }).spec?.nodeName;
    return node === undefined ? [] : [node];
  },
};
const pod = (namespace: string, name: string, extra: object = {}): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  ...extra,
});

interface Fixture {
  readonly backend: MemoryBackend;
  readonly cache: WatchCache;
  readonly store: Store;
  stop(): Promise<void>;
}

function start(backend: MemoryBackend, options: Partial<WatchCacheOptions> = {}): Fixture {
  const cache = new WatchCache({ backend, clock: systemClock, indexers: [nodeIndex], ...options });
  const controller = new AbortController();
  const running = cache.run(controller.signal);
  return {
    backend,
    cache,
    store: new Store(backend, cache),
    stop: async () => {
      controller.abort();
      await running;
    },
  };
}

let fixture: Fixture;
let signals: AbortController;

beforeEach(() => {
  fixture = start(new MemoryBackend());
  signals = new AbortController();
});

afterEach(async () => {
  signals.abort();
  await fixture.stop();
  await fixture.backend.close();
});

const create = (namespace: string, name: string, extra: object = {}): Promise<CachedObject> =>
  fixture.store.create(pods, { namespace, name }, pod(namespace, name, extra));
const replace = async (namespace: string, name: string, extra: object): Promise<CachedObject> =>
  (await fixture.store.update(pods, { namespace, name }, () => ({ object: pod(namespace, name, extra) }))).object;
const remove = (namespace: string, name: string): Promise<CachedObject> => fixture.store.delete(pods, { namespace, name });
const keys = (items: readonly { readonly key: string }[]): string[] => items.map(({ key }) => key);

/** What a watch gives until it has reached the cache's present revision. */
async function read(options: CacheWatchOptions): Promise<CacheEvent[]> {
  await fixture.cache.reachNewest();
  const stop = new AbortController();
  const watch = await fixture.cache.resource(pods).watch(options, stop.signal);
  const iterator = watch[Symbol.asyncIterator]();
  const events: CacheEvent[] = [];
  while (watch.progress() < fixture.cache.revision) events.push(...((await iterator.next()).value as ResourceWatchBatch).events);
  stop.abort();
  return events;
}

describe('lists', () => {
  test('show every acknowledged write, in key order, by namespace', async () => {
    await Promise.all([create('b', 'x'), create('a', 'y'), create('a', 'x'), create('a-b', 'z')]);
    const resource = fixture.cache.resource(pods);
    const all = await resource.list();
    expect(keys(all.items)).toEqual(['a-b/z', 'a/x', 'a/y', 'b/x']);
    expect(all).toMatchObject({ next: undefined, remaining: 0, revision: await fixture.backend.revision() });
    expect(keys((await resource.list({ namespace: 'a' })).items)).toEqual(['a/x', 'a/y']);
    expect((await resource.list({ namespace: 'none' })).items).toEqual([]);
    expect((await fixture.cache.resource(nodes).list()).items).toEqual([]);
  });

  test('go on page by page at the revision of the first, whatever is written meanwhile', async () => {
    for (let index = 0; index < 9; index++) await create('a', `p${index}`, { generation: 1 });
    const resource = fixture.cache.resource(pods);
    const first = await resource.list({ namespace: 'a', limit: 4 });
    expect(first).toMatchObject({ next: 'a/p4', remaining: 5 });
    await remove('a', 'p5');
    await replace('a', 'p6', { generation: 2 });
    await create('a', 'p55');
    const second = await resource.list({ namespace: 'a', limit: 4, start: first.next, at: { exactly: first.revision } });
    expect(second).toMatchObject({ next: 'a/p8', remaining: 1, revision: first.revision });
    const third = await resource.list({ namespace: 'a', limit: 4, start: second.next, at: { exactly: first.revision } });
    expect(third).toMatchObject({ next: undefined, remaining: 0 });
    const items = [...first.items, ...second.items, ...third.items];
    expect(keys(items)).toEqual(Array.from({ length: 9 }, (_, index) => `a/p${index}`));
    expect(items.every(({ object }) => (object as { generation?: number }).generation === 1)).toBe(true);
  });

  test('by an index and by a filter, with limits that count what passes', async () => {
    for (let index = 0; index < 6; index++) await create('a', `p${index}`, { spec: { nodeName: `n${index % 2}` } });
    const resource = fixture.cache.resource(pods);
    expect(keys((await resource.list({ index: { name: 'node', value: 'n1' } })).items)).toEqual(['a/p1', 'a/p3', 'a/p5']);
    const first = await resource.list({ filter: ({ name }) => name >= 'p2', limit: 3 });
    expect(keys(first.items)).toEqual(['a/p2', 'a/p3', 'a/p4']);
    expect(first).toMatchObject({ next: 'a/p5', remaining: undefined });
    await replace('a', 'p3', { spec: { nodeName: 'n0' } });
    await remove('a', 'p5');
    expect(keys((await resource.list({ index: { name: 'node', value: 'n1' } })).items)).toEqual(['a/p1']);
    expect(keys((await resource.list({ index: { name: 'node', value: 'n1' }, at: { exactly: first.revision } })).items)).toEqual([
      'a/p1',
      'a/p3',
      'a/p5',
    ]);
  });

  test('of a revision that does not exist yet are a Timeout with the cause that clients know', async () => {
    const { revision } = await create('a', 'x');
    const resource = fixture.cache.resource(pods);
    for (const at of [{ exactly: revision + 9 }, { notOlderThan: revision + 9 }]) {
      await expect(resource.list({ at })).rejects.toMatchObject({
        reason: 'Timeout',
        code: 504,
        details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
      });
    }
  });

  test('of a revision that has left the window come from the store, until that has forgotten it too', async () => {
    await fixture.stop();
    fixture = start(fixture.backend, { windowEvents: 10 });
    const { revision } = await create('a', 'x');
    for (let index = 0; index < 200; index++) await create('b', `p${index}`);
    await remove('a', 'x');
    const resource = fixture.cache.resource(pods);
    const old = await resource.list({ at: { exactly: revision + 2 }, limit: 2 });
    expect(keys(old.items)).toEqual(['a/x', 'b/p0']);
    expect(old).toMatchObject({ next: 'b/p1', remaining: 1, revision: revision + 2 });
    expect(keys((await resource.list({ at: { exactly: revision + 2 }, namespace: 'b' })).items)).toEqual(['b/p0', 'b/p1']);
    await fixture.backend.compact(revision + 100);
    await expect(resource.list({ at: { exactly: revision + 2 } })).rejects.toMatchObject({ reason: 'Expired', code: 410 });
  });
});

describe('watches', () => {
  test('begin with the present objects, then follow', async () => {
    await create('a', 'x');
    await create('b', 'y');
    const watch = await fixture.cache.resource(pods).watch({ namespace: 'a' }, signals.signal);
    const iterator = watch[Symbol.asyncIterator]();
    const first = (await iterator.next()).value;
    expect(first).toMatchObject({ initialEnd: true, revision: fixture.cache.revision });
    expect(first?.events.map((event: CacheEvent) => [event.key, event.previous])).toEqual([['a/x', undefined]]);
    await create('b', 'z');
    const changed = await replace('a', 'x', { spec: {} });
    const next = (await iterator.next()).value;
    expect(next).toMatchObject({ initialEnd: false, events: [{ revision: changed.revision }] });
    await create('b', 'last');
    await fixture.cache.reachNewest();
    expect(watch.progress()).toBe(fixture.cache.revision);
  });

  test('say that the initial events ended even when there are none', async () => {
    const watch = await fixture.cache.resource(pods).watch({}, signals.signal);
    expect((await watch[Symbol.asyncIterator]().next()).value).toMatchObject({ events: [], initialEnd: true });
  });

  test('resume from a revision with nothing lost and nothing twice, each event shared', async () => {
    const { revision } = await create('a', 'x');
    const changed = await replace('a', 'x', { spec: { one: 1 } });
    const removed = await remove('a', 'x');
    const [one, two] = [await read({ after: revision }), await read({ after: revision })];
    expect(one.map((event) => event.revision)).toEqual([changed.revision, removed.revision]);
    expect(one[0]).toBe(two[0]);
    expect(one[1]?.current).toBeUndefined();
    expect(one[1]?.gone.object).toEqual(removed.object);
    expect((await read({ after: changed.revision })).map((event) => event.revision)).toEqual([removed.revision]);
    expect(await read({ after: removed.revision })).toEqual([]);
  });

  test('by index get what comes to it, changes under it and leaves it', async () => {
    const { revision } = await create('a', 'x');
    const index = { name: 'node', value: 'n1' };
    const watch = await fixture.cache.resource(pods).watch({ after: revision, index }, signals.signal);
    const bound = await replace('a', 'x', { spec: { nodeName: 'n1' } });
    await create('a', 'other', { spec: { nodeName: 'n2' } });
    const changed = await replace('a', 'x', { spec: { nodeName: 'n1', more: true } });
    const left = await replace('a', 'x', { spec: { nodeName: 'n2' } });
    await replace('a', 'x', { spec: { nodeName: 'n2', more: true } });
    const expected = [bound.revision, changed.revision, left.revision];
    const events: CacheEvent[] = [];
    for await (const batch of watch) {
      events.push(...batch.events);
      if (events.length >= 3) break;
    }
    expect(events.map((event) => event.revision)).toEqual(expected);
    expect((await read({ after: revision, index })).map((event) => event.revision)).toEqual(expected);
  });

  test('older than the window are Expired, of the future a Timeout', async () => {
    await fixture.stop();
    fixture = start(fixture.backend, { windowEvents: 10 });
    const { revision } = await create('a', 'x');
    for (let index = 0; index < 200; index++) await create('b', `p${index}`);
    const resource = fixture.cache.resource(pods);
    await expect(resource.watch({ after: revision }, signals.signal)).rejects.toMatchObject({
      reason: 'Expired',
      message: expect.stringMatching(/^too old resource version: \d+ \(\d+\)$/),
    });
    await expect(resource.watch({ after: revision + 999 }, signals.signal)).rejects.toMatchObject({ reason: 'Timeout' });
    expect(await read({ after: fixture.cache.revision - 5 })).toHaveLength(5);
  });

  test('can be resumed over a restart of the server', async () => {
    const { revision } = await create('a', 'x');
    const changed = await replace('a', 'x', { spec: {} });
    await fixture.stop();
    fixture = start(fixture.backend);
    expect((await read({ after: revision })).map((event) => [event.revision, event.previous?.revision])).toEqual([
      [changed.revision, revision],
    ]);
  });

  test('drop a consumer that stops reading, and tell the others nothing of it', async () => {
    await fixture.stop();
    fixture = start(fixture.backend, { maximumPendingBytes: 10_000 });
    const resource = fixture.cache.resource(pods);
    const slow = (await resource.watch({}, signals.signal))[Symbol.asyncIterator]();
    const quick = (await resource.watch({}, signals.signal))[Symbol.asyncIterator]();
    await slow.next();
    await quick.next();
    for (let index = 0; index < 100; index++) {
      await create('a', `p${index}`);
      expect((await quick.next()).value?.events).toHaveLength(1);
    }
    await expect(slow.next()).rejects.toBeInstanceOf(SlowConsumerError);
    expect(resource.watchers).toBe(1);
  });

  test('end when their signal aborts, or the cache stops, and are forgotten', async () => {
    const resource = fixture.cache.resource(pods);
    const stop = new AbortController();
    const drain = async (signal: AbortSignal): Promise<void> => {
      for await (const _ of await resource.watch({}, signal)) void _;
    };
    const [one, two] = [drain(stop.signal), drain(signals.signal)];
    await fixture.cache.reachNewest();
    stop.abort();
    await one;
    await fixture.stop();
    await two;
    expect(resource.watchers).toBe(0);
    await expect(resource.list()).rejects.toMatchObject({ reason: 'ServiceUnavailable' });
  });
});

test('selectEvent tells a client that sees a selection what came, changed and went', async () => {
  const created = await create('a', 'x', { on: true });
  const off = await replace('a', 'x', { on: false });
  const on = await replace('a', 'x', { on: true, more: 1 });
  const removed = await remove('a', 'x');
  const matches = ({ object }: CachedObject): boolean => (object as { on?: boolean }).on === true;
  const selected = (await read({ after: created.revision - 1 })).map((event) => selectEvent(event, matches));
  expect(
    selected.map((event) => [event?.type, event?.object.revision, (event?.object.object as { on?: boolean } | undefined)?.on]),
  ).toEqual([
    ['ADDED', created.revision, true],
    ['DELETED', off.revision, true],
    ['ADDED', on.revision, true],
    ['DELETED', removed.revision, true],
  ]);
  expect(selectEvent((await read({ after: created.revision }))[0] as CacheEvent, () => false)).toBeUndefined();
});

describe('consistent reads', () => {
  test('share one read of the revision when they came before it began', async () => {
    let reads = 0;
    class Counting extends MemoryBackend {
      override async revision(): Promise<Revision> {
        reads++;
        await new Promise((resolve) => setImmediate(resolve));
        return await super.revision();
      }
    }
    await fixture.stop();
    fixture = start(new Counting());
    await fixture.cache.ready();
    reads = 0;
    await Promise.all(Array.from({ length: 50 }, () => fixture.cache.resource(pods).list()));
    expect(reads).toBe(1);
    const early = fixture.cache.reachNewest();
    await new Promise((resolve) => process.nextTick(resolve));
    const late = Promise.all([fixture.cache.reachNewest(), fixture.cache.reachNewest()]);
    await Promise.all([early, late]);
    expect(reads).toBe(3);
  });

  test('write a barrier when the watch does not come within 100 ms', async () => {
    // As on a store shared with others: the revision moves on by a write that no watch of ours shows.
    class Shared extends MemoryBackend {
      foreign = 0;
      override async revision(): Promise<Revision> {
        return (await super.revision()) + this.foreign;
      }
    }
    await fixture.stop();
    const backend = new Shared();
    const clock = new ManualClock();
    fixture = start(backend, { clock });
    await fixture.cache.ready();
    backend.foreign = 1;
    const listed = fixture.cache.resource(pods).list();
    await clock.advance(99);
    expect((await backend.get(internalKey('barrier'))).item).toBeUndefined();
    await clock.advance(2);
    await listed;
    expect((await backend.get(internalKey('barrier'))).item).toBeDefined();
  });
});

describe('a store that does not answer when everything is to be loaded anew', () => {
  class Silent extends MemoryBackend {
    silent = false;
    loads = 0;
    #drop: () => void = () => undefined;

    /** Ends the cache's watch as a store does that was not kept up with. */
    fallBehind(): void {
      this.#drop();
    }

    override async list(...args: Parameters<MemoryBackend['list']>): ReturnType<MemoryBackend['list']> {
      this.loads++;
      if (this.silent) throw new StatusError('ServiceUnavailable', 'the store does not answer');
      return await super.list(...args);
    }

    override async *watch(...args: Parameters<MemoryBackend['watch']>): AsyncGenerator<WatchBatch, void, undefined> {
      const stop = new AbortController();
      let dropped = false;
      this.#drop = () => {
        dropped = true;
        stop.abort();
      };
      yield* super.watch(args[0], args[1], AbortSignal.any([args[2], stop.signal]));
      if (dropped) throw new SlowConsumerError('the cache was too slow');
    }
  }

  test('is asked again and again; reads hear why there is nothing, and go on when there is', async () => {
    await fixture.stop();
    const backend = new Silent();
    const clock = new ManualClock();
    fixture = start(backend, { clock });
    await create('a', 'x');
    await fixture.cache.reachNewest();
    backend.silent = true;
    const loads = backend.loads;
    backend.fallBehind();
    for (let turn = 0; backend.loads === loads && turn < 1000; turn++) await clock.advance(0);
    await clock.advance(0);
    for (const read of [
      () => fixture.cache.ready(),
      () => fixture.cache.reachNewest(),
      () => fixture.cache.resource(pods).list({ at: 'any' }),
    ]) {
      await expect(read()).rejects.toMatchObject({ code: 503, details: { retryAfterSeconds: 1 } });
    }
    for (let second = 0; second < 30; second++) await clock.advance(1000);
    expect(backend.loads - loads).toBeGreaterThan(5);
    // At most every 3.5 s in the end.
    expect(backend.loads - loads).toBeLessThan(20);
    backend.silent = false;
    await clock.advance(5000);
    expect(keys((await fixture.cache.resource(pods).list()).items)).toEqual(['a/x']);
    await create('a', 'y');
    expect(keys((await fixture.cache.resource(pods).list()).items)).toEqual(['a/x', 'a/y']);
  });
});

test('a first load that takes long is waited for by who starts the server; others are told to come again', async () => {
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  class Slow extends MemoryBackend {
    override async list(...args: Parameters<MemoryBackend['list']>): ReturnType<MemoryBackend['list']> {
      await held;
      return await super.list(...args);
    }
  }
  await fixture.stop();
  const clock = new ManualClock();
  fixture = start(new Slow(), { clock });
  const loaded = fixture.cache.loaded();
  const refused = fixture.cache.ready().catch((error: unknown) => error);
  for (let second = 0; second < 60; second++) await clock.advance(1000);
  expect(await refused).toMatchObject({ code: 504, details: { retryAfterSeconds: 1 } });
  go();
  await loaded;
  await create('a', 'x');
  expect(keys((await fixture.cache.resource(pods).list()).items)).toEqual(['a/x']);
});

test('any list at any revision, and any watch from any, agree with replaying the history', async () => {
  const step = fc.record({
    namespace: fc.constantFrom('a', 'b'),
    name: fc.constantFrom('x', 'y', 'z'),
    value: fc.option(fc.nat(3), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 100 }), async (steps, windowEvents) => {
      await fixture.stop();
      fixture = start(new MemoryBackend(), { windowEvents });
      const states: [Revision, string[]][] = [[1, []]];
      const now = new Map<string, string>();
      for (const { namespace, name, value } of steps) {
        const key = `${namespace}/${name}`;
        const exists = now.has(key);
        if (value === undefined && !exists) continue;
        const written =
          value === undefined
            ? await remove(namespace, name)
            : exists
              ? await replace(namespace, name, { value })
              : await create(namespace, name, { value });
        if (value === undefined) now.delete(key);
        else now.set(key, `${key}=${value}`);
        if (written.revision > (states.at(-1)?.[0] ?? 0)) states.push([written.revision, [...now.values()].toSorted()]);
      }
      const show = ({ key, object }: CachedObject): string => `${key}=${(object as { value?: number }).value}`;
      for (const [revision, state] of states) {
        expect((await fixture.cache.resource(pods).list({ at: { exactly: revision } })).items.map(show)).toEqual(state);
        const inA = await fixture.cache.resource(pods).list({ at: { exactly: revision }, namespace: 'a' });
        expect(inA.items.map(show)).toEqual(state.filter((row) => row.startsWith('a/')));
        const replayed = new Map(state.map((row) => [row.slice(0, 3), row]));
        for (const event of await read({ after: revision })) {
          if (event.current === undefined) replayed.delete(event.key);
          else replayed.set(event.key, show(event.current));
        }
        expect([...replayed.values()].toSorted()).toEqual([...now.values()].toSorted());
      }
    }),
    { numRuns: 30 },
  );
});
