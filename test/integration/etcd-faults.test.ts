/** What the etcd backend does when connections are cut, when etcd is killed, stopped, loses its quorum, or goes back in time. */
import { cp, rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { systemClock } from '#base/clock';
import type { StatusError } from '#base/errors';
import {
  type Backend,
  ClosedError,
  OutcomeUnknownError,
  type Revision,
  SlowConsumerError,
  type StoreEvent,
  StoreFullError,
} from '#storage/backend';
import { carryOnEtcd, type EtcdBackend, openEtcd } from '#storage/etcd/etcd-backend';
import { Store } from '#storage/store';
import { WatchCache } from '#storage/watch-cache';
import { missingForEtcd, startTestEtcd, type TestEtcd, type TestEtcdOptions } from '../harness/etcd.ts';
import { startTcpProxy, type TcpProxy } from '../harness/tcp-proxy.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

async function put(backend: Backend, key: string, value: string | Buffer, expected?: Revision): Promise<Revision> {
  const result = await backend.commit({
    compare: expected === undefined ? [] : [{ key, revision: expected }],
    ops: [{ type: 'put', key, value: typeof value === 'string' ? bytes(value) : value }],
  });
  if (!result.committed) throw new Error(`${key} was at ${result.current[0]?.revision ?? 0}, not at ${expected}`);
  return result.revision;
}

/** Collects the events of a watch until it is stopped; `failed` says how it ended. */
function follow(backend: Backend, prefix: string, after: Revision) {
  const stop = new AbortController();
  const events: StoreEvent[] = [];
  const state: { failed?: unknown; revision: Revision } = { revision: after };
  const done = (async () => {
    for await (const batch of backend.watch(prefix, after, stop.signal)) {
      events.push(...batch.events);
      state.revision = batch.revision;
    }
  })().catch((error: unknown) => {
    state.failed = error;
  });
  return {
    events,
    state,
    stop: async () => {
      stop.abort();
      await done;
    },
    reach: async (revision: Revision) => {
      const end = systemClock.monotonic() + 90_000;
      while (state.revision < revision && state.failed === undefined && systemClock.monotonic() < end) await systemClock.sleep(10);
      if (state.failed !== undefined) throw state.failed;
      expect(state.revision).toBeGreaterThanOrEqual(revision);
    },
  };
}

let etcd: TestEtcd | undefined;
let proxy: TcpProxy | undefined;
const opened: EtcdBackend[] = [];

async function start(options: TestEtcdOptions = {}): Promise<TestEtcd> {
  etcd = await startTestEtcd(options);
  return etcd;
}

async function open(endpoints: readonly string[] = etcd?.endpoints ?? []): Promise<EtcdBackend> {
  const backend = await openEtcd({ endpoints });
  opened.push(backend);
  return backend;
}

/** Through a relay that can be cut. */
async function openThroughProxy(): Promise<{ backend: EtcdBackend; relay: TcpProxy }> {
  const relay = await startTcpProxy(etcd?.members[0]?.port ?? 0);
  proxy = relay;
  return { backend: await open([`http://127.0.0.1:${relay.port}`]), relay };
}

beforeEach(() => {
  etcd = undefined;
  proxy = undefined;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((backend) => backend.close()));
  await proxy?.close();
  await etcd?.stop();
});

const missing = missingForEtcd();
const describeOnEtcd = missing === undefined ? describe : describe.skip;

