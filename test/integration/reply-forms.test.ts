/** In which forms lists, objects and deletions of many are answered, over real TLS. */
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { decodeProtobuf, encodeProtobuf } from '#api/protobuf/envelope';
import { MemoryBackend } from '#storage/memory/memory-backend';
import { type Body, type Face, startFace } from './read-rules/face.ts';
import { selectorRows } from './read-rules/selector-rows.ts';
import { judgeRefusal } from './read-rules/stores.ts';

let face: Face;
const collection = '/api/v1/namespaces/rules/configmaps';
const protobuf = 'application/vnd.kubernetes.protobuf';
const as = (shape: string, version = 'v1', encoding = 'application/json'): string => `${encoding};as=${shape};v=${version};g=meta.k8s.io`;
const bodyOf = (text: string): Body => JSON.parse(text) as Body;

beforeAll(async () => {
  face = await startFace(new MemoryBackend());
  for (const name of ['rules', 'away']) await face.create('/api/v1/namespaces', { metadata: { name } });
  for (const name of ['a', 'b']) {
    await face.create(collection, {
      metadata: { name, labels: { name } },
      data: { text: `a long line that a writer of YAML would fold, ${name}: "x"\n\n  y\n` },
    });
  }
});
afterAll(() => face.stop());

describe('lists', () => {
  const plain = async () => bodyOf((await face.ask(collection)).text);

  test('say the same in every encoding, with line ends for people', async () => {
    const expected = await plain();
    expect(Object.keys(expected)).toEqual(['kind', 'apiVersion', 'metadata', 'items']);
    expect(expected.items.map((item) => Object.keys(item))).toEqual([
      ['metadata', 'data'],
      ['metadata', 'data'],
    ]);
    expect(expected.metadata.selfLink).toBeUndefined();
    const yaml = await face.ask(collection, { accept: 'application/yaml' });
    expect(yaml.headers['content-type']).toBe('application/yaml');
    expect(parse(yaml.text)).toEqual(expected);
    const binary = await face.ask(collection, { accept: protobuf });
    expect(binary.headers['content-type']).toBe(protobuf);
    expect(decodeProtobuf('core.v1.ConfigMapList', binary.bytes)).toMatchObject({
      kind: 'ConfigMapList',
      metadata: { resourceVersion: expected.metadata.resourceVersion },
      items: expected.items.map(({ data, metadata: { name } }) => ({ metadata: { name }, data })),
    });
    for (const [query, headers] of [
      ['?pretty=1', {}],
      ['?pretty=true', {}],
      ['', { 'user-agent': 'curl/8.0' }],
      ['', { accept: 'text/html,*/*;q=0.8', 'user-agent': 'Mozilla/5.0 (X11)' }],
      ['', { accept: 'application/json;pretty=1' }],
    ] as const) {
      const { text } = await face.ask(`${collection}${query}`, headers);
      expect(text).toBe(`${JSON.stringify(expected, null, 2)}\n`);
      const one = await face.ask(`${collection}/a${query}`, headers);
      expect(one.text).toBe(`${JSON.stringify(JSON.parse(one.text), null, 2)}\n`);
    }
    for (const query of ['?pretty=0', '?pretty=false']) {
      expect((await face.ask(`${collection}${query}`, { 'user-agent': 'curl/8.0' })).text).toBe(`${JSON.stringify(expected)}\n`);
    }
  });

  test('of nothing are empty lists', async () => {
    const empty = '/api/v1/namespaces/away/configmaps';
    const expected = { kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: expect.any(String) }, items: [] };
    for (const query of ['', '?pretty=1']) expect(bodyOf((await face.ask(empty + query)).text)).toEqual(expected);
    expect(parse((await face.ask(empty, { accept: 'application/yaml' })).text)).toEqual(expected);
    const binary = await face.ask(empty, { accept: protobuf });
    expect(decodeProtobuf('core.v1.ConfigMapList', binary.bytes)).toMatchObject({ kind: 'ConfigMapList' });
    expect(bodyOf((await face.ask(empty, { accept: as('Table') })).text)).toMatchObject({ kind: 'Table', rows: [] });
  });

  test('of our own kinds have items that name them, as those of custom resources do', async () => {
    const stacks = '/apis/compose.berth.dev/v1alpha1/namespaces/rules/stacks';
    await face.create(stacks, { metadata: { name: 's' }, spec: { services: { web: { image: 'i' } } } });
    expect((await face.get(stacks)).items).toMatchObject([{ kind: 'Stack', apiVersion: 'compose.berth.dev/v1alpha1' }]);
  });

  test.each(['v1', 'v1beta1'])('as tables of %s, in pages too', async (version) => {
    const columns = ['Name', 'Data', 'Age'];
    const table = bodyOf((await face.ask(`${collection}?limit=1`, { accept: `${as('Table', version)},application/json` })).text);
    expect(table).toMatchObject({ kind: 'Table', apiVersion: `meta.k8s.io/${version}`, metadata: { remainingItemCount: 1 } });
    expect(table.columnDefinitions.map(({ name }) => name)).toEqual(columns);
    expect(table.rows).toMatchObject([
      { cells: ['a', 1, expect.any(String)], object: { kind: 'PartialObjectMetadata', metadata: { name: 'a' } } },
    ]);
    const rest = bodyOf(
      (await face.ask(`${collection}?continue=${String(table.metadata.continue)}`, { accept: as('Table', version) })).text,
    );
    expect(rest.rows.map(({ cells }) => cells[0])).toEqual(['b']);
    const one = bodyOf((await face.ask(`${collection}/b?includeObject=Object`, { accept: as('Table', version) })).text);
    expect(one.rows).toMatchObject([{ cells: ['b', 1, expect.any(String)], object: { kind: 'ConfigMap', apiVersion: 'v1' } }]);
    const none = bodyOf((await face.ask(`${collection}?includeObject=None`, { accept: as('Table', version) })).text);
    expect(none.rows.map((row) => Object.keys(row))).toEqual([['cells'], ['cells']]);
    const bad = await face.ask(`${collection}?includeObject=All`, { accept: as('Table', version) });
    judgeRefusal(bad.text, bad.status, [
      400,
      'BadRequest',
      `Unable to convert to Table as requested: includeObject: Invalid value: "All": must be 'Metadata', 'Object', 'None', or empty`,
    ]);
    expect(parse((await face.ask(collection, { accept: as('Table', version, 'application/yaml') })).text)).toMatchObject({
      kind: 'Table',
      rows: [{}, {}],
    });
  });

  test.each(['v1', 'v1beta1'])('as metadata alone, of %s', async (version) => {
    const accept = as('PartialObjectMetadataList', version);
    const list = bodyOf((await face.ask(`${collection}?limit=1`, { accept })).text);
    expect(list).toMatchObject({
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${version}`,
      metadata: { resourceVersion: expect.any(String), continue: expect.any(String), remainingItemCount: 1 },
      items: [{ kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: { name: 'a' } }],
    });
    expect(list.items[0]?.data).toBeUndefined();
    const binary = await face.ask(collection, { accept: `${as('PartialObjectMetadataList', version, protobuf)},${accept}` });
    expect(binary.headers['content-type']).toBe(protobuf);
    expect(decodeProtobuf('meta.v1.PartialObjectMetadataList', binary.bytes)).toMatchObject({
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${version}`,
      items: [{ metadata: { name: 'a' } }, { metadata: { name: 'b' } }],
    });
    const one = await face.ask(`${collection}/a`, { accept: as('PartialObjectMetadata', version, protobuf) });
    expect(decodeProtobuf('meta.v1.PartialObjectMetadata', one.bytes)).toMatchObject({
      kind: 'PartialObjectMetadata',
      metadata: { name: 'a' },
    });
  });

  test.each([
    ['application/json;q=0.1,application/yaml', 'application/yaml'],
    ['*/*,application/yaml', 'application/yaml'],
    ['application/*;q=0.9,text/html', 'application/json'],
    [`${as('Table', 'v1', protobuf)},${protobuf};q=0.5`, protobuf],
    [`${as('Table', 'v9')},${protobuf}`, protobuf],
    ['application/json;as=Table;g=example.com;v=v1,application/yaml', 'application/yaml'],
    ['application/yaml;q=0,application/json;q=0.001', 'application/json'],
  ])('%s is answered with %s', async (accept, type) => {
    const reply = await face.ask(collection, { accept });
    expect([reply.status, reply.headers['content-type']]).toEqual([200, type]);
    if (type === 'application/json') expect(bodyOf(reply.text).kind).toBe('ConfigMapList');
  });

  test.each(['text/html', as('Table', 'v9'), as('PartialObjectMetadata'), as('Table', 'v1', protobuf), 'application/json;q=0'])(
    '%s is refused, with what there is',
    async (accept) => {
      const reply = await face.ask(collection, { accept });
      judgeRefusal(reply.text, reply.status, [
        406,
        'NotAcceptable',
        'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf',
      ]);
    },
  );

  test('that are long are compressed for those who take it, in every encoding', async () => {
    const big = '/api/v1/namespaces/away/secrets';
    for (let number = 0; number < 30; number++) {
      await face.create(big, { metadata: { name: `s-${number}` }, stringData: { text: 'x'.repeat(10_000) } });
    }
    for (const accept of ['application/json', 'application/yaml', protobuf, as('Table')]) {
      const whole = await face.ask(`${big}?includeObject=Object`, { accept });
      const packed = await face.ask(`${big}?includeObject=Object`, { accept, 'accept-encoding': 'deflate, gzip' });
      expect([whole.headers['content-encoding'], packed.headers['content-encoding']]).toEqual([undefined, 'gzip']);
      expect(gunzipSync(packed.bytes).equals(whole.bytes)).toBe(true);
    }
    expect((await face.ask(big, { 'accept-encoding': 'gzip;q=0' })).headers['content-encoding']).toBeUndefined();
  });

  test.each(['HEAD', 'OPTIONS', 'PUT', 'PATCH'])('%s is no method of theirs', async (method) => {
    expect((await face.send(method, collection)).status).toBe(405);
  });
});

