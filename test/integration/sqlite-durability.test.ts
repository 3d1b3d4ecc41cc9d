/** What the embedded store promises of the disk: by killing processes, by the order of system calls, and on a disk that is full. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { OutcomeUnknownError, type StoreEvent, StoreFullError } from '#storage/backend';
import { openSqlite, type SqliteBackend } from '#storage/sqlite/sqlite-backend';

const writer = fileURLToPath(new URL('../../dist/test/harness/store-writer.js', import.meta.url));

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-durability-'));
  path = join(folder, 'store.db');
});
afterEach(() => rm(folder, { recursive: true }));

interface Line {
  readonly what: string;
  readonly key: string;
  readonly revision: number;
}

function linesOf(output: string): Line[] {
  const whole = output.slice(0, output.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [what = '', key = '', revision = ''] = line.split(' ');
      return { what, key, revision: Number(revision) };
    });
}

/** Starts a writer, lets it acknowledge about so many writes, and kills it in the midst of the next. */
async function killAfter(lines: number, prefix: string): Promise<Line[]> {
  const child: ChildProcess = spawn(process.execPath, [writer, path, prefix, '16'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (output.split('\n').length > lines) child.kill('SIGKILL');
  });
  await once(child, 'close');
  if (child.signalCode !== 'SIGKILL') throw new Error(`the writer ended by itself: ${errors}`);
  return linesOf(output);
}

function describeUnless(missing: string | undefined, title: string, tests: () => void): void {
  if (missing === undefined) describe(title, tests);
  else describe.skip(`${title} (${missing})`, tests);
}

describe('after kill -9', () => {
  test('everything that was acknowledged or shown is there, whole, and the store opens at once', async () => {
    const lines: Line[] = [];
    for (let round = 0; round < 5; round++) lines.push(...(await killAfter(150 + round * 97, `/round-${round}/`)));
    const backend = await openSqlite({ path });
    const items = new Map((await backend.list('/')).items.map((item) => [item.key, item]));
    expect(lines.filter(({ what }) => what === 'ack').length).toBeGreaterThan(500);
    for (const { what, key, revision } of lines) {
      for (const each of what === 'ack' ? [`${key}/a`, `${key}/b`] : [key]) expect(items.get(each)?.revision).toBe(revision);
    }
    for (const [key, { revision, value }] of items) {
      const twin = items.get(key.slice(0, -1) + (key.endsWith('a') ? 'b' : 'a'));
      expect(twin?.revision).toBe(revision);
      expect(Buffer.from(value).toString()).toBe(`value of ${key.slice(0, -2)}`);
    }
    expect(await backend.revision()).toBeGreaterThanOrEqual(Math.max(...lines.map(({ revision }) => revision)));
    await backend.close();
  });

  test('while it lives, a second process is told who has the store', async () => {
    const backend = await openSqlite({ path });
    const second = spawnSync(process.execPath, [writer, path, '/', '1', '1'], { encoding: 'utf8' });
    expect(second.status).not.toBe(0);
    expect(second.stderr).toContain(`the store ${path} is in use by process ${process.pid}: stop that first`);
    await backend.close();
  });
});

const missingStrace = spawnSync('strace', ['-V']).status === 0 ? undefined : 'strace is not installed';

