import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '#base/clock';
import { silentLogger } from '#base/logging';
import type { Backend } from './backend.ts';
import { internalKey } from './keys.ts';
import { carryOnRestored, exportStore, importStore, openStore, type TransferOptions } from './transfer.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-transfer-'));
  file = join(folder, 'cluster.export');
});
afterEach(() => rm(folder, { recursive: true }));

function optionsOf(name: string, signal = new AbortController().signal): TransferOptions {
  return { home: join(folder, name), clock: systemClock, log: silentLogger, signal };
}

async function within<T>(name: string, act: (backend: Backend) => Promise<T>): Promise<T> {
  const backend = await openStore('sqlite', optionsOf(name));
  try {
    return await act(backend);
  } finally {
    await backend.close();
  }
}

const contentOf = async (backend: Backend): Promise<(readonly [string, string])[]> =>
  (await backend.list('/berth/')).items.map((item) => [item.key, Buffer.from(item.value).toString('base64')] as const);

async function write(backend: Backend, keys: readonly string[]): Promise<void> {
  for (const key of keys)
    await backend.commit({ compare: [], ops: [{ type: 'put', key, value: Buffer.from([1, ...Buffer.from(key), 0, 255]) }] });
}

const keys = ['/berth/core/pods/default/a', '/berth/core/secrets/default/b', internalKey('clusterIPs', '10.43.0.1'), internalKey('zz')];

describe('a store', () => {
  test('is exported and imported whole, and goes on as the same one, above every revision of before', async () => {
    const before = await within('a', async (backend) => {
      await write(backend, [...keys, internalKey('store', 'record')]);
      return { incarnation: backend.incarnation, revision: await backend.revision(), content: await contentOf(backend) };
    });
    expect(await exportStore('sqlite', optionsOf('a'), file)).toEqual({ keys: keys.length, revision: before.revision });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await importStore('sqlite', optionsOf('b'), file)).toEqual({ keys: keys.length, revision: before.revision });
    await within('b', async (backend) => {
      // What the former backend kept of itself is not the cluster's.
      expect(await contentOf(backend)).toEqual(before.content.filter(([key]) => key !== internalKey('store', 'record')));
      expect(backend.incarnation).toBe(before.incarnation);
      const { items } = await backend.list('/berth/');
      expect(new Set(items.map((item) => item.revision)).size).toBe(keys.length);
      for (const item of items) expect(item.revision).toBeGreaterThan(before.revision + 1_000_000);
      await expect(backend.list('/berth/', { revision: before.revision })).rejects.toMatchObject({ name: 'CompactedError' });
    });
  });

  test('that has something in it is not imported into, and an export is not written over', async () => {
    await within('a', (backend) => write(backend, keys));
    await exportStore('sqlite', optionsOf('a'), file);
    await expect(importStore('sqlite', optionsOf('a'), file)).rejects.toThrow('the store holds a cluster already');
    await expect(exportStore('sqlite', optionsOf('a'), file)).rejects.toThrow('exists already');
    await within('a', async (backend) => expect(await contentOf(backend)).toHaveLength(keys.length));
  });

  test('that is empty is not exported, and leaves no file', async () => {
    await expect(exportStore('sqlite', optionsOf('a'), file)).rejects.toThrow('the store is empty');
    await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(stat(`${file}.partial`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('in which an import was broken off serves no one until the import is done again', async () => {
    await within('a', (backend) => write(backend, keys));
    await exportStore('sqlite', optionsOf('a'), file);
    await expect(importStore('sqlite', optionsOf('b', AbortSignal.abort()), file)).rejects.toMatchObject({ name: 'AbortError' });
    await expect(openStore('sqlite', optionsOf('b'))).rejects.toThrow(/holds a part of an import only .* run "berth store import" again/);
    await expect(exportStore('sqlite', optionsOf('b'), `${file}.2`)).rejects.toThrow('a part of an import only');
    await importStore('sqlite', optionsOf('b'), file);
    const [first, second] = [await within('a', contentOf), await within('b', contentOf)];
    expect(second).toEqual(first);
  });

  test('in memory alone has nothing to move', async () => {
    const attempts = [
      () => exportStore('memory', optionsOf('a'), file),
      () => importStore('memory', optionsOf('a'), file),
      () => carryOnRestored('memory', optionsOf('a')),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toThrow('lost with its server');
  });

  test('that was put back from a backup goes on far above what it gave out since, each time higher', async () => {
    await within('a', (backend) => write(backend, keys));
    const { incarnation, revision } = await within('a', async (backend) => ({
      incarnation: backend.incarnation,
      revision: await backend.revision(),
    }));
    const first = await carryOnRestored('sqlite', optionsOf('a'));
    expect(first).toBeGreaterThan(revision + 1_000_000);
    await within('a', async (backend) => {
      expect(backend.incarnation).toBe(incarnation);
      expect(await backend.revision()).toBeGreaterThanOrEqual(first);
      expect(await contentOf(backend)).toHaveLength(keys.length);
    });
    const later = { ...optionsOf('a'), clock: { ...systemClock, now: () => Date.now() + 7 * 86_400_000 } };
    expect(await carryOnRestored('sqlite', later)).toBeGreaterThan(first + 1_000_000);
  });
});

describe('a file that is no whole export', () => {
  const damages: [string, (lines: string[]) => string[], RegExp][] = [
    ['is empty', () => [], /is empty/],
    ['is something else', () => ['hello'], /no export of a store: its first line/],
    [
      'is of a later version',
      ([header = '', ...rest]) => [header.replace('"berthStore":1', '"berthStore":2'), ...rest],
      /has the version 2 and .* reads 1/,
    ],
    ['lacks its end', (lines) => lines.slice(0, -1), /damaged: its end is missing/],
    ['lacks a key', (lines) => lines.toSpliced(1, 1), /damaged: it is not what was exported/],
    [
      'has a changed value',
      (lines) => lines.map((line, index) => (index === 2 ? line.replace(/.{6}"\]$/, 'AAAAAA"]') : line)),
      /not what was exported/,
    ],
    [
      'has half a line',
      (lines) => lines.map((line, index) => (index === 2 ? line.slice(0, 20) : line)),
      /damaged: line 3 is nothing that an export has/,
    ],
    ['has a key of somebody else', (lines) => lines.toSpliced(2, 0, '["/foreign/a","AA=="]'), /damaged: line 3 is no key with its value/],
    ['goes on after its end', (lines) => [...lines, '["/berth/a","AA=="]'], /line \d+ comes after its end/],
  ];
  test.each(damages)('because it %s is refused, and nothing is imported', async (_what, damage, message) => {
    await within('a', (backend) => write(backend, keys));
    await exportStore('sqlite', optionsOf('a'), file);
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    await writeFile(
      file,
      damage(lines)
        .map((line) => `${line}\n`)
        .join(''),
    );
    await expect(importStore('sqlite', optionsOf('b'), file)).rejects.toThrow(message);
    await within('b', async (backend) => expect(await contentOf(backend)).toEqual([]));
  });

  test('because it is not there, or a folder, is refused', async () => {
    await expect(importStore('sqlite', optionsOf('b'), file)).rejects.toMatchObject({ code: 'ENOENT' });
    await mkdir(file);
    await expect(importStore('sqlite', optionsOf('b'), file)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
