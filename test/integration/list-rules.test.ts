/** Lists and gets by Kubernetes' rules, over real TLS, on an embedded store and on etcd: the table is `read-rules/list-rows.ts`. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Body, type Face, startFace } from './read-rules/face.ts';
import { getRows, listRows } from './read-rules/list-rows.ts';
import { judgeRefusal, readStores } from './read-rules/stores.ts';

const collection = '/api/v1/namespaces/rules/configmaps';
const configMap = (name: string): object => ({
  metadata: { name, ...('aeiou'.includes(name) ? { labels: { vowel: 'yes' } } : {}) },
  data: { name },
});

describe.each(readStores)('on %s', (_, open) => {
  let face: Face;
  let close: () => Promise<void>;
  const revisions = { middle: '', now: '', future: '999999999', token: '' };

  beforeAll(async () => {
    const store = await open();
    face = await startFace(store.backend);
    close = store.close;
    for (const name of ['rules', 'other']) await face.create('/api/v1/namespaces', { metadata: { name } });
    for (const name of 'ab') await face.create(collection, configMap(name));
    revisions.middle = (await face.create(collection, configMap('c'))).metadata.resourceVersion ?? '';
    for (const name of 'de') await face.create(collection, configMap(name));
    await face.remove(`${collection}/b`);
    await face.patch(`${collection}/c`, { data: { more: 'x' } });
    revisions.now = (await face.create('/api/v1/namespaces/other/configmaps', configMap('z'))).metadata.resourceVersion ?? '';
    revisions.token = String((await face.get(`${collection}?limit=1`)).metadata.continue);
  });
  afterAll(async () => {
    await face.stop();
    await close();
  });

  const queryOf = (query: string): string =>
    query.replaceAll(/\{(\w+)\}/g, (whole, name: keyof typeof revisions) => revisions[name] ?? whole);
  const names = (list: Body): string => list.items.map(({ metadata }) => metadata.name).join('');

  test.each(listRows)('list: $query', async ({ query, items, at, left, refused }) => {
    const reply = await face.ask(`${collection}?${queryOf(query)}`);
    if (refused !== undefined) {
      judgeRefusal(reply.text, reply.status, refused);
      return;
    }
    expect(reply.status).toBe(200);
    const list = JSON.parse(reply.text) as Body;
    expect({ kind: list.kind, apiVersion: list.apiVersion, items: names(list) }).toEqual({
      kind: 'ConfigMapList',
      apiVersion: 'v1',
      items,
    });
    expect(list.metadata).toEqual({
      resourceVersion: revisions[at ?? 'now'],
      ...(left === undefined ? {} : { continue: expect.any(String) }),
      ...(typeof left === 'number' ? { remainingItemCount: left } : {}),
    });
    for (const item of list.items) expect(Object.keys(item).toSorted()).toEqual(['data', 'metadata']);
  });

  test.each(getRows)('get: $query', async ({ query, refused }) => {
    const reply = await face.ask(`${collection}/c?${queryOf(query)}`);
    if (refused !== undefined) judgeRefusal(reply.text, reply.status, refused);
    else expect(JSON.parse(reply.text)).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1', data: { more: 'x' } });
  });

  test('pages show one state, whatever happens in between', async () => {
    const object = (name: string): object => ({ metadata: { name } });
    const pages = '/api/v1/namespaces/pages/configmaps';
    await face.create('/api/v1/namespaces', { metadata: { name: 'pages' } });
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await face.create(pages, object(name));
    const first = await face.get(`${pages}?limit=3`);
    expect([names(first), first.metadata.remainingItemCount]).toEqual(['abc', 4]);
    await face.remove(`${pages}/d`);
    await face.remove(`${pages}/a`);
    await face.patch(`${pages}/e`, { data: { changed: 'yes' } });
    await face.create(pages, object('dd'));
    await face.create(pages, object('zz'));
    const second = await face.get(`${pages}?limit=3&continue=${String(first.metadata.continue)}`);
    expect([names(second), second.metadata.remainingItemCount]).toEqual(['def', 1]);
    expect(second.items[1]?.data).toBeUndefined();
    // Another size of page, and what says nothing beside a token: both are well.
    const last = await face.get(`${pages}?limit=500&resourceVersion=0&continue=${String(second.metadata.continue)}`);
    expect([names(last), last.metadata.continue, last.metadata.remainingItemCount]).toEqual(['g', undefined, undefined]);
    expect([second.metadata.resourceVersion, last.metadata.resourceVersion]).toEqual([
      first.metadata.resourceVersion,
      first.metadata.resourceVersion,
    ]);
    const whole = await face.get(`${pages}?continue=${String(first.metadata.continue)}`);
    expect(names(whole)).toBe('defg');
    expect(names(await face.get(pages))).toBe('bcddefgzz');
  });

  test('a page is of the resource and namespace that it is asked of', async () => {
    const { metadata } = await face.get(`${collection}?limit=2`);
    expect(names(await face.get(`/api/v1/namespaces/other/configmaps?continue=${String(metadata.continue)}`))).toBe('');
    expect(names(await face.get(`/api/v1/namespaces/rules/secrets?continue=${String(metadata.continue)}`))).toBe('');
  });

  test('all namespaces are listed in their order, and counted', async () => {
    const list = await face.get('/api/v1/configmaps?limit=2&labelSelector=');
    expect(list.items.map(({ metadata }) => `${String(metadata.namespace)}/${metadata.name}`)).toEqual(['other/z', 'pages/b']);
    const total = (await face.get('/api/v1/configmaps')).items.length;
    expect(list.metadata.remainingItemCount).toBe(total - 2);
    expect((await face.get('/api/v1/namespaces/nowhere/configmaps')).items).toEqual([]);
  });

  test('once a revision is forgotten, lists of it are refused, and a token goes on in the present', async () => {
    const filler = (name: string): object => ({ metadata: { name } });
    const page = await face.get(`${collection}?limit=2`);
    await face.forget('/api/v1/namespaces/other/configmaps', filler);
    for (const query of ['resourceVersionMatch=Exact', 'limit=2']) {
      const old = await face.ask(`${collection}?resourceVersion=${revisions.middle}&${query}`);
      judgeRefusal(old.text, old.status, [410, 'Expired', 'The resourceVersion for the provided list is too old.']);
    }
    expect(names(await face.get(`${collection}?resourceVersion=${revisions.middle}`))).toBe('acde');
    const expired = await face.ask(`${collection}?limit=1&continue=${String(page.metadata.continue)}`);
    judgeRefusal(expired.text, expired.status, [
      410,
      'Expired',
      /^The provided continue parameter is too old to display a consistent list result\./,
    ]);
    await face.create(collection, configMap('f'));
    await face.remove(`${collection}/d`);
    const { metadata } = JSON.parse(expired.text) as Body;
    const onwards = await face.get(`${collection}?limit=1&continue=${String(metadata.continue)}`);
    expect(names(onwards)).toBe('e');
    expect(names(await face.get(`${collection}?continue=${String(onwards.metadata.continue)}`))).toBe('f');
  });
});
