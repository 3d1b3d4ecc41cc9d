/** Whatever a file is or holds, its objects are read, or an error says the file, the place and the reason. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ManifestSet, parseManifests, readManifests } from './manifests.ts';
import { UsageError, type VerbContext } from './verb.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-manifests-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const configMap = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n`;

function read(name: string, stdin: Iterable<Buffer> = []): Promise<ManifestSet> {
  const stream = new PassThrough();
  for (const chunk of stdin) stream.write(chunk);
  stream.end();
  return readManifests([name], { stdin: stream, workingDirectory: folder, signal: new AbortController().signal } as unknown as VerbContext);
}

async function refusal(of: Promise<unknown>): Promise<string> {
  try {
    await of;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error('it was read');
}

test('files that are no text', async () => {
  await writeFile(join(folder, 'binary'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0]));
  expect(await refusal(read('binary'))).toBe('binary is no text: it holds a zero byte, the first at byte 7');
  await writeFile(join(folder, 'latin1.yaml'), Buffer.from('a: \xe9\n', 'latin1'));
  expect(await refusal(read('latin1.yaml'))).toBe('latin1.yaml is no text in UTF-8');
  await writeFile(join(folder, 'utf16.yaml'), Buffer.from(`\ufeff${configMap('a')}`, 'utf16le'));
  expect(await refusal(read('utf16.yaml'))).toContain('zero byte');
  await writeFile(join(folder, 'mark.yaml'), `\ufeff${configMap('a')}`);
  expect(await read('mark.yaml')).toMatchObject({ manifests: [{ object: { metadata: { name: 'a' } } }] });
});

test('files that are none', async () => {
  expect(await refusal(read('gone.yaml'))).toBe('the path "gone.yaml" does not exist');
  await mkdir(join(folder, 'empty'));
  expect(await refusal(read('empty'))).toBe('the folder "empty" has no .yaml, .yml or .json file');
  const path = join(folder, 'socket');
  const server = createServer().listen(path);
  await new Promise((resolve) => void server.once('listening', resolve));
  expect(await refusal(read('socket'))).toBe('socket is no file, folder or pipe');
  await new Promise((resolve) => void server.close(resolve));
});

test('pipes are read to their end, and not for ever', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const [set] = await Promise.all([read('pipe'), writeFile(pipe, configMap('piped'))]);
  expect(set).toMatchObject({ manifests: [{ object: { metadata: { name: 'piped' } }, where: 'pipe:1' }] });
  expect(await refusal(read('/dev/zero'))).toBe('/dev/zero has more than 16777216 bytes');
  expect(
    await refusal(
      read(
        '-',
        Array.from({ length: 17 }, () => Buffer.alloc(1024 * 1024, 0x61)),
      ),
    ),
  ).toBe('stdin has more than 16777216 bytes');
});

test('files that are too large are not read at all', async () => {
  await writeFile(join(folder, 'huge.yaml'), '');
  await truncate(join(folder, 'huge.yaml'), 1e12);
  expect(await refusal(read('huge.yaml'))).toBe('huge.yaml has 1000000000000 bytes; at most 16777216 are read');
});

test('ten thousand documents, some of them empty', () => {
  const text = Array.from({ length: 10_000 }, (_, index) => (index % 2 === 0 ? configMap(`a-${index}`) : '# nothing\n')).join('---\n');
  const manifests = parseManifests('many.yaml', text);
  expect(manifests).toHaveLength(5000);
  expect(manifests.at(-1)).toMatchObject({ object: { metadata: { name: 'a-9998' } }, where: 'many.yaml:34994' });
});

test.each([
  ['a tab for indentation', `${configMap('a')}data:\n\tk: v\n`, /^f\.yaml:\d+:\d+: /],
  ['a key that stands twice', `${configMap('a')}kind: Secret\n`, /^f\.yaml:5:1: Map keys must be unique/],
  ['a second document that is broken', `${configMap('a')}---\nkind: [\n`, /^f\.yaml:\d+:\d+: /],
  ['a mapping for a key', `${configMap('a')}data:\n  {a: b}: c\n`, /^f\.yaml:6:3: a key must be a string/],
  [
    'aliases that multiply',
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\nd: [${'*c,'.repeat(9)}]\n`,
    /^f\.yaml:1: Excessive alias count/,
  ],
  ['an alias of nothing', `${configMap('a')}data: *gone\n`, /^f\.yaml:/],
  ['an alias of itself', 'a: &a [*a]\n', /^f\.yaml:/],
  ['nesting without end', '['.repeat(100_000), /^f\.yaml:1:\d+: nested more than 100 levels/],
  ['brackets without end', '[]]'.repeat(300_000), /^f\.yaml:1:\d+: /],
  ['nothing', '', /^f\.yaml: there is no manifest in it/],
  ['a list', '- a\n', /^f\.yaml:1: a manifest must be a mapping/],
  ['a number for a kind', 'apiVersion: v1\nkind: 3\n', /^f\.yaml:1: kind is missing or not a string/],
] as const)('%s', (_name, text, expected) => {
  expect(() => parseManifests('f.yaml', text)).toThrow(expected);
});

test('keys that are no strings become some, as in JSON', () => {
  const [manifest] = parseManifests('f.yaml', `${configMap('a')}data:\n  1: a\n  true: b\n`);
  expect(manifest?.object).toMatchObject({ data: { 1: 'a', true: 'b' } });
});

test('any text', () => {
  const pieces = fc.constantFrom(
    'apiVersion: v1\n',
    'kind: List\n',
    'items:\n',
    '- ',
    'metadata: ',
    '{',
    '}',
    '[',
    ']',
    '&a ',
    '*a',
    '<<: ',
    '---\n',
    '...\n',
    '\t',
    '? ',
    '|\n',
    '!!set ',
    '!!binary ',
    '%YAML 1.1\n',
    '"',
    "'",
    ': ',
    '\n',
    '  ',
    '__proto__: ',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string({ maxLength: 3, unit: 'binary' })), { maxLength: 40 }), (parts) => {
      try {
        parseManifests('f.yaml', parts.join(''));
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        expect(error.message).toMatch(/^f\.yaml/);
      }
      expect(({} as { a?: unknown }).a).toBeUndefined();
    }),
    { seed: 20_260_107, numRuns: 500 },
  );
});
