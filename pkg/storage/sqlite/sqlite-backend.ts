/**
 * The embedded store: a SQLite file (WAL, synchronous=FULL) that a thread of its own reads and writes, so that no fsync stalls
 * the event loop. The commits of one turn of the loop are one transaction; while it is being written the next one gathers.
 * Compare-and-set is decided in the thread, which does one thing at a time: each commit sees all before it in its group,
 * readers see whole groups only, and a group that fails fails all that is in it. One process owns the file.
 */
import { Worker } from 'node:worker_threads';
import {
  type Backend,
  ClosedError,
  type Commit,
  type CommitResult,
  CompactedError,
  checkCommit,
  FutureRevisionError,
  type History,
  type ListOptions,
  type ListResult,
  OutcomeUnknownError,
  type Revision,
  type StoredValue,
  type StoreEvent,
  StoreFullError,
  type WatchBatch,
} from '../backend.ts';
import { type LogPage, WatchHub } from '../watch-hub.ts';
import type { PackedCommit, PackedError, PackedVersion, Replies, Reply, Request, WorkerOptions } from './protocol.ts';

export interface SqliteOptions {
  /** The database file; its folder exists. Beside it stand `-wal` and `.owner` (the process that has it open). */
  readonly path: string;
  /** How much may wait for one watcher, about bytes. */
  readonly maximumPendingBytes?: number;
}

interface Waiting {
  readonly commit: Commit;
  readonly bytes: number;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: Error) => void;
}

interface Asked {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

/** Bounds of one transaction, so that its answers do not stall the event loop: what comes on top goes into the next. */
const groupCommits = 64;
const groupBytes = 16 * 1024 * 1024;

/** Opens the store, making it if there is none. Throws an error that says who has it open, or why it cannot be read. */
export async function openSqlite(options: SqliteOptions): Promise<SqliteBackend> {
  return await SqliteBackend.open(options);
}

/** See `StorageDriver.carryOn`. */
export async function carryOnSqlite(options: SqliteOptions, history: History): Promise<void> {
  const backend = await SqliteBackend.open(options, history);
  await backend.close();
}

export class SqliteBackend implements Backend {
  readonly incarnation: string;
  readonly #thread: Worker;
  readonly #hub: WatchHub;
  readonly #asked = new Map<number, Asked>();
  #nextId = 1;
  #gathering: Waiting[] = [];
  #writing = false;
  #scheduled = false;
  #closing: Promise<void> | undefined;
  #failure: Error | undefined;
  #idle: (() => void) | undefined;

  /** Use `openSqlite`. */
  static async open(options: SqliteOptions, history?: History): Promise<SqliteBackend> {
    const workerData: WorkerOptions = { path: options.path, ...(history === undefined ? {} : { history }) };
    const thread = new Worker(new URL('./sqlite-worker.mjs', import.meta.url), { workerData, name: 'sqlite' });
    const first = await new Promise<Reply>((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', reject);
      thread.once('exit', (code) => reject(new Error(`the store's thread ended with code ${code} before it had opened ${options.path}`)));
    });
    for (const event of ['message', 'error', 'exit']) thread.removeAllListeners(event);
    if (first.type === 'opened') return new SqliteBackend(thread, first.incarnation, first.revision, options);
    await thread.terminate();
    throw new Error(first.type === 'refused' ? first.message : `the store ${options.path} did not open`);
  }