describeUnless(missingStrace, 'by the order of system calls', () => {
  test('nothing is acknowledged or shown before what was written of it has been synced to the disk', async () => {
    const trace = join(folder, 'trace');
    const traced = spawnSync(
      'strace',
      ['-f', '-y', '-s', '64', '-e', 'trace=write,pwrite64,fsync,fdatasync', '-o', trace, process.execPath, writer, path, '/', '1', '30'],
      {
        encoding: 'utf8',
      },
    );
    expect(traced.stderr).toBe('');
    let written = 0;
    let synced = 0;
    let pending: { readonly thread: string; readonly upTo: number } | undefined;
    let acknowledged = 0;
    let shown = 0;
    let syncsAtLastAcknowledgement = 0;
    let syncs = 0;
    for (const line of (await readFile(trace, 'utf8')).split('\n')) {
      const thread = line.split(' ')[0] ?? '';
      if (/ pwrite64\(\d+<[^>]*store\.db-wal>/.test(line)) written++;
      else if (/ f(data)?sync\(\d+<[^>]*store\.db-wal>/.test(line)) {
        if (line.includes('<unfinished')) pending = { thread, upTo: written };
        else {
          synced = written;
          syncs++;
        }
      } else if (/ <\.\.\. f(data)?sync resumed>/.test(line) && pending?.thread === thread) {
        synced = pending.upTo;
        syncs++;
        pending = undefined;
      } else if (/ write\(1<[^>]*>, "(ack|seen) /.test(line)) {
        // Whatever had been written to the log when this line went out was on the disk by then.
        expect({ line, synced }).toEqual({ line, synced: written });
        if (line.includes('"ack ')) {
          acknowledged++;
          expect(syncs).toBeGreaterThan(syncsAtLastAcknowledgement);
          syncsAtLastAcknowledgement = syncs;
        } else shown++;
      }
    }
    expect({ acknowledged, shown }).toEqual({ acknowledged: 30, shown: 60 });
  });
});

const missingMount = process.platform === 'linux' && process.getuid?.() === 0 ? undefined : 'mounting a small disk needs root';

describeUnless(missingMount, 'on a full disk', () => {
  let disk: string;

  beforeEach(async () => {
    disk = join(folder, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'berth-test', disk]);
    path = join(disk, 'store.db');
  });
  afterEach(() => {
    execFileSync('umount', [disk]);
  });

  const put = (backend: SqliteBackend, key: string, size: number) =>
    backend.commit({ compare: [], ops: [{ type: 'put', key, value: Buffer.alloc(size, key) }] });

  test('writes are refused, reads and watches go on, and later writes succeed when there is room', async () => {
    const backend = await openSqlite({ path });
    const stop = new AbortController();
    const seen: StoreEvent[] = [];
    const watched = (async () => {
      for await (const { events } of backend.watch('/', 1, stop.signal)) seen.push(...events);
    })();
    const acknowledged = new Map<string, number>();
    const filler = join(disk, 'filler');
    await writeFile(filler, Buffer.alloc(4 * 1024 * 1024));
    let refused: unknown;
    for (let round = 0; refused === undefined && round < 1000; round++) {
      // Several at once, so that a group is refused as a whole.
      const results = await Promise.allSettled(Array.from({ length: 4 }, (_, index) => put(backend, `/${round}-${index}`, 10_000)));
      for (const [index, result] of results.entries()) {
        if (result.status === 'rejected') refused = result.reason;
        else if (result.value.committed) acknowledged.set(`/${round}-${index}`, result.value.revision);
      }
    }
    expect(refused).toBeInstanceOf(StoreFullError);
    expect(refused).not.toBeInstanceOf(OutcomeUnknownError);
    expect((refused as Error).message).toBe(`the disk of the store ${path} is full: make room on it`);

    const revision = await backend.revision();
    for (let attempt = 0; attempt < 5; attempt++) await expect(put(backend, '/again', 50_000)).rejects.toBeInstanceOf(StoreFullError);
    expect(await backend.revision()).toBe(revision);
    const { items } = await backend.list('/');
    expect(new Map(items.map((item) => [item.key, item.revision]))).toEqual(acknowledged);
    expect((await backend.get('/0-0')).item?.value).toHaveLength(10_000);
    await backend.compact(revision);

    await rm(filler);
    const result = await put(backend, '/later', 10_000);
    expect(result).toMatchObject({ committed: true, revision: revision + 1 });
    acknowledged.set('/later', revision + 1);
    await backend.get('/later');
    stop.abort();
    await watched;
    expect(new Map(seen.map((event) => [event.key, event.revision]))).toEqual(acknowledged);
    await backend.close();

    const reopened = await openSqlite({ path });
    expect(new Map((await reopened.list('/')).items.map((item) => [item.key, item.revision]))).toEqual(acknowledged);
    await reopened.close();
  });

  test('a store can still be opened and read', async () => {
    const first = await openSqlite({ path });
    await put(first, '/a', 100);
    await first.close();
    await writeFile(join(disk, 'filler'), Buffer.alloc(16 * 1024 * 1024)).catch(() => undefined);
    const backend = await openSqlite({ path });
    expect((await backend.list('/')).items).toHaveLength(1);
    await expect(put(backend, '/b', 100_000)).rejects.toBeInstanceOf(StoreFullError);
    await backend.close();
  });
});
