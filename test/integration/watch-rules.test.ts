/** Watches by Kubernetes' rules, over real TLS, on an embedded store and on etcd: how they begin is the table in `read-rules/watch-rows.ts`. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeMessage } from '#api/protobuf/decode';
import { decodeProtobuf, openEnvelope } from '#api/protobuf/envelope';
import { Reader } from '#api/protobuf/reader';
import { replyOf } from './raw-client.ts';
import { type Body, type Face, type OpenWatch, startFace, type WireEvent } from './read-rules/face.ts';
import { judgeRefusal, readStores } from './read-rules/stores.ts';
import { watchRows } from './read-rules/watch-rows.ts';

const collection = '/api/v1/namespaces/rules/configmaps';
const configMap = (name: string, labels: object = 'aeiou'.includes(name) ? { vowel: 'yes' } : {}): object => ({
  metadata: { name, labels },
  data: { name },
});

const mergePatch = { 'content-type': 'application/merge-patch+json' };

/** The same numbers in [0, 1) each time (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

describe.each(readStores)('on %s', (_, open) => {
  let face: Face;
  let close: () => Promise<void>;
  const revisions = { middle: '', now: '', future: '999999999' };

  beforeAll(async () => {
    const store = await open();
    face = await startFace(store.backend);
    close = store.close;
    for (const name of ['rules', 'other']) await face.create('/api/v1/namespaces', { metadata: { name } });
    for (const name of 'ab') await face.create(collection, configMap(name));
    revisions.middle = (await face.create(collection, configMap('c'))).metadata.resourceVersion ?? '';
    for (const name of 'de') await face.create(collection, configMap(name));
    await face.remove(`${collection}/b`);
    revisions.now = (await face.patch(`${collection}/c`, { data: { more: 'x' } })).metadata.resourceVersion ?? '';
  });
  afterAll(async () => {
    await face.stop();
    await close();
  });

  const queryOf = (query: string): string =>
    query.replaceAll(/\{(\w+)\}/g, (whole, name: keyof typeof revisions) => revisions[name] ?? whole);
  const told = ({ type, object }: WireEvent): string => {
    const mark = type === 'BOOKMARK' && object.metadata.annotations !== undefined ? ' initial-events-end' : '';
    return `${type}${mark || (object.metadata.name === undefined ? '' : ` ${object.metadata.name}`)}`;
  };
  /** Lets time pass until the watch ends by itself. Nothing else may be under way that time would end. */
  const untilEnd = async (watch: OpenWatch): Promise<readonly WireEvent[]> => {
    await face.store.cache.reachNewest();
    let over = false;
    const rest = watch.rest().finally(() => {
      over = true;
    });
    while (!over) {
      face.clock.skip(50_000);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return await rest;
  };

  test.each(watchRows)('$query', async ({ query, events, bookmarks, refused, error }) => {
    const watch = await face.watch(`${collection}?watch=1&timeoutSeconds=120&${queryOf(query)}`);
    if (refused !== undefined) {
      const reply = await face.ask(`${collection}?watch=1&${queryOf(query)}`);
      judgeRefusal(reply.text, reply.status, refused);
      return;
    }
    expect([watch.status, watch.headers['content-type']]).toEqual([200, 'application/json']);
    if (error !== undefined) {
      const { type, object } = await watch.next();
      expect(type).toBe('ERROR');
      judgeRefusal(JSON.stringify(object), error[0], error);
      expect(await watch.rest()).toEqual([]);
      return;
    }
    const all = (await untilEnd(watch)).map(told);
    expect(all.filter((event) => event !== 'BOOKMARK')).toEqual(events);
    // About each minute, and at the end.
    if (bookmarks === true) expect(all.filter((event) => event === 'BOOKMARK').length).toBeGreaterThanOrEqual(3);
    else expect(all).toEqual(events);
    if (bookmarks === true) expect(all.at(-1)).toBe('BOOKMARK');
  });

  describe('what changes', () => {
    test('objects that come to match are added, and those that cease to are deleted as they were last, under the revision of the change', async () => {
      const watch = await face.watch(`${collection}?watch=1&resourceVersion=0&labelSelector=in%3Dyes`);
      const made = await face.create(collection, configMap('moving', { in: 'no' }));
      const entered = await face.patch(`${collection}/moving`, { metadata: { labels: { in: 'yes' } }, data: { n: '1' } });
      await face.patch(`${collection}/moving`, { data: { n: '2' } });
      const left = await face.patch(`${collection}/moving`, { metadata: { labels: { in: 'no' } }, data: { n: '3' } });
      await face.patch(`${collection}/moving`, { data: { n: '4' } });
      await face.remove(`${collection}/moving`);
      await face.create(collection, configMap('moving', { in: 'yes' }));
      const gone = await face.remove(`${collection}/moving`);
      expect(await watch.next()).toMatchObject({
        type: 'ADDED',
        object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: entered.metadata },
      });
      expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: { data: { n: '2' } } });
      expect(await watch.next()).toMatchObject({
        type: 'DELETED',
        object: {
          data: { n: '2' },
          metadata: { labels: { in: 'yes' }, resourceVersion: left.metadata.resourceVersion, uid: made.metadata.uid },
        },
      });
      const again = await watch.next();
      expect(again.type).toBe('ADDED');
      const last = await watch.next();
      expect([gone.status, last.type, last.object.metadata.uid]).toEqual(['Success', 'DELETED', again.object.metadata.uid]);
      expect(Number(last.object.metadata.resourceVersion)).toBeGreaterThan(Number(again.object.metadata.resourceVersion));
      // Whoever goes on from the deletion has not to hear of it again.
      const after = await face.watch(`${collection}?watch=1&resourceVersion=${last.object.metadata.resourceVersion}`);
      await face.create(collection, configMap('later', {}));
      expect(told(await after.next())).toBe('ADDED later');
      await face.remove(`${collection}/later`);
      watch.close();
      after.close();
    });

    test('one object is watched by its name, in the selector or in the old spelling of the path', async () => {
      const paths = [
        `${collection}?watch=true&fieldSelector=metadata.name%3Done`,
        '/api/v1/configmaps?watch=true&fieldSelector=metadata.name%3Done,metadata.namespace%3Drules',
        '/api/v1/watch/namespaces/rules/configmaps/one?',
        '/api/v1/watch/namespaces/rules/configmaps/one?fieldSelector=metadata.name%3Done',
        '/api/v1/watch/namespaces/rules/configmaps?labelSelector=number%3D1',
        '/api/v1/watch/configmaps?labelSelector=number%3D1',
      ];
      const watches = await Promise.all(paths.map((path) => face.watch(`${path}&resourceVersion=${revisions.now}`)));
      await face.create('/api/v1/namespaces/other/configmaps', configMap('one', {}));
      await face.create(collection, configMap('two', {}));
      const made = await face.create(collection, configMap('one', { number: '1' }));
      await face.patch(`${collection}/one`, { data: { n: '2' } });
      await face.remove(`${collection}/one`);
      await face.remove(`${collection}/two`);
      for (const watch of watches) {
        const events = [await watch.next(), await watch.next(), await watch.next()];
        expect(events.map(({ type, object }) => [type, object.metadata.uid])).toEqual(
          ['ADDED', 'MODIFIED', 'DELETED'].map((type) => [type, made.metadata.uid]),
        );
        watch.close();
      }
      const refusal = await face.ask('/api/v1/watch/namespaces/rules/configmaps/one?fieldSelector=metadata.name%3Dtwo');
      judgeRefusal(refusal.text, refusal.status, [400, 'BadRequest', "fieldSelector metadata.name doesn't match requested name"]);
      const node = await face.watch('/api/v1/watch/nodes/n1?resourceVersion=0');
      for (const name of ['n0', 'n1']) await face.create('/api/v1/nodes', { metadata: { name } });
      expect(told(await node.next())).toBe('ADDED n1');
      node.close();
    });

    test('pods are followed by their node and phase', async () => {
      const pods = '/api/v1/namespaces/rules/pods';
      const on = await face.watch('/api/v1/pods?watch=1&resourceVersion=0&fieldSelector=spec.nodeName%3Dn1');
      const running = await face.watch('/api/v1/pods?watch=1&resourceVersion=0&fieldSelector=spec.nodeName%3Dn1,status.phase%3DRunning');
      await face.create(pods, { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
      await face.create(`${pods}/p/binding`, { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n1' } });
      await face.patch(`${pods}/p/status`, { status: { phase: 'Running' } });
      await face.patch(`${pods}/p/status`, { status: { phase: 'Succeeded' } });
      await face.remove(`${pods}/p`);
      const types = async (watch: OpenWatch, count: number): Promise<string[]> => {
        const events: string[] = [];
        while (events.length < count) events.push((await watch.next()).type);
        watch.close();
        return events;
      };
      expect(await types(on, 4)).toEqual(['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED']);
      expect(await types(running, 2)).toEqual(['ADDED', 'DELETED']);
    });
  });

  describe('time', () => {
    test('a bookmark comes within each minute, and tells how far the store is', async () => {
      const watch = await face.watch(`${collection}?watch=1&resourceVersion=0&allowWatchBookmarks=true&fieldSelector=metadata.name%3Da`);
      expect(told(await watch.next())).toBe('ADDED a');
      for (let minute = 0; minute < 3; minute++) {
        const elsewhere = await face.create('/api/v1/namespaces/other/secrets', { metadata: { name: `secret-${minute}` } });
        await face.store.cache.reachNewest();
        face.clock.skip(60_000);
        const { type, object } = await watch.next();
        expect({ type, object }).toEqual({
          type: 'BOOKMARK',
          object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: elsewhere.metadata.resourceVersion } },
        });
      }
      watch.close();
    });

    test('the end of the initial events has the revision that they show', async () => {
      const options = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
      const { metadata } = await face.get(collection);
      const watch = await face.watch(`/api/v1/namespaces/nowhere/configmaps?watch=1&${options}`);
      expect(await watch.next()).toEqual({
        type: 'BOOKMARK',
        object: {
          kind: 'ConfigMap',
          apiVersion: 'v1',
          metadata: {
            resourceVersion: metadata.resourceVersion,
            annotations: { 'k8s.io/initial-events-end': 'true', 'kubernetes.io/initial-events-list-blueprint': expect.any(String) },
          },
        },
      });
      watch.close();
    });

    test('a watch for which no time is said ends after half an hour to an hour', async () => {
      const watch = await face.watch(`${collection}?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Da`);
      expect(told(await watch.next())).toBe('ADDED a');
      await face.store.cache.reachNewest();
      face.clock.skip(29 * 60_000);
      await face.patch(`${collection}/a`, { data: { later: 'yes' } });
      expect(told(await watch.next())).toBe('MODIFIED a');
      await face.store.cache.reachNewest();
      face.clock.skip(31 * 60_000);
      expect(await watch.rest()).toEqual([]);
    });
  });

  describe('forms', () => {
    /** The whole of a watch, as it comes over the wire. */
    const whole = async (query: string, accept: string) => {
      const stream = face.session.request({ ':path': `${collection}?watch=1&timeoutSeconds=60&${queryOf(query)}`, accept });
      const reply = replyOf(stream);
      let over = false;
      void reply.finally(() => {
        over = true;
      });
      // Once it is answered it may take as long as it likes.
      await new Promise<void>((resolve) => {
        stream.once('response', () => resolve());
        stream.once('close', () => resolve());
      });
      await face.store.cache.reachNewest();
      while (!over) {
        face.clock.skip(50_000);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return await reply;
    };
    const linesOf = (text: string): WireEvent[] =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as WireEvent);
    const table = (version: string, more = ''): string => `application/json;as=Table;v=${version};g=meta.k8s.io${more}`;

    test.each(['v1', 'v1beta1'])('tables of %s name their columns once', async (version) => {
      const reply = await whole('resourceVersion=0&allowWatchBookmarks=1', table(version, ',application/json'));
      expect(reply.headers['content-type']).toBe('application/json');
      const events = linesOf(reply.text);
      for (const [index, { object }] of events.entries()) {
        expect(object).toMatchObject({ kind: 'Table', apiVersion: `meta.k8s.io/${version}` });
        expect(object.columnDefinitions.length > 0).toBe(index === 0);
        expect(object.rows[0]?.object).toMatchObject({ kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}` });
        expect(object.metadata.resourceVersion).toBe(object.rows[0]?.object?.metadata.resourceVersion);
      }
      expect(events[0]).toMatchObject({ type: 'ADDED', object: { rows: [{ cells: ['a', expect.any(Number), expect.any(String)] }] } });
      expect(events.at(-1)?.type).toBe('BOOKMARK');
    });

    test('rows have the object, its metadata or nothing', async () => {
      const rowOf = async (query: string) =>
        linesOf((await whole(`fieldSelector=metadata.name%3Dc&${query}`, table('v1'))).text)[0]?.object.rows[0]?.object;
      expect(await rowOf('includeObject=Object')).toMatchObject({ kind: 'ConfigMap', data: { more: 'x' } });
      expect(await rowOf('includeObject=Metadata')).not.toHaveProperty('data');
      expect(await rowOf('includeObject=None')).toBeUndefined();
      const bad = await face.ask(`${collection}?watch=1&includeObject=All`, { accept: table('v1') });
      judgeRefusal(bad.text, bad.status, [
        400,
        'BadRequest',
        /^Unable to convert to Table as requested: includeObject: Invalid value: "All"/,
      ]);
    });

    test('metadata alone', async () => {
      const [event] = linesOf((await whole('resourceVersion=0', 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io')).text);
      expect(event).toMatchObject({
        type: 'ADDED',
        object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name: 'a' } },
      });
      expect(event?.object.data).toBeUndefined();
    });

    /** Each frame is a length of four bytes and a WatchEvent: its type (1), and (2) the object's bytes (1) with an envelope of their own. */
    const framesOf = (bytes: Buffer) => {
      const frames: { type: string; object: ReturnType<typeof openEnvelope> }[] = [];
      for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at)) {
        const reader = new Reader(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at)), 100);
        expect(reader.varint()).toBe(10);
        const type = reader.string();
        expect(reader.varint()).toBe(18);
        reader.enter();
        expect(reader.varint()).toBe(10);
        frames.push({ type, object: openEnvelope(reader.bytes()) });
      }
      return frames;
    };
    const protobuf = 'application/vnd.kubernetes.protobuf';

    test('protobuf', async () => {
      const reply = await whole(
        'resourceVersion=0&fieldSelector=metadata.name%3Dc&allowWatchBookmarks=true',
        `${protobuf},application/json`,
      );
      expect(reply.headers['content-type']).toBe('application/vnd.kubernetes.protobuf;stream=watch');
      const frames = framesOf(reply.bytes);
      expect(frames.map(({ type, object }) => [type, object.apiVersion, object.kind])).toEqual([
        ['ADDED', 'v1', 'ConfigMap'],
        ...Array.from({ length: frames.length - 1 }, () => ['BOOKMARK', 'v1', 'ConfigMap']),
      ]);
      expect(decodeMessage('core.v1.ConfigMap', frames[0]!.object.raw)).toMatchObject({ metadata: { name: 'c' }, data: { more: 'x' } });
      const options = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=none';
      for (const [shape, list] of [
        ['', 'core.v1.ConfigMapList'],
        [';as=PartialObjectMetadata;v=v1;g=meta.k8s.io', 'meta.v1.PartialObjectMetadataList'],
      ] as const) {
        const [end] = framesOf((await whole(options, protobuf + shape)).bytes);
        const type = shape === '' ? 'core.v1.ConfigMap' : 'meta.v1.PartialObjectMetadata';
        const { metadata } = decodeMessage(type, end!.object.raw) as Body;
        const { 'kubernetes.io/initial-events-list-blueprint': blueprint } = metadata.annotations as Record<string, string>;
        expect(decodeProtobuf(list, Buffer.from(blueprint ?? '', 'base64'))).toMatchObject({ kind: list.split('.')[2] });
      }
      const [end] = linesOf((await whole(options, 'application/json')).text);
      const { 'kubernetes.io/initial-events-list-blueprint': blueprint } = end!.object.metadata.annotations as Record<string, string>;
      expect(JSON.parse(Buffer.from(blueprint ?? '', 'base64').toString())).toEqual({
        kind: 'ConfigMapList',
        apiVersion: 'v1',
        metadata: {},
        items: [],
      });
      const bare = framesOf(
        (await whole('fieldSelector=metadata.name%3Dc', `${protobuf};as=PartialObjectMetadata;v=v1;g=meta.k8s.io`)).bytes,
      );
      expect(bare[0]).toMatchObject({ type: 'ADDED', object: { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata' } });
      const error = framesOf((await whole('resourceVersion={future}', protobuf)).bytes);
      expect(error).toMatchObject([{ type: 'ERROR', object: { apiVersion: 'v1', kind: 'Status' } }]);
      expect(decodeMessage('meta.v1.Status', error[0]!.object.raw)).toMatchObject({ code: 504, reason: 'Timeout' });
    });

    test('what there is no form for is refused, or another is taken that the client takes too', async () => {
      for (const accept of ['application/yaml', 'text/html', table('v2')]) {
        const reply = await face.ask(`${collection}?watch=1`, { accept });
        expect([reply.status, (JSON.parse(reply.text) as Body).reason]).toEqual([406, 'NotAcceptable']);
      }
      const fallback = await whole('resourceVersion=0', `${table('v2')},application/yaml;q=0.9,application/json;q=0.8`);
      expect(linesOf(fallback.text)[0]?.object.kind).toBe('ConfigMap');
    });
  });

  test('whoever lists, page by page, and watches from there on, has what a list shows in the end, whatever it selects', async () => {
    const random = numbersFrom(20_261_122);
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
    const spaces = ['one', 'two'];
    for (const name of spaces) await face.create('/api/v1/namespaces', { metadata: { name } });
    const of = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;
    // Some of them are refused, because of one that was at it just before: that is well.
    const write = async (): Promise<void> => {
      const [namespace, name, color] = [pick(spaces), pick('abcdef'.split('')), pick(['red', 'blue', null])];
      const what = random();
      if (what < 0.3) await face.send('DELETE', `${of(namespace)}/${name}`);
      else if (what < 0.6)
        await face.send('POST', of(namespace), {
          metadata: { name, labels: color === null ? {} : { color } },
          type: pick(['odd', 'even']),
        });
      else
        await face.send('PATCH', `${of(namespace)}/${name}`, { metadata: { labels: { color } }, data: { n: btoa(`${what}`) } }, mergePatch);
    };
    const views = [
      ['/api/v1/secrets', ''],
      [of('one'), ''],
      ['/api/v1/secrets', 'labelSelector=color%3Dred'],
      [of('two'), 'labelSelector=color!%3Dred'],
      ['/api/v1/secrets', 'labelSelector=!color'],
      ['/api/v1/secrets', 'fieldSelector=metadata.name%3Da'],
      ['/api/v1/secrets', 'fieldSelector=type%3Dodd'],
      ['/api/v1/secrets', 'fieldSelector=type!%3Dodd,metadata.namespace%3Done&labelSelector=color'],
    ] as const;
    const keyOf = ({ metadata }: Body): string => `${String(metadata.namespace)}/${metadata.name}`;
    const followers: { path: string; query: string; has: Map<string, Body>; revision: number; watch: OpenWatch }[] = [];
    for (let number = 0; number < 3 * views.length; number++) {
      await Promise.all(Array.from({ length: 4 }, write));
      const [path, query] = views[number % views.length]!;
      const has = new Map<string, Body>();
      let more = '';
      for (;;) {
        const page = await face.get(`${path}?${query}&limit=2${more}`);
        for (const item of page.items) has.set(keyOf(item), item);
        await write();
        const { resourceVersion, continue: next } = page.metadata;
        more = `&continue=${String(next)}`;
        if (next !== undefined) continue;
        const watch = await face.watch(`${path}?watch=1&${query}&allowWatchBookmarks=true&resourceVersion=${resourceVersion}`);
        followers.push({ path, query, has, revision: Number(resourceVersion), watch });
        break;
      }
    }
    for (let number = 0; number < 20; number++) await write();
    const end = Number((await face.get('/api/v1/secrets')).metadata.resourceVersion);
    const lists = new Map<string, readonly Body[]>();
    for (const [path, query] of views) lists.set(`${path}?${query}`, (await face.get(`${path}?${query}`)).items);
    // Bookmarks say when all has come.
    let over = false;
    const ticking = (async () => {
      while (!over) {
        face.clock.skip(60_000);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    try {
      for (const { path, query, has, revision, watch } of followers) {
        let seen = revision;
        for (;;) {
          const { type, object } = await watch.next();
          const next = Number(object.metadata.resourceVersion);
          if (type === 'BOOKMARK') {
            expect(next).toBeGreaterThanOrEqual(seen);
            if (next >= end) break;
            continue;
          }
          expect(next).toBeGreaterThan(seen);
          expect([type, has.has(keyOf(object))]).toEqual([type, type !== 'ADDED']);
          seen = next;
          if (type === 'DELETED') has.delete(keyOf(object));
          else has.set(keyOf(object), object);
        }
        watch.close();
        const shown = (items: Iterable<Body>): unknown[] =>
          [...items].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)).map(({ metadata, type, data }) => [metadata, type, data]);
        expect(shown(has.values())).toEqual(shown(lists.get(`${path}?${query}`) ?? []));
      }
    } finally {
      over = true;
      await ticking;
    }
  });

  test('a revision that is forgotten ends the watch at once with an ERROR, in every form', async () => {
    await face.forget(collection, (name) => configMap(name, {}));
    const path = `${collection}?watch=1&resourceVersion=${revisions.middle}`;
    const tooOld = [410, 'Expired', /^too old resource version: \d+ \(\d+\)$/] as const;
    for (const accept of ['application/json', 'application/json;as=Table;v=v1;g=meta.k8s.io']) {
      const watch = await face.watch(path, { accept });
      const { type, object } = await watch.next();
      expect([watch.status, type]).toEqual([200, 'ERROR']);
      judgeRefusal(JSON.stringify(object), 410, tooOld);
      expect(await watch.rest()).toEqual([]);
    }
    const plain = await face.watch(`${path}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`);
    expect((await plain.next()).type).toBe('ADDED');
    plain.close();
  });
});