describeOnEtcd(`etcd${missing === undefined ? '' : ` (${missing})`}: a watch`, () => {
  test('that is cut again and again in the middle of a catch-up of 6,000 events gives each once, in order', async () => {
    await start();
    const { backend, relay } = await openThroughProxy();
    const direct = await open();
    const before = await direct.revision();
    for (let index = 0; index < 6_000; index += 200) {
      await Promise.all(Array.from({ length: 200 }, (_, inner) => put(direct, `/many/${index + inner}`, 'x'.repeat(1_000))));
    }
    const last = await direct.revision();
    // One message of etcd's, of about 1.1 MB, comes through each time, and then the next is cut.
    relay.cutAfter(1_600_000);
    const watch = follow(backend, '/many/', before);
    await watch.reach(last);
    await watch.stop();
    expect(relay.cuts).toBeGreaterThanOrEqual(3);
    expect(watch.events.map((event) => event.revision)).toEqual(Array.from({ length: 6_000 }, (_, index) => before + 1 + index));
    expect(new Set(watch.events.map((event) => event.key)).size).toBe(6_000);
  });

  test('never splits a revision, although etcd sends it in several fragments', async () => {
    await start();
    const backend = await open();
    const keys = Array.from({ length: 9 }, (_, index) => `/large/${index}`);
    const before = await backend.revision();
    // With what was there before, more than etcd puts into one message.
    for (let round = 0; round < 4; round++) {
      await backend.commit({ compare: [], ops: keys.map((key) => ({ type: 'put', key, value: Buffer.alloc(160_000, round) })) });
    }
    const last = await backend.revision();
    const seen = new Map<Revision, number>();
    const stop = new AbortController();
    for await (const { events, revision } of backend.watch('/large/', before, stop.signal)) {
      for (const each of new Set(events.map((event) => event.revision))) {
        expect(seen.has(each)).toBe(false);
        seen.set(each, events.filter((event) => event.revision === each).length);
      }
      if (revision >= last) stop.abort();
    }
    expect([...seen.values()]).toEqual([9, 9, 9, 9]);
  });

  test('of keys that nobody writes is told how far the store is', async () => {
    await start({ flags: ['--experimental-watch-progress-notify-interval', '1s'] });
    const backend = await open();
    const watch = follow(backend, '/idle/', await backend.revision());
    await systemClock.sleep(200);
    await watch.reach(await put(backend, '/busy/a', 'x'));
    expect(watch.events).toEqual([]);
    await watch.stop();
  });

  test('of everything that begins behind writes of others hears how far the store is', async () => {
    await start();
    const backend = await open();
    const before = await backend.revision();
    const last = await put(backend, '/foreign/a', 'x');
    const watch = follow(backend, '/berth/', before);
    await watch.reach(last);
    await watch.stop();
  });

  test('from the very revision of a compaction gives all that follows, whatever was written there', async () => {
    await start();
    const backend = await open();
    for (const type of ['put', 'delete'] as const) {
      const key = `/at/${type}`;
      await put(backend, key, 'one');
      const at = await backend.commit({ compare: [], ops: [type === 'put' ? { type, key, value: bytes('two') } : { type, key }] });
      const last = await put(backend, key, 'three');
      const revision = at.committed ? at.revision : 0;
      await backend.compact(revision);
      const watch = follow(backend, '/at/', revision);
      await watch.reach(last);
      await watch.stop();
      expect(watch.events.map((event) => event.revision)).toEqual([last]);
      await expect(follow(backend, '/at/', revision - 1).reach(last)).rejects.toMatchObject({ compactRevision: revision });
    }
  });

  test('whose place was compacted while etcd was away ends with the oldest revision that works', async () => {
    await start();
    const { backend, relay } = await openThroughProxy();
    const direct = await open();
    const watch = follow(backend, '/a', await direct.revision());
    await watch.reach(await put(direct, '/a', 'one'));
    await relay.close();
    for (let index = 0; index < 10; index++) await put(direct, '/a', `${index}`);
    const oldest = await direct.revision();
    await direct.compact(oldest);
    proxy = await startTcpProxy(etcd?.members[0]?.port ?? 0, relay.port);
    await expect(watch.reach(oldest)).rejects.toMatchObject({ name: 'CompactedError', compactRevision: oldest });
  });
});

