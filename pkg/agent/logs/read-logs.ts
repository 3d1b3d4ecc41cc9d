/**
 * Reads what a container wrote, from its log file and those rotated away before it. Following, it goes on as the file grows and across
 * rotations, and ends when the container has ended and all that it wrote has been given. It holds one chunk in memory.
 */
import { watch } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '#base/errors';
import { type LogLine, parseLogLine } from './log-line.ts';

export interface ReadLogsOptions {
  /** The container's current log file. */
  readonly path: string;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly limitBytes?: number;
  /** Milliseconds since 1970. */
  readonly sinceMilliseconds?: number;
  /** Absent: ends at the end of the file. Otherwise resolves when the container has ended. */
  readonly followUntil?: Promise<void>;
  readonly signal: AbortSignal;
}

const chunkSize = 64 * 1024;

/** Chunks of output. Ends early, without an error, when the signal aborts. */
export async function* readLogs(options: ReadLogsOptions): AsyncGenerator<Buffer> {
  const format = formatter(options);
  const { path, signal, followUntil } = options;
  const files = await openAll(path);
  try {
    const start = await startOf(files, options.tailLines);
    for (const [index, file] of files.entries()) {
      if (index < start.index) continue;
      const isLast = index === files.length - 1;
      if (isLast && followUntil !== undefined) break;
      // Who does not follow is given what was there when the question came, however fast more is written.
      const end = isLast ? start.end : Number.POSITIVE_INFINITY;
      const splitter = new LineSplitter();
      for await (const chunk of chunksOf(file, index === start.index ? start.offset : 0, end, signal)) {
        const { output, full } = format(splitter.push(chunk));
        if (output.length > 0) yield output;
        if (full) return;
      }
    }
    if (followUntil === undefined) return;
    const current = files.pop();
    yield* follow({ path, signal, until: followUntil }, current, start.index >= files.length ? start.offset : 0, format);
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

type Format = (lines: readonly LogLine[]) => { readonly output: Buffer; readonly full: boolean };

function formatter({ timestamps, limitBytes, sinceMilliseconds }: ReadLogsOptions): Format {
  let left = limitBytes ?? Number.POSITIVE_INFINITY;
  const begun = { stdout: false, stderr: false };
  return (lines) => {
    const parts: Buffer[] = [];
    for (const line of lines) {
      if (sinceMilliseconds !== undefined && Date.parse(line.time) < sinceMilliseconds) continue;
      if (timestamps && !begun[line.stream]) parts.push(Buffer.from(`${line.time} `));
      parts.push(line.text);
      if (!line.partial) parts.push(lineFeed);
      begun[line.stream] = line.partial;
    }
    const output = Buffer.concat(parts);
    const cut = output.length > left ? output.subarray(0, left) : output;
    left -= cut.length;
    return { output: cut, full: left <= 0 };
  };
}

const lineFeed = Buffer.from('\n');

/** Takes bytes and gives whole lines; what is no line yet is kept. */
class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): LogLine[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const lines: LogLine[] = [];
    let from = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
      const line = parseLogLine(bytes.subarray(from, end));
      if (line !== undefined) lines.push(line);
      from = end + 1;
    }
    this.#rest = Buffer.from(bytes.subarray(from));
    return lines;
  }
}

async function* chunksOf(file: FileHandle, from: number, end: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let position = from; position < end && !signal.aborted; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkSize), 0, Math.min(chunkSize, end - position), position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

interface Following {
  readonly path: string;
  readonly until: Promise<void>;
  readonly signal: AbortSignal;
}

/** Takes the file over and closes it. */
async function* follow(
  { path, until, signal }: Following,
  current: FileHandle | undefined,
  from: number,
  format: Format,
): AsyncGenerator<Buffer> {
  const changes = watchFolder(dirname(path), until, signal);
  let file = current;
  let splitter = new LineSplitter();
  let position = from;
  try {
    while (!signal.aborted) {
      // Both asked before reading: what was written until then is read below, and nothing comes after.
      const ended = changes.ended();
      const seen = changes.count();
      const next = await fileAfter(file, path);
      try {
        if (file !== undefined) {
          for await (const chunk of chunksOf(file, position, Number.POSITIVE_INFINITY, signal)) {
            position += chunk.length;
            const { output, full } = format(splitter.push(chunk));
            if (output.length > 0) yield output;
            if (full) return;
          }
        }
      } finally {
        if (next !== undefined) {
          await file?.close();
          file = next;
          splitter = new LineSplitter();
          position = 0;
        }
      }
      if (next !== undefined) continue;
      if (ended) return;
      await changes.next(seen);
    }
  } finally {
    changes.close();
    await file?.close();
  }
}

