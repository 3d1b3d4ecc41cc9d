/**
 * The store on etcd, for a cluster of servers. One transaction a commit, many in flight; reads are linearizable; watches and lost replies
 * are the business of `etcd-watch.ts` and `etcd-writer.ts`. Invariant: an outage of etcd ends nothing here: writes and reads fail with a
 * clear error after a while, watches wait. What etcd acknowledges or shows is on the disks of most of its members.
 */
import type { Registry } from 'prom-client';
import { type Clock, systemClock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import { type Logger, silentLogger } from '#base/logging';
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
  type Revision,
  type StoredValue,
  type WatchBatch,
} from '../backend.ts';
import { internalKey } from '../keys.ts';
import { encodeJson } from '../values.ts';
import { defaultPendingBytes } from '../watch-hub.ts';
import { EtcdConnection, type EtcdSecrets } from './etcd-connection.ts';
import { EtcdError } from './etcd-error.ts';
import type { EtcdTls } from './etcd-member.ts';
import { createEtcdMetrics, type EtcdObserver } from './etcd-metrics.ts';
import { checkVersion, readStatus } from './etcd-status.ts';
import { watchEtcd } from './etcd-watch.ts';
import { EtcdWriter } from './etcd-writer.ts';
import type { RangeRequest, RangeResponse } from './generated/etcd.ts';
import type { Keyspace } from './keyspace.ts';
import { carryOn, openRecord, rangeOf, recordKey } from './store-record.ts';
import { WatchConnection } from './watch-connection.ts';

export interface EtcdOptions extends EtcdTls {
  /** `https://HOST:PORT`, `http://HOST:PORT` or `unix:///PATH`: members of one cluster, in the order in which they are tried. */
  readonly endpoints: readonly string[];
  /** Where etcd's authentication is enabled. */
  readonly user?: string;
  readonly password?: string;
  /** Before every key, so that several clusters may share an etcd; none unless given. */
  readonly prefix?: string;
  /** How much may wait for one watcher, about bytes. */
  readonly maximumPendingBytes?: number;
  /** Reads anew what files may have been changed since: certificates, password. */
  readonly refresh?: () => Promise<EtcdSecrets>;
  /** For the store's metrics; there are none unless given. */
  readonly registry?: Registry;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** Items of the first page of a list, when nothing is known of their size, and of any. */
const firstPage = 50;
const maximumPage = 5_000;
/** About how many bytes a page has. */
const pageBytes = 4 * 1024 * 1024;

const progressKey = internalKey('store', 'progress');

/** Opens the store, making it if there is none. Throws an error that says what is in the way. */
export async function openEtcd(options: EtcdOptions): Promise<EtcdBackend> {
  const connection = connect(options);
  try {
    const [{ incarnation, keyspace }] = await Promise.all([openRecord(connection, options.prefix ?? ''), checkStatus(connection, options)]);
    return new EtcdBackend(connection, keyspace, incarnation, options);
  } catch (error) {
    connection.close();
    // Nobody has asked for anything yet: this is for the operator, not for a client of the API.
    throw error instanceof StatusError ? new Error(error.message.replace(/; try again when it does$/, ''), { cause: error }) : error;
  }
}

/** Throws for a version that is too old; warns of alarms. What cannot be asked is passed over: reading the record says why. */
async function checkStatus(connection: EtcdConnection, { log = silentLogger }: EtcdOptions): Promise<void> {
  const status = await readStatus(connection).catch((error: unknown) => {
    log.debug('etcd does not say its version', { error: messageOf(error) });
    return undefined;
  });
  if (status === undefined) return;
  checkVersion(status.version);
  if (status.errors.length > 0) log.warn('etcd has an alarm; see "etcdctl alarm list"', { errors: status.errors });
}

/** See `StorageDriver.carryOn`. */
export async function carryOnEtcd(options: EtcdOptions, history: History): Promise<void> {
  const connection = connect(options);
  try {
    await carryOn(connection, options.prefix ?? '', history);
  } finally {
    connection.close();
  }
}

function connect(options: EtcdOptions): EtcdConnection {
  return new EtcdConnection({ ...options, clock: options.clock ?? systemClock, log: options.log ?? silentLogger });
}

export class EtcdBackend implements Backend {
  readonly incarnation: string;
  readonly #connection: EtcdConnection;
  readonly #keyspace: Keyspace;
  readonly #options: EtcdOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #writer: EtcdWriter;
  readonly #running = new Set<Promise<unknown>>();
  readonly #observer: EtcdObserver | undefined;
  #closing: Promise<void> | undefined;

