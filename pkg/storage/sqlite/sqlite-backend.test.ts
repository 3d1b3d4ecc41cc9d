import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import Database from 'libsql';
import { describeBackend } from '../backend.suite.ts';
import type { Revision } from '../backend.ts';
import { carryOnSqlite, openSqlite, type SqliteBackend } from './sqlite-backend.ts';

describeBackend('the sqlite backend', async (options) => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-sqlite-'));
  const backend = await openSqlite({ path: join(folder, 'store.db'), ...options });
  return { backend, dispose: () => rm(folder, { recursive: true }) };
});

describe('the file of the sqlite backend', () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-sqlite-'));
    path = join(folder, 'store.db');
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function put(backend: SqliteBackend, key: string, value: string): Promise<Revision> {
    const result = await backend.commit({ compare: [], ops: [{ type: 'put', key, value: Buffer.from(value) }] });
    if (!result.committed) throw new Error('not committed');
    return result.revision;
  }

  test('keeps objects, history, revision and incarnation over a restart', async () => {
    const first = await openSqlite({ path });
    const old = await put(first, '/a', 'old');
    const last = await put(first, '/a', 'new');
    await first.close();
    const second = await openSqlite({ path });
    expect(second.incarnation).toBe(first.incarnation);
    expect(await second.revision()).toBe(last);
    expect((await second.list('/', { revision: old })).items.map((item) => Buffer.from(item.value).toString())).toEqual(['old']);
    expect(await put(second, '/b', 'next')).toBe(last + 1);
    await second.close();
  });

  test('is readable by its owner alone, and so is what stands beside it', async () => {
    const backend = await openSqlite({ path });
    await put(backend, '/a', 'secret');
    for (const file of [path, `${path}-wal`]) expect((await stat(file)).mode & 0o777).toBe(0o600);
    await backend.close();
  });

  test('is refused to a second opener, who is told which process has it', async () => {
    const backend = await openSqlite({ path });
    await expect(openSqlite({ path })).rejects.toThrow(`the store ${path} is in use by process ${process.pid}: stop that first`);
    await put(backend, '/a', 'still works');
    await backend.close();
    await (await openSqlite({ path })).close();
  });

  test('that is no store is refused and left as it is', async () => {
    const content = 'not a database '.repeat(100);
    await writeFile(path, content);
    await expect(openSqlite({ path })).rejects.toThrow(`the store ${path} cannot be opened: file is not a database`);
    expect(await readFile(path, 'utf8')).toBe(content);
    const missing = join(folder, 'missing', 'store.db');
    await expect(openSqlite({ path: missing })).rejects.toThrow(`the store ${missing} cannot be opened`);
  });

  test('of a later format is refused', async () => {
    await (await openSqlite({ path })).close();
    const database = new Database(path);
    database.exec("UPDATE meta SET value = 2 WHERE name = 'format'");
    database.close();
    await expect(openSqlite({ path })).rejects.toThrow('it has the format 2 and this version of Berth reads 1');
  });

  test('that is marked as restored goes on far above its old revision', async () => {
    const before = await openSqlite({ path });
    const last = await put(before, '/a', 'kept');
    await before.close();
    await carryOnSqlite({ path }, { above: last + 1_000_000_000 });
    const after = await openSqlite({ path });
    const raised = await after.revision();
    expect(raised).toBeGreaterThanOrEqual(last + 1_000_000_000);
    expect(after.incarnation).toBe(before.incarnation);
    expect((await after.get('/a')).item?.revision).toBe(last);
    await expect(after.list('/', { revision: last })).rejects.toMatchObject({ compactRevision: raised });
    expect(await put(after, '/a', 'changed')).toBe(raised + 1);
    await after.close();
  });

  test('stays small under many overwrites when it is compacted, and loses none of the newest', async () => {
    const backend = await openSqlite({ path });
    const value = 'x'.repeat(500);
    const keys = Array.from({ length: 100 }, (_, index) => `/k${index}`);
    let last = 0;
    let largest = 0;
    // 100,000 overwrites of 500 bytes; without compaction the file would have 60 MB.
    for (let round = 0; round < 1000; round++) {
      const revisions = await Promise.all(keys.map((key) => put(backend, key, `${round} ${value}`)));
      last = Math.max(...revisions);
      if (round % 20 === 19) {
        await backend.compact(last - 1000);
        largest = Math.max(largest, (await stat(path)).size + (await stat(`${path}-wal`)).size);
      }
    }
    expect(largest).toBeLessThan(50_000_000);
    await backend.compact(last);
    const { items } = await backend.list('/');
    expect(items).toHaveLength(100);
    for (const item of items) expect(Buffer.from(item.value).toString().startsWith('999 ')).toBe(true);
    await sweepAndClose(path, backend, 100, 12_000_000);
  });

  test('gets room back from deleted keys', async () => {
    const backend = await openSqlite({ path });
    const keys = Array.from({ length: 100 }, (_, index) => `/k${index}`);
    await Promise.all(keys.map((key) => put(backend, key, 'x'.repeat(400_000))));
    const result = await backend.commit({ compare: [], ops: keys.map((key) => ({ type: 'delete', key })) });
    if (!result.committed) throw new Error('not committed');
    await backend.compact(result.revision);
    await sweepAndClose(path, backend, 0, 10_000_000);
  });
});

/**
 * Closes the store, and opens it again and again, which goes on sweeping where it was left, until nothing is left to do: the file
 * then has `rows` versions and is below `size`.
 */
async function sweepAndClose(path: string, backend: SqliteBackend, rows: number, size: number): Promise<void> {
  let open = backend;
  for (let attempt = 0; ; attempt++) {
    for (let request = 0; request < 100; request++) await open.get('/none');
    await open.close();
    const found = { rows: rowsOf(path), small: (await stat(path)).size < size };
    // A busy machine may leave no time for more than a step between two openings.
    if (attempt === 300) expect(found).toEqual({ rows, small: true });
    if (found.rows === rows && found.small) return;
    open = await openSqlite({ path });
  }
}

/** Counted in a process of its own: in this one, SQLite would hold the file until the statement is collected as garbage. */
function rowsOf(path: string): number {
  const script =
    "process.stdout.write(String(new (require('libsql'))(process.argv[1]).prepare('SELECT count(*) FROM log').raw().get()[0]))";
  return Number(execFileSync(process.execPath, ['-e', script, path], { encoding: 'utf8' }));
}