describeOnEtcd('etcd: writes', () => {
  test('whose replies are lost are settled: none is taken for a conflict, none is done twice, none is forgotten', async () => {
    await start();
    const { backend, relay } = await openThroughProxy();
    const direct = await open();
    const before = await direct.revision();
    const watch = follow(direct, '/writer/', before);
    const stop = new AbortController();
    const last = new Map<string, { value: number; revision: Revision }>();
    let acknowledged = 0;
    const cutting = (async () => {
      for (let next = 40; !stop.signal.aborted; next = acknowledged + 40) {
        while (acknowledged < next && !stop.signal.aborted) await systemClock.sleep(5);
        if (relay.cuts % 2 === 0) relay.loseReply();
        else relay.cut();
      }
    })();
    // Each has keys of its own, so that no compare can fail, and every revision that it is given can be checked.
    const writer = async (number: number): Promise<void> => {
      const key = `/writer/${number}`;
      let revision = 0;
      for (let value = 0; value < 60; value++) {
        // Every tenth is made anew: that a key does not exist is what is compared then.
        if (value % 10 === 9) {
          const result = await backend.commit({ compare: [{ key, revision }], ops: [{ type: 'delete', key }] });
          expect(result.committed).toBe(true);
          revision = 0;
        } else revision = await put(backend, key, `${value}`, revision);
        last.set(key, { value, revision });
        acknowledged++;
      }
    };
    const blind = async (): Promise<void> => {
      for (let value = 0; value < 60; value++)
        last.set('/writer/blind', { value, revision: await put(backend, '/writer/blind', `${value}`) });
    };
    try {
      await Promise.all([...Array.from({ length: 24 }, (_, number) => writer(number)), blind()]);
    } finally {
      stop.abort();
      await cutting;
    }
    await watch.reach(await put(direct, '/writer/end', ''));
    await watch.stop();
    expect(relay.cuts).toBeGreaterThan(5);
    for (const [key, { revision }] of last) {
      const events = watch.events.filter((event) => event.key === key);
      const values = events.map((event) => (event.type === 'put' ? Buffer.from(event.value).toString() : 'deleted'));
      expect(values).toEqual(
        Array.from({ length: 60 }, (_, value) => (key !== '/writer/blind' && value % 10 === 9 ? 'deleted' : `${value}`)),
      );
      if (revision !== 0) expect(events.at(-1)?.revision).toBe(revision);
    }
    expect((await direct.list('/berth/_/store/writers/')).items).toHaveLength(1);
    await backend.close();
    expect((await direct.list('/berth/_/store/writers/')).items).toEqual([]);
  });

  test('that were acknowledged are there after kill -9, and those in flight are settled when etcd is back', async () => {
    const { members } = await start();
    const backend = await open();
    const before = await backend.revision();
    const watch = follow(backend, '/kill/', before);
    const acknowledged = new Map<string, Revision>();
    let stopped = false;
    const writers = Array.from({ length: 16 }, async (_, number) => {
      for (let value = 0; !stopped; value++) {
        const key = `/kill/${number}/${value}`;
        acknowledged.set(key, await put(backend, key, key, 0));
      }
    });
    const more = async (): Promise<void> => {
      for (const before = acknowledged.size; acknowledged.size < before + 60; ) await systemClock.sleep(20);
    };
    for (let round = 0; round < 3; round++) {
      await more();
      await members[0]?.kill();
      await members[0]?.start();
    }
    await more();
    stopped = true;
    await Promise.all(writers);
    const { items } = await backend.list('/kill/');
    expect(acknowledged.size).toBeGreaterThan(100);
    expect(new Map(items.map((item) => [item.key, item.revision]))).toEqual(acknowledged);
    await watch.reach(Math.max(...acknowledged.values()));
    await watch.stop();
    expect(new Map(watch.events.map((event) => [event.key, event.revision]))).toEqual(acknowledged);
    expect(watch.events).toHaveLength(acknowledged.size);
  });

  // A whole server on a disk that is slow for 10 s: etcd-servers.test.ts.
  test('wait for a disk that is slower than an attempt may take, and nothing ends', async () => {
    const { members } = await start();
    const backend = await open();
    const watch = follow(backend, '/slow/', await backend.revision());
    await put(backend, '/slow/before', 'x');
    members[0]?.signal('SIGSTOP');
    const writes = Array.from({ length: 20 }, (_, index) => put(backend, `/slow/${index}`, 'x', 0));
    const reads = systemClock.sleep(500).then(() => backend.get('/slow/before'));
    await systemClock.sleep(6_500);
    members[0]?.signal('SIGCONT');
    const revisions = await Promise.all(writes);
    expect((await reads).item).toBeDefined();
    expect(new Set(revisions).size).toBe(20);
    await watch.reach(Math.max(...revisions));
    await watch.stop();
    expect(watch.events).toHaveLength(21);
  });
});

