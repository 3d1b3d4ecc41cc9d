import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ManualClock } from '#base/manual-clock';
import { parseManifests, readManifests } from './manifests.ts';
import type { VerbContext } from './verb.ts';

const configMap = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n';

describe('parseManifests', () => {
  test('tells where each document begins', () => {
    const manifests = parseManifests('x.yaml', `${configMap}---\n# nothing\n---\n${configMap}`);
    expect(manifests.map(({ where }) => where)).toEqual(['x.yaml:1', 'x.yaml:7']);
  });

  test('takes Lists apart', () => {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }] });
    expect(parseManifests('l.json', list).map(({ object }) => object.kind)).toEqual(['Secret']);
  });

  test.each([
    ['a: [1', /x\.yaml:1:\d+: /],
    ['- 1\n- 2\n', /x\.yaml:1: a manifest must be a mapping/],
    ['kind: Pod\nmetadata: {}\n', /x\.yaml:1: apiVersion is missing/],
    ['apiVersion: v1\nkind: Pod\n', /metadata is missing/],
    ['', /there is no manifest/],
    [`apiVersion: v1\nkind: Pod\nmetadata: ${'['.repeat(5000)}`, /nested more than/],
    [
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`,
      /alias/i,
    ],
  ])('refuses %#', (content, reason) => {
    expect(() => parseManifests('x.yaml', content)).toThrow(reason);
  });
});

describe('readManifests', () => {
  let directory: string;
  let context: VerbContext;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-manifests-'));
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    context = {
      stdin: Readable.from([Buffer.from(configMap)]),
      stdout: sink,
      stderr: sink,
      environment: {},
      workingDirectory: directory,
      clock: new ManualClock(),
      signal: new AbortController().signal,
    };
  });

  afterEach(() => rm(directory, { recursive: true }));

  test('reads stdin', async () => {
    expect(await readManifests(['-'], context)).toMatchObject({ type: 'kubernetes', manifests: [{ where: '-:1' }] });
  });

  test('reads a folder of manifests in order of name', async () => {
    await writeFile(join(directory, 'b.yaml'), configMap);
    await writeFile(join(directory, 'a.yml'), configMap.replace('name: a', 'name: first'));
    const set = await readManifests(['.'], context);
    expect(set.type === 'kubernetes' && set.manifests.map(({ object }) => object.metadata.name)).toEqual(['first', 'a']);
  });

  test('finds the Compose file of a folder, and its override', async () => {
    await mkdir(join(directory, 'app'));
    await writeFile(join(directory, 'app', 'compose.yaml'), 'services:\n  web: {image: x}\n');
    await writeFile(join(directory, 'app', 'compose.override.yaml'), 'services:\n  web: {image: y}\n');
    const set = await readManifests(['app'], context);
    expect(set).toMatchObject({ type: 'compose', files: [{ path: 'app/compose.yaml' }, { path: 'app/compose.override.yaml' }] });
  });

  test.each([
    ['a file that only overrides volumes', 'volumes:\n  data:\n    labels: {a: b}\n'],
    ['JSON', '{"services": {"web": {"image": "x"}}}'],
    ['quoted keys', '"services":\n  web: {image: x}\n'],
    ['extensions first', 'x-a: &a {image: x}\nservices:\n  web: *a\n'],
    ['a broken file', 'services:\n  web: {image: [x\n'],
  ])('knows Compose by its keys: %s', async (_name, content) => {
    await writeFile(join(directory, 'c.yaml'), content);
    expect(await readManifests(['c.yaml'], context)).toMatchObject({ type: 'compose' });
  });

  test('knows Kubernetes by apiVersion, whatever else is there', async () => {
    await writeFile(join(directory, 'k.yaml'), 'kind: X\nservices: []\napiVersion: v1\nmetadata: {name: a}\n');
    expect(await readManifests(['k.yaml'], context)).toMatchObject({ type: 'kubernetes' });
  });

  test('does not mix Compose and Kubernetes', async () => {
    await writeFile(join(directory, 'c.yaml'), 'services:\n  web: {image: x}\n');
    await writeFile(join(directory, 'k.yaml'), configMap);
    await expect(readManifests(['c.yaml', 'k.yaml'], context)).rejects.toThrow(/c\.yaml is a Compose file and k\.yaml is not/);
  });

  test('names a path that does not exist', async () => {
    await expect(readManifests(['none.yaml'], context)).rejects.toThrow('the path "none.yaml" does not exist');
  });
});