  /** Use `openEtcd`. */
  constructor(connection: EtcdConnection, keyspace: Keyspace, incarnation: string, options: EtcdOptions) {
    this.#connection = connection;
    this.#keyspace = keyspace;
    this.incarnation = incarnation;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLogger;
    this.#observer =
      options.registry === undefined
        ? undefined
        : createEtcdMetrics(options.registry, async () => Number((await readStatus(connection)).dbSize));
    this.#writer = new EtcdWriter({
      connection,
      keyspace,
      clock: this.#clock,
      watch: (prefix, after, signal) => this.watch(prefix, after, signal),
    });
  }

  async get(key: string): Promise<{ readonly item: StoredValue | undefined; readonly revision: Revision }> {
    return await this.#run('get', async () => {
      await this.#writer.settled();
      const { kvs, header } = await this.#range(rangeOf(this.#keyspace.key(key)));
      const [item] = kvs;
      return {
        item: item === undefined ? undefined : this.#keyspace.value(item),
        revision: this.#keyspace.fromEtcd(header?.revision ?? 0n),
      };
    });
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    return await this.#run('list', async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#listPages(prefix, options);
        } catch (error) {
          // The newest was asked for, and compacted between two pages of the reply: begin anew with what is now the newest.
          if (!(error instanceof CompactedError) || options.revision !== undefined || attempt === 3) throw error;
        }
      }
    });
  }

  async commit(commit: Commit): Promise<CommitResult> {
    checkCommit(commit);
    return await this.#run('txn', () => this.#writer.commit(commit));
  }

  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<WatchBatch> {
    return watchEtcd(
      {
        connection: this.#connection,
        keyspace: this.#keyspace,
        prefix,
        maximumPendingBytes: this.#options.maximumPendingBytes ?? defaultPendingBytes,
        clock: this.#clock,
        log: this.#log,
        revision: () => this.revision(),
        behind: () => this.#showProgress(prefix),
      },
      after,
      signal,
    );
  }

  async revision(): Promise<Revision> {
    return await this.#run('revision', async () => {
      const { header } = await this.#range({ ...rangeOf(this.#keyspace.key(recordKey)), countOnly: true });
      return this.#keyspace.fromEtcd(header?.revision ?? 0n);
    });
  }

  async compact(revision: Revision): Promise<void> {
    await this.#run('compact', async () => {
      const target = this.#keyspace.toEtcd(revision);
      if (target <= 0n) return;
      try {
        await this.#connection.ask((member) => member.kv.compact.bind(member.kv), { revision: target });
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (error.kind === 'compacted') return;
        if (error.kind === 'future') throw new FutureRevisionError(await this.revision());
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    const end = (): void => this.#connection.end(new ClosedError('the store is closed'));
    const limit = this.#clock.schedule(closeGrace, end);
    await Promise.allSettled(this.#running);
    await this.#writer.dispose();
    limit.cancel();
    end();
    this.#connection.close();
  }

  async #listPages(prefix: string, options: ListOptions): Promise<ListResult> {
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    const items: StoredValue[] = [];
    let range = this.#keyspace.range(prefix, options.start);
    let revision = options.revision;
    let count: number | undefined;
    let size = firstPage;
    for (;;) {
      if (revision !== undefined && revision < this.#keyspace.base) throw new CompactedError(this.#keyspace.base);
      const page = await this.#range(
        {
          ...range,
          limit: BigInt(Math.min(limit - items.length, size)),
          revision: revision === undefined ? 0n : this.#keyspace.toEtcd(revision),
          keysOnly: false,
          countOnly: false,
        },
        revision,
      );
      revision ??= this.#keyspace.fromEtcd(page.header?.revision ?? 0n);
      count ??= Number(page.count);
      let bytes = 0;
      for (const kv of page.kvs) {
        items.push(this.#keyspace.value(kv));
        bytes += kv.key.length + kv.value.length;
      }
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined || items.length >= limit) return { items, revision, more: page.more, count };
      size = Math.max(1, Math.min(maximumPage, Math.floor((pageBytes * page.kvs.length) / Math.max(1, bytes))));
      range = { key: Buffer.concat([last.key, Buffer.from([0])]), rangeEnd: range.rangeEnd };
    }
  }

  /** One read; `revision` is what was asked for, if anything was. */
  async #range(request: RangeRequest, revision?: Revision): Promise<RangeResponse> {
    try {
      return await this.#connection.ask((member) => member.kv.range.bind(member.kv), request);
    } catch (error) {
      if (!(error instanceof EtcdError) || revision === undefined) throw error;
      if (error.kind === 'future') throw new FutureRevisionError(await this.revision());
      if (error.kind === 'compacted') throw await this.#compacted(revision);
      throw error;
    }
  }

  /** etcd tells what it has compacted to those alone who watch from before it. */
  async #compacted(revision: Revision): Promise<CompactedError> {
    const target = { connection: this.#connection, keyspace: this.#keyspace, prefix: recordKey, maximumPendingBytes: defaultPendingBytes };
    const watch = await WatchConnection.open(target, revision);
    const limit = this.#clock.schedule(probeTimeout, () => watch.close());
    try {
      for (let taken = await watch.take(); taken !== undefined; ) taken = await watch.take();
    } catch (error) {
      if (error instanceof CompactedError) return error;
      throw error;
    } finally {
      limit.cancel();
      watch.close();
    }
    return new CompactedError(revision + 1);
  }

  /** Makes an event that comes after all that there is, for a watch that would otherwise not hear how far it is. */
  #showProgress(prefix: string): void {
    if (!progressKey.startsWith(prefix) || this.#closing !== undefined) return;
    this.commit({ compare: [], ops: [{ type: 'put', key: progressKey, value: encodeJson({}) }] }).catch((error: unknown) => {
      this.#log.debug('the progress of a watch could not be shown', { error: String(error) });
    });
  }

  /** Runs what `close` waits for. */
  async #run<T>(operation: string, action: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new ClosedError('the store is closed');
    this.#connection.checkOpen();
    const ended = this.#observer?.began(operation);
    const running = action();
    this.#running.add(running);
    let failed = true;
    try {
      const result = await running;
      failed = false;
      return result;
    } finally {
      this.#running.delete(running);
      ended?.(failed);
    }
  }
}

/** Milliseconds that what was accepted has at the end to come to one. */
const closeGrace = 5_000;
/** Milliseconds in which etcd says what it has compacted. */
const probeTimeout = 5_000;