describeOnEtcd('etcd: a space that is used up', () => {
  test('refuses writes with what to do, answers reads and watches, and takes writes again when there is room', async () => {
    const { control } = await start({ flags: ['--quota-backend-bytes', `${8 * 1024 * 1024}`] });
    const backend = await open();
    const watch = follow(backend, '/full/', await backend.revision());
    let last = 0;
    let refused: unknown;
    for (let index = 0; refused === undefined && index < 100; index++) {
      try {
        last = await put(backend, '/full/a', Buffer.alloc(500_000, index));
      } catch (error) {
        refused = error;
      }
    }
    expect(refused).toBeInstanceOf(StoreFullError);
    expect((refused as Error).message).toMatch(/database space exceeded; compact and defragment it/);
    expect((await backend.get('/full/a')).item?.revision).toBe(last);
    await watch.reach(last);
    await backend.compact(last);
    control('defrag');
    control('alarm', 'disarm');
    await watch.reach(await put(backend, '/full/a', 'small'));
    await watch.stop();
  });
});

describeOnEtcd('etcd: a cluster of three', () => {
  test('goes on without one member; without two it fails clearly, ends nothing, and goes on when they are back', async () => {
    const { members } = await start({ members: 3 });
    const backend = await open();
    const watch = follow(backend, '/quorum/', await backend.revision());
    await watch.reach(await put(backend, '/quorum/three', 'x'));
    await members[0]?.kill();
    await watch.reach(await put(backend, '/quorum/two', 'x'));
    await members[1]?.kill();
    const [write, read] = await Promise.allSettled([put(backend, '/quorum/one', 'x'), backend.revision()]);
    // Whether it may have been written depends on when the member that is left heard that the others are gone.
    const reason: unknown = write.status === 'rejected' ? write.reason : undefined;
    if (!(reason instanceof OutcomeUnknownError)) expect(reason).toMatchObject({ name: 'StatusError', reason: 'ServiceUnavailable' });
    expect(read.status === 'rejected' && read.reason).toMatchObject({ name: 'StatusError', reason: 'ServiceUnavailable' });
    await members[0]?.start();
    // What was not known is settled by reading: the write is there, or will never be.
    const { item } = await backend.get('/quorum/one');
    const later = await put(backend, '/quorum/again', 'x');
    expect((await backend.get('/quorum/one')).item).toEqual(item);
    await watch.reach(later);
    await watch.stop();
    expect(watch.events.map((event) => event.key)).toEqual([
      '/quorum/three',
      '/quorum/two',
      ...(item === undefined ? [] : ['/quorum/one']),
      '/quorum/again',
    ]);
  });

  test('is read as it is now, whichever member is asked', async () => {
    const { endpoints } = await start({ members: 3 });
    const backends = await Promise.all(endpoints.map((endpoint) => open([endpoint])));
    expect(new Set(backends.map((backend) => backend.incarnation)).size).toBe(1);
    for (let round = 0; round < 200; round++) {
      const [writer, reader] = [backends[round % 3] as Backend, backends[(round + 1) % 3] as Backend];
      const revision = await put(writer, '/linear/a', `${round}`);
      expect(await reader.revision()).toBeGreaterThanOrEqual(revision);
      expect(Buffer.from((await reader.get('/linear/a')).item?.value ?? []).toString()).toBe(`${round}`);
      expect((await reader.list('/linear/')).items[0]?.revision).toBe(revision);
    }
  });
});