describe('field selectors', () => {
  beforeAll(async () => {
    for (const { collection: of, object, status } of selectorRows) {
      const made = await face.create(of, object);
      if (status !== undefined) await face.patch(`${of}/${made.metadata.name}/status`, { status });
    }
  });

  test.each(selectorRows)('of $collection', async ({ collection: of, object, chosenBy, unknown: [path, message] }) => {
    const { name } = (object as Body).metadata;
    const chosen = async (selector: string): Promise<unknown[]> =>
      (await face.get(`${of}?fieldSelector=${encodeURIComponent(selector)}`)).items.map(({ metadata }) => metadata.name);
    for (const selector of chosenBy.map((one) => one.replace('{name}', String(name)))) {
      expect([selector, await chosen(selector)]).toEqual([selector, expect.arrayContaining([name])]);
      expect([selector, await chosen(selector.replace('=', '!='))]).toEqual([selector, expect.not.arrayContaining([name])]);
    }
    const reply = await face.ask(`${of}?fieldSelector=${path}%3Dx`);
    judgeRefusal(reply.text, reply.status, [400, 'BadRequest', message]);
  });
});

describe('deleting many', () => {
  const many = '/api/v1/namespaces/many/configmaps';
  const names = (list: Body): string => list.items.map(({ metadata }) => metadata.name).join('');
  const left = async (): Promise<string> => names(await face.get(many));
  const remove = (query: string, body?: unknown, headers?: Record<string, string>) =>
    face.send('DELETE', `${many}?${query}`, body, headers);

  beforeAll(() => face.create('/api/v1/namespaces', { metadata: { name: 'many' } }));
  beforeEach(async () => {
    await face.send('DELETE', many);
    for (const name of 'abcd')
      await face.create(many, { metadata: { name, labels: { even: name === 'b' || name === 'd' ? 'yes' : 'no' } } });
  });

  test('answers with what it found, and leaves what was not chosen', async () => {
    const chosen = await remove('labelSelector=even%3Dyes');
    expect(chosen.status).toBe(200);
    expect(bodyOf(chosen.text)).toMatchObject({
      kind: 'ConfigMapList',
      apiVersion: 'v1',
      metadata: { resourceVersion: expect.any(String) },
    });
    expect([names(bodyOf(chosen.text)), await left()]).toEqual(['bd', 'ac']);
    expect(names(bodyOf((await remove('fieldSelector=metadata.name%3Da')).text))).toBe('a');
    expect([names(bodyOf((await remove('')).text)), await left()]).toEqual(['c', '']);
    expect(bodyOf((await remove('')).text)).toMatchObject({ kind: 'ConfigMapList', items: [] });
  });

  test('takes its options from the query or the body, and as many as the limit says', async () => {
    for (const run of [
      remove('dryRun=All'),
      remove('', { dryRun: ['All'] }),
      remove('', { kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] }),
    ]) {
      expect(names(bodyOf((await run).text))).toBe('abcd');
    }
    const binary = encodeProtobuf('meta.v1.DeleteOptions', { apiVersion: 'v1', kind: 'DeleteOptions', dryRun: ['All'] } as never);
    expect((await remove('', binary, { 'content-type': protobuf })).status).toBe(200);
    expect(await left()).toBe('abcd');
    expect([names(bodyOf((await remove('limit=1')).text)), await left()]).toEqual(['a', 'bcd']);
    expect((await remove('', { propagationPolicy: 'Foreground' })).status).toBe(200);
    expect((await face.get(many)).items).toMatchObject(
      ['b', 'c', 'd'].map((name) => ({ metadata: { name, finalizers: ['foregroundDeletion'], deletionTimestamp: expect.any(String) } })),
    );
    for (const name of 'bcd') await face.patch(`${many}/${name}`, { metadata: { finalizers: null } });
    expect(await left()).toBe('');
  });

  test('is refused before anything is deleted', async () => {
    for (const [query, body, code] of [
      ['labelSelector=a%20b%20c', undefined, 400],
      ['fieldSelector=data.x%3D1', undefined, 400],
      ['resourceVersionMatch=Exact', undefined, 422],
      ['dryRun=Some', undefined, 422],
      ['', { propagationPolicy: 'Maybe' }, 422],
      ['', { kind: 'Pod', apiVersion: 'v1' }, 400],
      ['', { orphanDependents: true, propagationPolicy: 'Background' }, 422],
    ] as const) {
      expect((await remove(query, body)).status).toBe(code);
    }
    expect(await left()).toBe('abcd');
    expect((await face.send('DELETE', '/api/v1/configmaps')).status).toBe(405);
    expect((await face.send('DELETE', '/api/v1/namespaces')).status).toBe(405);
    const conflict = await remove('', { preconditions: { uid: 'another' } });
    expect([conflict.status, await left()]).toEqual([409, 'abcd']);
  });
});