/** All files of a log, oldest first, held open: what is renamed or removed meanwhile is still read, and once. */
async function openAll(path: string): Promise<FileHandle[]> {
  for (let attempt = 0; ; attempt++) {
    const names = await logFilesOf(path);
    const files = (await Promise.all(names.map(openIfThere))).filter((file) => file !== undefined);
    // A rotation in between would show one file twice and another not at all.
    if (attempt === 5 || (await logFilesOf(path)).join() === names.join()) return files;
    await Promise.all(files.map((file) => file.close()));
  }
}

/** The file that was begun after this one; undefined as long as there is none. */
async function fileAfter(file: FileHandle | undefined, path: string): Promise<FileHandle | undefined> {
  if (file === undefined) return await openIfThere(path);
  const { ino } = await file.stat();
  if ((await inodeOf(path)) === ino) return undefined;
  const names = await logFilesOf(path);
  const inodes = await Promise.all(names.map(inodeOf));
  // One that is no longer among them was too old to be kept, as those before the first are.
  for (const name of names.slice(inodes.indexOf(ino) + 1)) {
    const next = await openIfThere(name);
    if (next !== undefined) return next;
  }
  return undefined;
}

async function inodeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ ino }) => ino,
    () => undefined,
  );
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

interface Changes {
  ended(): boolean;
  count(): number;
  /** Resolves when there was a change since the count was `seen`, or the container ended, or the signal aborted. */
  next(seen: number): Promise<void>;
  close(): void;
}

function watchFolder(folder: string, until: Promise<void>, signal: AbortSignal): Changes {
  let count = 0;
  let ended = false;
  let wake: () => void = () => undefined;
  const tell = (): void => {
    count++;
    wake();
  };
  const watcher = watch(folder, { persistent: false }, tell);
  // The folder goes with its pod: then there is no more to come.
  watcher.on('error', () => {
    ended = true;
    tell();
  });
  void until.then(() => {
    ended = true;
    tell();
  });
  signal.addEventListener('abort', tell, { once: true });
  return {
    ended: () => ended,
    count: () => count,
    next: (seen) =>
      new Promise((resolve) => {
        if (count !== seen || signal.aborted) resolve();
        else wake = resolve;
      }),
    close: () => {
      signal.removeEventListener('abort', tell);
      watcher.close();
    },
  };
}

/** The files of one log, oldest first; the last is the current one, which may not be there. */
export async function logFilesOf(path: string): Promise<readonly string[]> {
  const name = basename(path);
  const entries = await readdir(dirname(path)).catch(() => []);
  const rotated = entries.filter((entry) => entry.startsWith(`${name}.`)).toSorted();
  return [...rotated.map((entry) => join(dirname(path), entry)), path];
}

interface Start {
  /** Of the first file to read. */
  readonly index: number;
  /** In that file. */
  readonly offset: number;
  /** Of the last file, now. */
  readonly end: number;
}

async function startOf(files: readonly FileHandle[], tailLines: number | undefined): Promise<Start> {
  const end = (await files.at(-1)?.stat())?.size ?? 0;
  let wanted = tailLines ?? Number.POSITIVE_INFINITY;
  if (tailLines === undefined) return { index: 0, offset: 0, end };
  for (let index = files.length - 1; index >= 0; index--) {
    const { offset, found } = await tailOffset(files[index]!, wanted, index === files.length - 1 ? end : undefined);
    wanted -= found;
    if (wanted <= 0) return { index, offset, end };
  }
  return { index: 0, offset: 0, end };
}

/** Where the last `lines` whole lines begin (pieces of one line count once), read from the end, which is `size` where it is given. */
async function tailOffset(file: FileHandle, lines: number, size?: number): Promise<{ offset: number; found: number }> {
  const last = size ?? (await file.stat()).size;
  if (lines <= 0) return { offset: last, found: 0 };
  let found = 0;
  let after = Buffer.alloc(0);
  let begin = last;
  let lineStart = last;
  while (begin > 0) {
    const length = Math.min(chunkSize, begin);
    begin -= length;
    const { buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, begin);
    const bytes = Buffer.concat([buffer, after]);
    let end = bytes.length;
    for (let feed = bytes.lastIndexOf(0x0a, end - 1); feed >= 0; feed = feed === 0 ? -1 : bytes.lastIndexOf(0x0a, feed - 1)) {
      const line = bytes.subarray(feed + 1, end);
      if (line.length > 0) {
        if (parseLogLine(trimFeed(line))?.partial === false && ++found > lines) return { offset: lineStart, found: lines };
        lineStart = begin + feed + 1;
      }
      end = feed + 1;
    }
    after = Buffer.from(bytes.subarray(0, end));
  }
  if (after.length > 0 && parseLogLine(trimFeed(after))?.partial === false && ++found > lines) return { offset: lineStart, found: lines };
  return { offset: 0, found };
}

function trimFeed(line: Buffer): Buffer {
  return line.at(-1) === 0x0a ? line.subarray(0, -1) : line;
}
