/**
 * Reads what a container wrote, from its log file and those rotated away before it. Following, it goes on as the file grows and across
 * rotations, and ends when the container has ended and all that it wrote has been given. It holds one chunk in memory.
 */
import { watch } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
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
  const start = await startOf(options.path, options.tailLines);
  for (const { path, offset } of start.rotated) {
    for await (const lines of linesOf(path, offset, options.signal)) {
      const { output, full } = format(lines);
      if (output.length > 0) yield output;
      if (full) return;
    }
  }
  yield* readCurrent(options, start.offset, format);
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

async function* linesOf(path: string, offset: number, signal: AbortSignal): AsyncGenerator<readonly LogLine[]> {
  const file = await openIfThere(path);
  if (file === undefined) return;
  try {
    const splitter = new LineSplitter();
    for await (const chunk of chunksOf(file, offset, signal)) yield splitter.push(chunk);
  } finally {
    await file.close();
  }
}

async function* chunksOf(file: FileHandle, from: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let position = from; !signal.aborted; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkSize), 0, chunkSize, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function* readCurrent(options: ReadLogsOptions, from: number, format: Format): AsyncGenerator<Buffer> {
  const { path, signal, followUntil } = options;
  const changes = followUntil === undefined ? undefined : watchFolder(dirname(path), followUntil, signal);
  let file = await openIfThere(path);
  try {
    let splitter = new LineSplitter();
    let position = from;
    while (!signal.aborted) {
      // Asked before reading: what is written until the end is then read below, and nothing comes after.
      const ended = changes === undefined || changes.ended();
      const seen = changes?.count() ?? 0;
      const rotated = file !== undefined && (await wasRotated(file, path));
      if (file !== undefined) {
        for await (const chunk of chunksOf(file, position, signal)) {
          position += chunk.length;
          const { output, full } = format(splitter.push(chunk));
          if (output.length > 0) yield output;
          if (full) return;
        }
      }
      if (rotated || file === undefined) {
        const next = await openIfThere(path);
        if (next !== undefined) {
          await file?.close();
          file = next;
          splitter = new LineSplitter();
          position = 0;
          continue;
        }
      }
      if (ended) return;
      await changes?.next(seen);
    }
  } finally {
    changes?.close();
    await file?.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function wasRotated(file: FileHandle, path: string): Promise<boolean> {
  const current = await openIfThere(path);
  if (current === undefined) return true;
  try {
    const [a, b] = await Promise.all([file.stat(), current.stat()]);
    return a.ino !== b.ino;
  } finally {
    await current.close();
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
  readonly rotated: readonly { readonly path: string; readonly offset: number }[];
  /** In the current file. */
  readonly offset: number;
}

async function startOf(path: string, tailLines: number | undefined): Promise<Start> {
  const files = await logFilesOf(path);
  if (tailLines === undefined) return { rotated: files.slice(0, -1).map((file) => ({ path: file, offset: 0 })), offset: 0 };
  let wanted = tailLines;
  const starts: { path: string; offset: number }[] = [];
  for (const file of files.toReversed()) {
    const { offset, found } = await tailOffset(file, wanted);
    starts.unshift({ path: file, offset });
    wanted -= found;
    if (wanted <= 0) break;
  }
  return { rotated: starts.slice(0, -1), offset: starts.at(-1)?.offset ?? 0 };
}

/** Where the last `lines` whole lines begin (pieces of one line count once), read from the end. */
async function tailOffset(path: string, lines: number): Promise<{ offset: number; found: number }> {
  const file = await openIfThere(path);
  if (file === undefined) return { offset: 0, found: 0 };
  try {
    const { size } = await file.stat();
    if (lines <= 0) return { offset: size, found: 0 };
    let found = 0;
    let after = Buffer.alloc(0);
    let begin = size;
    let lineStart = size;
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
  } finally {
    await file.close();
  }
}

function trimFeed(line: Buffer): Buffer {
  return line.at(-1) === 0x0a ? line.subarray(0, -1) : line;
}
