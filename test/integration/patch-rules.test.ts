/** Patches by Kubernetes' rules, over real TLS: what each directive does to a stored object, and how what does not fit is refused. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { MemoryBackend } from '#storage/memory/memory-backend';
import { type Body, type Face, startFace } from './read-rules/face.ts';
import type { Refusal } from './read-rules/list-rows.ts';
import { judgeRefusal } from './read-rules/stores.ts';

let face: Face;
const types = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
};
type PatchType = keyof typeof types;
const inRules = (group: string, plural: string): string => `${group === 'v1' ? '/api' : '/apis'}/${group}/namespaces/rules/${plural}`;
const configMaps = inRules('v1', 'configmaps');
const deployments = inRules('apps/v1', 'deployments');
const send = (type: string, path: string, patch: unknown) => face.send('PATCH', path, patch, { 'content-type': type });

beforeAll(async () => {
  face = await startFace(new MemoryBackend());
  await face.create('/api/v1/namespaces', { metadata: { name: 'rules' } });
});
afterAll(() => face.stop());

const port = (containerPort: number, name: string): object => ({ name, containerPort, protocol: 'TCP' });
const deployment = (name: string): object => ({
  metadata: { name, labels: { a: '1', b: '2' }, finalizers: ['example.com/x', 'example.com/y'] },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'x' } },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    template: {
      metadata: { labels: { app: 'x' } },
      spec: {
        containers: [
          {
            name: 'one',
            image: 'one:1',
            args: ['a', 'b'],
            env: [
              { name: 'X', value: '1' },
              { name: 'Y', value: '2' },
            ],
            ports: [port(80, 'web')],
          },
          { name: 'two', image: 'two:1' },
        ],
        volumes: [{ name: 'data', emptyDir: {} }],
        tolerations: [{ key: 'k', operator: 'Exists' }],
      },
    },
  },
});
const spec = (object: Body): Record<string, unknown> => object.spec as Record<string, unknown>;
const podOf = (object: Body) => (spec(object).template as { spec: Record<string, Record<string, unknown>[]> }).spec;
const podPatch = (pod: object): object => ({ spec: { template: { spec: pod } } });

interface Row {
  readonly name: string;
  readonly type: PatchType;
  readonly patch: unknown;
  readonly show: (object: Body) => unknown;
  readonly becomes: unknown;
}

const rows: readonly Row[] = [
  {
    name: 'lists of objects merge by their key, new ones first, plain lists are replaced',
    type: 'strategic',
    patch: podPatch({
      containers: [
        { name: 'two', image: 'two:2' },
        { name: 'three', image: 'three:1' },
        { name: 'one', args: ['c'] },
      ],
    }),
    show: (object) => podOf(object).containers?.map(({ name, image, args }) => [name, image, args]),
    becomes: [
      ['two', 'two:2', undefined],
      ['three', 'three:1', undefined],
      ['one', 'one:1', ['c']],
    ],
  },
  {
    name: 'elements are deleted by $patch, and their keys alone may be given',
    type: 'strategic',
    patch: podPatch({
      containers: [
        { name: 'two', $patch: 'delete' },
        { name: 'one', env: [{ name: 'X', $patch: 'delete' }] },
      ],
    }),
    show: (object) => podOf(object).containers?.map(({ name, env }) => [name, env]),
    becomes: [['one', [{ name: 'Y', value: '2' }]]],
  },
  {
    name: 'a list is replaced whole by $patch',
    type: 'strategic',
    patch: podPatch({ containers: [{ $patch: 'replace' }, { name: 'new', image: 'new:1' }] }),
    show: (object) => podOf(object).containers?.map(({ name }) => name),
    becomes: ['new'],
  },
  {
    name: 'an object is replaced, or emptied, by $patch',
    type: 'strategic',
    patch: { metadata: { labels: { $patch: 'replace', c: '3' } }, spec: { strategy: { rollingUpdate: { $patch: 'delete' } } } },
    show: ({ metadata, ...object }) => [metadata.labels, spec(object as Body).strategy],
    becomes: [{ c: '3' }, { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } }],
  },
  {
    name: '$retainKeys clears what is not named',
    type: 'strategic',
    patch: { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
    show: (object) => spec(object).strategy,
    becomes: { type: 'Recreate' },
  },
  {
    name: 'the source of a volume is exchanged by $retainKeys',
    type: 'strategic',
    patch: podPatch({ volumes: [{ name: 'data', $retainKeys: ['name', 'configMap'], configMap: { name: 'c' } }] }),
    show: (object) => podOf(object).volumes?.map((volume) => Object.keys(volume).toSorted()),
    becomes: [['configMap', 'name']],
  },
  {
    name: '$setElementOrder gives the order, $deleteFromPrimitiveList takes away',
    type: 'strategic',
    patch: {
      metadata: {
        '$deleteFromPrimitiveList/finalizers': ['example.com/x'],
        '$setElementOrder/finalizers': ['example.com/z', 'example.com/y'],
        finalizers: ['example.com/z'],
      },
      ...podPatch({ '$setElementOrder/containers': [{ name: 'two' }, { name: 'one' }], containers: [{ name: 'one', image: 'one:2' }] }),
    },
    show: (object) => [object.metadata.finalizers, podOf(object).containers?.map(({ name, image }) => `${String(name)} ${String(image)}`)],
    becomes: [
      ['example.com/z', 'example.com/y'],
      ['two two:1', 'one one:2'],
    ],
  },
  {
    name: 'null takes a field away, and defaults come back',
    type: 'strategic',
    patch: { metadata: { labels: { a: null } }, spec: { replicas: null } },
    show: (object) => [object.metadata.labels, spec(object).replicas],
    becomes: [{ b: '2' }, 1],
  },
  {
    name: 'a merge patch replaces lists whole, and null removes',
    type: 'merge',
    patch: { metadata: { labels: { a: null, c: '3' } }, ...podPatch({ containers: [{ name: 'only', image: 'only:1' }] }) },
    show: (object) => [object.metadata.labels, podOf(object).containers?.map(({ name }) => name)],
    becomes: [{ b: '2', c: '3' }, ['only']],
  },
  {
    name: 'a JSON patch adds, removes, replaces, moves, copies and tests',
    type: 'json',
    patch: [
      { op: 'test', path: '/metadata/labels/a', value: '1' },
      { op: 'test', path: '/metadata/annotations', value: null },
      { op: 'add', path: '/metadata/labels/c~1d', value: '3' },
      { op: 'move', from: '/metadata/labels/a', path: '/metadata/labels/e' },
      { op: 'copy', from: '/metadata/labels/b', path: '/metadata/labels/f' },
      { op: 'remove', path: '/spec/template/spec/containers/0' },
      { op: 'add', path: '/spec/template/spec/containers/-', value: { name: 'last', image: 'last:1' } },
      { op: 'add', path: '/spec/template/spec/containers/0', value: { name: 'first', image: 'first:1' } },
      { op: 'replace', path: '/spec/replicas', value: 5 },
    ],
    show: (object) => [object.metadata.labels, podOf(object).containers?.map(({ name }) => name), spec(object).replicas],
    becomes: [{ b: '2', 'c/d': '3', e: '1', f: '2' }, ['first', 'two', 'last'], 5],
  },
];

test.each(rows)('$name', async ({ name, type, patch, show, becomes }) => {
  const own = name.replaceAll(/\W+/g, '-').toLowerCase().slice(0, 40);
  const made = await face.create(deployments, deployment(`d${own}0`));
  const path = `${deployments}/d${own}0`;
  const rehearsed = await send(types[type], `${path}?dryRun=All`, patch);
  expect([rehearsed.status, show(JSON.parse(rehearsed.text) as Body)]).toEqual([200, becomes]);
  expect(await face.get(path)).toEqual(made);
  const reply = await send(types[type], path, patch);
  expect([reply.status, show(JSON.parse(reply.text) as Body)]).toEqual([200, becomes]);
  expect(await face.get(path)).toEqual(JSON.parse(reply.text));
});

describe('a patch that changes nothing', () => {
  test.each([
    ['merge', {}],
    ['merge', { data: { k: 'v' } }],
    ['strategic', {}],
    ['strategic', { metadata: { labels: { a: 'b' } }, data: { k: 'v', other: null } }],
    ['json', []],
    ['json', [{ op: 'replace', path: '/data/k', value: 'v' }]],
    [
      'json',
      [
        { op: 'add', path: '/data/x', value: 'y' },
        { op: 'remove', path: '/data/x' },
      ],
    ],
  ] as const)('writes nothing: %s %j', async (type, patch) => {
    const path = `${configMaps}/same`;
    await face.send('POST', configMaps, { metadata: { name: 'same', labels: { a: 'b' } }, data: { k: 'v' } });
    const before = await face.get(path);
    const revision = await face.store.backend.revision();
    const reply = await send(types[type], path, patch);
    expect([reply.status, JSON.parse(reply.text)]).toEqual([200, before]);
    expect(await face.store.backend.revision()).toBe(revision);
  });
});

const general = 'the server rejected our request due to an error in our request';
const mediaTypes =
  'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json';
const many = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/data/k', value: 'v' }));
const refusals: readonly (readonly [type: string, patch: unknown, refusal: Refusal, path?: string])[] = [
  // The form of the patch.
  ['application/json', { data: {} }, [415, 'UnsupportedMediaType', mediaTypes]],
  ['application/apply-patch+yaml', {}, [415, 'UnsupportedMediaType', mediaTypes]],
  ['text/plain', 'x', [415, 'UnsupportedMediaType', mediaTypes]],
  [types.json, '{"op"', [400, 'BadRequest', /./]],
  [types.json, { data: { k: 'w' } }, [400, 'BadRequest', /list of operations/]],
  [types.json, [{ op: 'frob', path: '/data' }], [400, 'BadRequest', /op must be one of/]],
  [
    types.json,
    many,
    [413, 'RequestEntityTooLarge', 'Request entity is too large: The allowed maximum operations in a JSON patch is 10000, got 10001'],
  ],
  [types.merge, '', [400, 'BadRequest', /./]],
  [types.merge, [], [400, 'BadRequest', /must be an object/]],
  [types.merge, '"x"', [400, 'BadRequest', /must be an object/]],
  [types.strategic, 'null', [400, 'BadRequest', /must be an object/]],
  [types.strategic, { metadata: { $retainKeys: 'x' } }, [400, 'BadRequest', /^invalid patch format of retainKeys/]],
  [
    types.strategic,
    { metadata: { '$setElementOrder/finalizers': 'x' } },
    [400, 'BadRequest', /^invalid patch format of setElementOrder list/],
  ],
  [
    types.strategic,
    { metadata: { '$deleteFromPrimitiveList/finalizers': 'x' } },
    [400, 'BadRequest', /^invalid patch format of primitive list/],
  ],
  [types.strategic, { data: { $patch: 'frob' } }, [400, 'BadRequest', /^unknown patch type/]],
  // What does not fit the object.
  [types.json, [{ op: 'test', path: '/data/k', value: 'other' }], [422, 'Invalid', general]],
  [types.json, [{ op: 'remove', path: '/data/none' }], [422, 'Invalid', general]],
  [types.json, [{ op: 'replace', path: '/data/none', value: 'x' }], [422, 'Invalid', general]],
  [types.json, [{ op: 'add', path: '/none/x', value: 'x' }], [422, 'Invalid', general]],
  [types.json, [{ op: 'copy', from: '/none', path: '/data/x' }], [422, 'Invalid', general]],
  [types.strategic, { data: { $retainKeys: ['k'], x: 'y' } }, [422, 'Invalid', general]],
  // What it would make of it.
  [types.merge, { data: { k: 5 } }, [422, 'Invalid', /^ConfigMap "c" is invalid: patch: Invalid value: .*cannot unmarshal number/]],
  [types.strategic, { data: 'x' }, [422, 'Invalid', /^ConfigMap "c" is invalid: patch: Invalid value: /]],
  [types.json, [{ op: 'replace', path: '/data', value: [] }], [422, 'Invalid', /^ConfigMap "c" is invalid: patch: Invalid value: /]],
  [types.merge, { data: { 'not a key': 'x' } }, [422, 'Invalid', /^ConfigMap "c" is invalid: data\[not a key\]: Invalid value/]],
  [
    types.merge,
    { metadata: { name: 'other' } },
    [400, 'BadRequest', 'the name of the object (other) does not match the name on the URL (c)'],
  ],
  [types.json, [{ op: 'remove', path: '/metadata/name' }], [400, 'BadRequest', /was undeterminable: name must be provided$/]],
  [
    types.merge,
    { metadata: { namespace: 'other' } },
    [400, 'BadRequest', /^the namespace of the provided object does not match the namespace sent on the request/],
  ],
  [types.merge, { kind: 'Secret' }, [422, 'Invalid', /does not match the expected kind/]],
  [types.json, [{ op: 'replace', path: '', value: [] }], [400, 'BadRequest', /no object/]],
  [types.merge, { metadata: { uid: 'another' } }, [409, 'Conflict', /^Operation cannot be fulfilled on configmaps "c": /]],
  [
    types.merge,
    { metadata: { resourceVersion: '1' } },
    [
      409,
      'Conflict',
      'Operation cannot be fulfilled on configmaps "c": the object has been modified; please apply your changes to the latest version and try again',
    ],
  ],
  // Options and paths.
  [types.merge, {}, [404, 'NotFound', 'configmaps "none" not found'], `${configMaps}/none`],
  [types.merge, {}, [404, 'NotFound', 'configmaps "none" not found'], `${configMaps}/none?dryRun=All`],
  [types.merge, {}, [405, 'MethodNotAllowed', /./], configMaps],
  [
    types.merge,
    {},
    [422, 'Invalid', 'PatchOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: "x": supported values: "All"'],
    `${configMaps}/c?dryRun=x`,
  ],
  [
    types.merge,
    {},
    [422, 'Invalid', 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'],
    `${configMaps}/c?force=true`,
  ],
  [
    types.merge,
    { odd: 1 },
    [422, 'Invalid', /patch: Invalid value: .*strict decoding error: unknown field "odd"$/],
    `${configMaps}/c?fieldValidation=Strict`,
  ],
  [
    types.merge,
    { spec: { selector: { matchLabels: { app: 'y' } } } },
    [422, 'Invalid', /spec\.selector: .*field is immutable/],
    `${deployments}/d`,
  ],
];

describe('what does not fit is refused, and changes nothing:', () => {
  let revision: number;
  beforeAll(async () => {
    await face.create(configMaps, { metadata: { name: 'c' }, data: { k: 'v' } });
    await face.create(deployments, deployment('d'));
    revision = await face.store.backend.revision();
  });

  test.each(refusals.map((row) => [row[3] ?? `${configMaps}/c`, row[0], JSON.stringify(row[1])?.slice(0, 100), row] as const))(
    '%s %s %s',
    async (path, type, _, [, patch, refusal]) => {
      const reply = await send(type, path, patch);
      judgeRefusal(reply.text, reply.status, refusal);
      expect(await face.store.backend.revision()).toBe(revision);
    },
  );
});

test('unknown fields are warned of, unless they are to be ignored or refused', async () => {
  const path = `${configMaps}/warned`;
  await face.create(configMaps, { metadata: { name: 'warned' } });
  const patch = { odd: 1, metadata: { labels: { a: 'b' } } };
  expect((await send(types.merge, path, patch)).headers.warning).toBe('299 - "unknown field \\"odd\\""');
  expect((await send(types.merge, `${path}?fieldValidation=Ignore`, patch)).headers.warning).toBeUndefined();
});

test('a status is patched through its subresource alone, and nothing else through it', async () => {
  await face.create(deployments, deployment('status'));
  const path = `${deployments}/status`;
  const through = await send(types.strategic, `${path}/status`, { spec: { replicas: 9 }, status: { replicas: 3 } });
  expect(JSON.parse(through.text)).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 3 }, metadata: { generation: 1 } });
  const main = await send(types.json, path, [
    { op: 'replace', path: '/spec/replicas', value: 9 },
    { op: 'replace', path: '/status/replicas', value: 7 },
  ]);
  expect(JSON.parse(main.text)).toMatchObject({ spec: { replicas: 9 }, status: { replicas: 3 }, metadata: { generation: 2 } });
  const scaled = await send(types.merge, `${path}/scale`, { spec: { replicas: 4 } });
  expect(JSON.parse(scaled.text)).toMatchObject({
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    spec: { replicas: 4 },
    status: { replicas: 3 },
  });
});
