import { appendFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ManualClock } from '#base/manual-clock';
import { rotateIfLarge } from './log-rotation.ts';
import { type ReadLogsOptions, readLogs } from './read-logs.ts';

let root: string;
let folder: string;
let path: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'agent-logs-'));
  folder = join(root, 'web');
  await mkdir(folder);
  path = join(folder, '0.log');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const line = (text: string, second = 0, tag = 'F'): string =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000001Z stdout ${tag} ${text}\n`;

async function read(options: Partial<ReadLogsOptions> = {}): Promise<string> {
  const parts: Buffer[] = [];
  for await (const chunk of readLogs({ path, timestamps: false, signal: new AbortController().signal, ...options })) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

describe('reading a log', () => {
  test('joins the pieces of a long line', async () => {
    await writeFile(path, line('one ', 0, 'P') + line('line') + line('two'));
    expect(await read()).toBe('one line\ntwo\n');
    expect(await read({ timestamps: true })).toBe('2026-01-01T00:00:00.000000001Z one line\n2026-01-01T00:00:00.000000001Z two\n');
  });

  test('begins with the files that were rotated away', async () => {
    await writeFile(`${path}.20260101000000`, line('a'));
    await writeFile(`${path}.20260101000001`, line('b'));
    await writeFile(path, line('c'));
    expect(await read()).toBe('a\nb\nc\n');
    expect(await read({ tailLines: 2 })).toBe('b\nc\n');
    expect(await read({ tailLines: 9 })).toBe('a\nb\nc\n');
    expect(await read({ tailLines: 0 })).toBe('');
  });

  test('keeps to the limit and to the time', async () => {
    await writeFile(path, line('old', 1) + line('new', 2));
    expect(await read({ limitBytes: 2 })).toBe('ol');
    expect(await read({ sinceMilliseconds: Date.UTC(2026, 0, 1, 0, 0, 2) })).toBe('new\n');
  });

  test('of a container that wrote nothing is empty', async () => {
    expect(await read()).toBe('');
  });

  test('gives as a tail the end of what it gives as a whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.stringMatching(/^[ -~]{0,40}$/), fc.integer({ min: 1, max: 4000 })), { maxLength: 60 }),
        fc.nat({ max: 80 }),
        async (texts, tail) => {
          const lines = texts.map(([text, times]) => text.repeat(Math.ceil(times / 40)));
          await writeFile(path, lines.map((text) => line(text)).join(''));
          const whole = lines.map((text) => `${text}\n`);
          expect(await read({ tailLines: tail })).toBe(whole.slice(Math.max(0, whole.length - tail)).join(''));
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('following a log', () => {
  test('gives what is written later, across a rotation, and ends with the container', async () => {
    await writeFile(path, line('one'));
    let end: () => void = () => undefined;
    const followUntil = new Promise<void>((resolve) => {
      end = resolve;
    });
    const chunks = readLogs({ path, timestamps: false, followUntil, signal: new AbortController().signal });
    expect((await chunks.next()).value?.toString()).toBe('one\n');
    const second = chunks.next();
    await appendFile(path, line('two'));
    expect((await second).value?.toString()).toBe('two\n');
    const third = chunks.next();
    await rename(path, `${path}.20260101000000`);
    await writeFile(path, line('three'));
    expect((await third).value?.toString()).toBe('three\n');
    const rest = chunks.next();
    await appendFile(path, line('four'));
    end();
    expect((await rest).value?.toString()).toBe('four\n');
    expect((await chunks.next()).done).toBe(true);
  });

  test('loses nothing of files that were rotated away meanwhile, and reads none twice', async () => {
    await writeFile(path, line('one'));
    let end: () => void = () => undefined;
    const followUntil = new Promise<void>((resolve) => {
      end = resolve;
    });
    const chunks = readLogs({ path, timestamps: false, followUntil, signal: new AbortController().signal });
    expect((await chunks.next()).value?.toString()).toBe('one\n');
    for (const [index, text] of ['two', 'three'].entries()) {
      await appendFile(path, line(text));
      await rename(path, `${path}.2026010100000${index}`);
      await writeFile(path, '');
    }
    await appendFile(path, line('four'));
    end();
    const rest: string[] = [];
    for await (const chunk of chunks) rest.push(chunk.toString());
    expect(rest.join('')).toBe('two\nthree\nfour\n');
  });

  test('without following ends with what was there, though more is written all the time', async () => {
    await writeFile(path, line('x'.repeat(1000)).repeat(200));
    let size = 0;
    for await (const chunk of readLogs({ path, timestamps: false, signal: new AbortController().signal })) {
      size += chunk.length;
      await appendFile(path, line('y'.repeat(1000)).repeat(200));
    }
    expect(size).toBe(200 * 1001);
  });

  test('begins with the file that was current, though it is rotated away at once', async () => {
    await writeFile(`${path}.20260101000000`, line('x'.repeat(1000)).repeat(200));
    await writeFile(path, line('current'));
    const parts: string[] = [];
    for await (const chunk of readLogs({ path, timestamps: false, signal: new AbortController().signal })) {
      if (parts.length === 0) {
        await rename(path, `${path}.20260101000001`);
        await writeFile(path, line('later'));
      }
      parts.push(chunk.toString());
    }
    expect(parts.join('').endsWith('x\ncurrent\n')).toBe(true);
  });

  test('ends when it is told to', async () => {
    await writeFile(path, line('one'));
    const abort = new AbortController();
    const chunks = readLogs({ path, timestamps: false, followUntil: new Promise(() => undefined), signal: abort.signal });
    await chunks.next();
    const next = chunks.next();
    abort.abort();
    expect((await next).done).toBe(true);
  });
});

describe('rotation', () => {
  test('keeps so many files, the oldest going first', async () => {
    const clock = new ManualClock();
    for (let n = 0; n < 8; n++) {
      await writeFile(path, line(`round ${n}`));
      await rotateIfLarge(path, () => writeFile(path, ''), { clock, maximumSize: 45, maximumFiles: 3 });
      if (n % 2 === 0) await clock.advance(1000);
    }
    expect(await read()).toBe('round 6\nround 7\n');
  });

  test('keeps fewer of files that came out too large', async () => {
    const clock = new ManualClock();
    for (let n = 0; n < 5; n++) {
      await writeFile(path, line(`${n} ${'x'.repeat(400)}`));
      await rotateIfLarge(path, () => writeFile(path, ''), { clock, maximumSize: 100, maximumFiles: 5 });
      await clock.advance(1);
    }
    expect((await read()).match(/^\d/gm)).toEqual(['4']);
  });

  test('takes the name back when the runtime cannot open a new file', async () => {
    await writeFile(path, line('kept'));
    const refused = rotateIfLarge(path, () => Promise.reject(new Error('gone')), { clock: new ManualClock(), maximumSize: 1 });
    await expect(refused).rejects.toThrow('gone');
    expect(await read()).toBe('kept\n');
  });
});