describeOnEtcd('etcd: history', () => {
  test('that goes back ends the backend with what to do, and nothing is read from it any more', async () => {
    const { members } = await start();
    const [member] = members;
    if (member === undefined) throw new Error('there is no member');
    const backend = await open();
    await put(backend, '/back/a', 'old');
    await member.kill();
    await cp(member.dataDirectory, `${member.dataDirectory}.copy`, { recursive: true });
    await member.start();
    for (let index = 0; index < 20; index++) await put(backend, '/back/a', 'new');
    const watch = follow(backend, '/back/', await backend.revision());
    await member.kill();
    await rm(member.dataDirectory, { recursive: true });
    await cp(`${member.dataDirectory}.copy`, member.dataDirectory, { recursive: true });
    await member.start();
    await expect(backend.get('/back/a')).rejects.toThrow(/^etcd has gone back from revision .*"berth store restore"/);
    await expect(put(backend, '/back/a', 'x')).rejects.toBeInstanceOf(ClosedError);
    await expect(watch.reach(Number.MAX_SAFE_INTEGER)).rejects.toBeInstanceOf(ClosedError);
  });

  test('is carried on after a restore: the same incarnation, far higher revisions, and nothing from before', async () => {
    const { endpoints } = await start();
    const before = await open();
    const old = await put(before, '/raise/a', 'kept');
    const { incarnation } = before;
    await before.close();
    await carryOnEtcd({ endpoints }, { above: 3_000_000_000 });
    const backend = await open();
    expect(backend.incarnation).toBe(incarnation);
    const { item, revision: raised } = await backend.get('/raise/a');
    expect(raised).toBeGreaterThan(3_000_000_000);
    expect(Buffer.from(item?.value ?? []).toString()).toBe('kept');
    await expect(backend.list('/raise/', { revision: old })).rejects.toMatchObject({ name: 'CompactedError', compactRevision: raised });
    const stale = backend.watch('/raise/', old, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(stale.next()).rejects.toMatchObject({ name: 'CompactedError', compactRevision: raised });
    // A revision of the former count says nothing about this one.
    const refused = await backend.commit({ compare: [{ key: '/raise/a', revision: old }], ops: [{ type: 'delete', key: '/raise/a' }] });
    expect(refused).toMatchObject({ committed: false });
    await put(backend, '/raise/a', 'new', item?.revision);
    await backend.compact(old);
    expect((await backend.list('/raise/', { revision: raised })).items).toHaveLength(1);
    await backend.close();
    await carryOnEtcd({ endpoints }, { above: 5, incarnation: 'of another' });
    const moved = await open();
    expect(moved.incarnation).toBe('of another');
    expect(await moved.revision()).toBeGreaterThan(3_000_000_000);
  });

  test('of a later format is refused', async () => {
    const { control } = await start();
    control('put', '/berth/_/store/record', '\u0001{"format":2,"incarnation":"x","offset":0}');
    await expect(open()).rejects.toThrow(
      'the store in etcd has the format 2 and this version of Berth reads 1: use the version that wrote it',
    );
  });
});

describeOnEtcd('etcd: a watch cache', () => {
  test('that must load anew while etcd is silent says so, and goes on when etcd does', async () => {
    const { members } = await start();
    const backend = await open();
    const stop = new AbortController();
    const behind = new AbortController();
    // As the backend does to a cache that has fallen behind; all else is etcd's.
    const dropping: Backend = Object.create(backend, {
      watch: {
        value: async function* (prefix: string, after: Revision, signal: AbortSignal) {
          yield* backend.watch(prefix, after, AbortSignal.any([signal, ...(behind.signal.aborted ? [] : [behind.signal])]));
          if (!signal.aborted) throw new SlowConsumerError('the cache was too slow');
        },
      },
      ...Object.fromEntries(
        (['get', 'list', 'commit', 'revision'] as const).map((method) => [method, { value: backend[method].bind(backend) }]),
      ),
    }) as Backend;
    const cache = new WatchCache({ backend: dropping, clock: systemClock });
    const running = cache.run(stop.signal);
    const ended = jest.fn();
    running.then(ended, ended);
    const things = { group: '', plural: 'configmaps' };
    const store = new Store(dropping, cache);
    const name = { namespace: 'default', name: 'one' };
    await store.create(things, name, { apiVersion: 'v1', kind: 'ConfigMap', metadata: name });
    await cache.reachNewest();
    members[0]?.signal('SIGSTOP');
    behind.abort();
    try {
      const end = systemClock.monotonic() + 60_000;
      let refused: unknown;
      while (refused === undefined && systemClock.monotonic() < end) {
        refused = await cache
          .resource(things)
          .get(name, 'any')
          .then(
            () => undefined,
            (error: unknown) => error,
          );
        await systemClock.sleep(50);
      }
      expect(refused).toMatchObject({ details: { retryAfterSeconds: 1 } });
      expect([503, 504]).toContain((refused as StatusError).code);
      expect(ended).not.toHaveBeenCalled();
    } finally {
      members[0]?.signal('SIGCONT');
    }
    const end = systemClock.monotonic() + 60_000;
    while ((await store.get(things, name).catch(() => undefined)) === undefined && systemClock.monotonic() < end)
      await systemClock.sleep(50);
    expect((await store.get(things, name)).name).toBe('one');
    expect(ended).not.toHaveBeenCalled();
    stop.abort();
    await running;
  });
});