  private constructor(thread: Worker, incarnation: string, revision: Revision, options: SqliteOptions) {
    this.#thread = thread;
    this.incarnation = incarnation;
    this.#hub = new WatchHub(revision, options.maximumPendingBytes);
    thread.on('message', (reply: Reply) => this.#receive(reply));
    thread.on('error', (error) => this.#fail(`the store's thread ended: ${error.message}`));
    thread.on('exit', (code) => {
      if (this.#closing === undefined) this.#fail(`the store's thread ended with code ${code}`);
    });
  }

  async get(key: string): Promise<{ readonly item: StoredValue | undefined; readonly revision: Revision }> {
    this.#checkOpen();
    const { item, revision, data } = await this.#ask({ type: 'get', key });
    return { item: new Unpacker(data).version(key, item), revision };
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    this.#checkOpen();
    const start = options.start !== undefined && options.start > prefix ? options.start : prefix;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#listPages(start, endOf(prefix), options);
      } catch (error) {
        // The newest was asked for, and compacted between two pages of the reply: begin anew with what is now the newest.
        if (!(error instanceof CompactedError) || options.revision !== undefined || attempt === 3) throw error;
      }
    }
  }

  async #listPages(start: string, end: string, options: ListOptions): Promise<ListResult> {
    const items: StoredValue[] = [];
    const limit = options.limit ?? Number.MAX_SAFE_INTEGER;
    const counting = options.limit !== undefined && options.count !== false;
    let revision = options.revision ?? 0;
    let from = start;
    let count: number | undefined;
    for (;;) {
      const page = await this.#ask({
        type: 'list',
        start: from,
        end,
        revision,
        limit: limit - items.length,
        count: counting && count === undefined,
      });
      count ??= page.count;
      revision = page.revision;
      const unpacker = new Unpacker(page.data);
      for (const [key, ...version] of page.items) items.push(unpacker.version(key, version));
      if (page.next === undefined || items.length >= limit) {
        return { items, revision, more: page.next !== undefined, count: counting ? count : items.length };
      }
      from = page.next;
    }
  }

  async commit(commit: Commit): Promise<CommitResult> {
    checkCommit(commit);
    this.#checkOpen();
    return await new Promise<CommitResult>((resolve, reject) => {
      const bytes = commit.ops.reduce((sum, op) => sum + (op.type === 'put' ? op.value.length : 0), 0);
      this.#gathering.push({ commit, bytes, resolve, reject });
      if (!this.#writing) this.#writeSoon();
    });
  }

  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<WatchBatch> {
    return this.#hub.watch(prefix, after, signal, (under, from) => this.#readLog(under, from));
  }

  get newest(): Revision | undefined {
    return this.#closing === undefined && this.#failure === undefined ? this.#hub.revision : undefined;
  }

  async revision(): Promise<Revision> {
    this.#checkOpen();
    // No other process writes: what this thread was told last is the newest.
    return this.#hub.revision;
  }

  async compact(revision: Revision): Promise<void> {
    this.#checkOpen();
    await this.#ask({ type: 'compact', revision });
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#hub.close();
    if (this.#failure === undefined && (this.#writing || this.#gathering.length > 0)) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    if (this.#failure === undefined) await this.#ask({ type: 'close' });
    await this.#thread.terminate();
  }

  /** When this turn of the event loop is over: what else it brings goes into the same group. */
  #writeSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#writeGroup();
    });
  }

  #writeGroup(): void {
    if (this.#writing || this.#gathering.length === 0 || this.#failure !== undefined) return;
    let bytes = 0;
    let size = 0;
    for (const waiting of this.#gathering) {
      if (size >= groupCommits || (size > 0 && bytes + waiting.bytes > groupBytes)) break;
      bytes += waiting.bytes;
      size++;
    }
    const group = this.#gathering.splice(0, size);
    const data = new Uint8Array(bytes);
    let at = 0;
    const commits = group.map(({ commit }): PackedCommit => {
      const ops = commit.ops.map((op) => {
        if (op.type === 'delete') return [op.key, -1] as const;
        data.set(op.value, at);
        at += op.value.length;
        return [op.key, op.value.length] as const;
      });
      return { compare: commit.compare.map(({ key, revision }) => [key, revision] as const), ops };
    });
    this.#writing = true;
    this.#ask({ type: 'commit', commits, data }, [data.buffer]).then(
      (reply) => this.#settle(group, reply),
      (error: Error) => {
        for (const waiting of group) waiting.reject(error);
        this.#written();
      },
    );
  }

  /** Tells watchers, then writers, what has become durable. */
  #settle(group: readonly Waiting[], { results, revision, data }: Replies['commit']): void {
    const unpacker = new Unpacker(data);
    const events: StoreEvent[] = [];
    const outcomes = group.map(({ commit }, index): CommitResult => {
      const result = results[index];
      if (result === undefined) throw new Error('the store answered fewer commits than it was given');
      if ('current' in result) {
        return { committed: false, current: result.current.map((version, at) => unpacker.version(commit.compare[at]?.key ?? '', version)) };
      }
      for (const [at, op] of commit.ops.entries()) {
        const previous = unpacker.version(op.key, result.previous[at]);
        if (op.type === 'put') {
          events.push({
            type: 'put',
            key: op.key,
            value: op.value,
            revision: result.revision,
            createRevision: previous?.createRevision ?? result.revision,
            previous,
          });
        } else if (previous !== undefined) {
          events.push({ type: 'delete', key: op.key, revision: result.revision, previous });
        }
      }
      return { committed: true, revision: result.revision };
    });
    this.#hub.publish(events, revision);
    for (const [index, waiting] of group.entries()) waiting.resolve(outcomes[index] as CommitResult);
    this.#written();
  }

  #written(): void {
    this.#writing = false;
    if (this.#gathering.length > 0) this.#writeSoon();
    else this.#idle?.();
  }

  async #readLog(prefix: string, after: Revision): Promise<LogPage> {
    const { events, revision, data } = await this.#ask({ type: 'log', start: prefix, end: endOf(prefix), after });
    const unpacker = new Unpacker(data);
    return {
      revision,
      events: events.map(({ item: [key, own, createRevision, length], previous: before }): StoreEvent => {
        const item = unpacker.version(key, length < 0 ? undefined : [own, createRevision, length]);
        const previous = unpacker.version(key, before);
        if (item !== undefined) return { type: 'put', ...item, previous };
        if (previous === undefined) throw new Error(`the log of the store has a deletion of ${key} at ${own}, but not what was deleted`);
        return { type: 'delete', key, revision: own, previous };
      }),
    };
  }

  async #ask<T extends Request>(request: T, transfer: readonly ArrayBuffer[] = []): Promise<Replies[T['type']]> {
    if (this.#failure !== undefined) throw this.#failure;
    return await new Promise<Replies[T['type']]>((resolve, reject) => {
      const id = this.#nextId++;
      this.#asked.set(id, { resolve, reject });
      this.#thread.postMessage({ id, request }, transfer);
    });
  }

  #receive(reply: Reply): void {
    if (reply.type === 'failed') this.#fail(reply.message);
    if (reply.type !== 'reply') return;
    const asked = this.#asked.get(reply.id);
    this.#asked.delete(reply.id);
    if ('error' in reply) asked?.reject(unpackError(reply.error));
    else asked?.resolve(reply.result as never);
  }

  /** What was asked and not answered may or may not have been done; from now on everything is refused. */
  #fail(message: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = new OutcomeUnknownError(`${message}; start the server again`);
    this.#hub.fail(this.#failure);
    for (const { reject } of this.#asked.values()) reject(this.#failure);
    this.#asked.clear();
    for (const { reject } of this.#gathering.splice(0)) reject(this.#failure);
    this.#idle?.();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError('the store is closed');
    if (this.#failure !== undefined) throw new ClosedError(this.#failure.message);
  }
}

/** Takes values out of a reply's data in the order in which they were put there. */
class Unpacker {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  version(key: string, version: PackedVersion): StoredValue;
  version(key: string, version: PackedVersion | undefined): StoredValue | undefined;
  version(key: string, version: PackedVersion | undefined): StoredValue | undefined {
    if (version === undefined) return undefined;
    const [revision, createRevision, length] = version;
    const value = Buffer.from(this.#data.buffer as ArrayBuffer, this.#data.byteOffset + this.#at, length);
    this.#at += length;
    return { key, value, revision, createRevision };
  }
}

/** The first key after all that begin with the prefix (keys are printable ASCII). */
function endOf(prefix: string): string {
  return prefix === '' ? '\x7f' : prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

function unpackError({ kind, message, revision = 0 }: PackedError): Error {
  if (kind === 'full') return new StoreFullError(message);
  if (kind === 'unknown') return new OutcomeUnknownError(message);
  if (kind === 'compacted') return new CompactedError(revision);
  if (kind === 'future') return new FutureRevisionError(revision);
  return new Error(message);
}
