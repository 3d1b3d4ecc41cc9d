/**
 * The store in memory: for tests, for `berth/testing`, and as the plain statement of what the others must do. Nothing is
 * durable. Each key has its history, oldest first; a commit is done in one step, so there is never anything pending.
 */
import { randomUUID } from 'node:crypto';
import {
  type Backend,
  ClosedError,
  type Commit,
  type CommitResult,
  checkCommit,
  FutureRevisionError,
  type ListOptions,
  type ListResult,
  type Revision,
  type StoredValue,
  type StoreEvent,
  type WatchBatch,
} from '../backend.ts';
import { OrderedList } from '../ordered-list.ts';
import { checkReadable, type LogPage, WatchHub } from '../watch-hub.ts';

export interface MemoryBackendOptions {
  /** How much may wait for one watcher, about bytes. */
  readonly maximumPendingBytes?: number;
}

/** A key and what it was, oldest first. The last one is what it is. */
interface History {
  readonly key: string;
  versions: Version[];
}

/** `item` undefined: deleted by this revision. */
interface Version {
  readonly revision: Revision;
  readonly item: StoredValue | undefined;
}

/** How many events a page of the log has at least, if there are so many. */
const pageEvents = 1000;

export class MemoryBackend implements Backend {
  readonly incarnation = randomUUID();
  readonly #keys = new OrderedList<History>();
  readonly #hub: WatchHub;
  #log: StoreEvent[] = [];
  #compactRevision: Revision = 0;
  #closed = false;

  constructor(options: MemoryBackendOptions = {}) {
    this.#hub = new WatchHub(1, options.maximumPendingBytes);
  }

  async get(key: string): Promise<{ readonly item: StoredValue | undefined; readonly revision: Revision }> {
    this.#checkOpen();
    return { item: this.#newest(key), revision: this.#hub.revision };
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    this.#checkOpen();
    const revision = options.revision ?? this.#hub.revision;
    if (options.revision !== undefined) checkReadable(revision, this.#compactRevision, this.#hub.revision);
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    const start = options.start !== undefined && options.start > prefix ? options.start : prefix;
    const items: StoredValue[] = [];
    let count = 0;
    for (const { key, versions } of this.#keys.range(start)) {
      if (!key.startsWith(prefix)) break;
      const item = versions.findLast((version) => version.revision <= revision)?.item;
      if (item === undefined) continue;
      count++;
      if (items.length < limit) items.push(item);
    }
    return { items, revision, more: count > items.length, count };
  }

  async commit(commit: Commit): Promise<CommitResult> {
    checkCommit(commit);
    this.#checkOpen();
    const current = commit.compare.map(({ key }) => this.#newest(key));
    if (commit.compare.some((compare, index) => (current[index]?.revision ?? 0) !== compare.revision)) return { committed: false, current };
    const revision = this.#hub.revision + 1;
    const events: StoreEvent[] = [];
    for (const op of commit.ops) {
      const previous = this.#newest(op.key);
      if (op.type === 'put') {
        const item = { key: op.key, value: op.value, revision, createRevision: previous?.createRevision ?? revision };
        this.#append(op.key, { revision, item });
        events.push({ type: 'put', ...item, previous });
      } else if (previous !== undefined) {
        this.#append(op.key, { revision, item: undefined });
        events.push({ type: 'delete', key: op.key, revision, previous });
      }
    }
    if (events.length === 0) return { committed: true, revision: this.#hub.revision };
    this.#log.push(...events);
    this.#hub.publish(events, revision);
    return { committed: true, revision };
  }

  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<WatchBatch> {
    return this.#hub.watch(prefix, after, signal, async (under, from) => this.#page(under, from));
  }

  async revision(): Promise<Revision> {
    this.#checkOpen();
    return this.#hub.revision;
  }

  async compact(revision: Revision): Promise<void> {
    this.#checkOpen();
    if (revision > this.#hub.revision) throw new FutureRevisionError(this.#hub.revision);
    if (revision <= this.#compactRevision) return;
    this.#compactRevision = revision;
    const kept = this.#log.findIndex((event) => event.revision > revision);
    const touched = this.#log.splice(0, kept < 0 ? this.#log.length : kept);
    for (const { key } of touched) {
      const history = this.#keys.get(key);
      if (history === undefined) continue;
      const newest = history.versions.findLastIndex((version) => version.revision <= revision);
      const from = newest >= 0 && history.versions[newest]?.item === undefined ? newest + 1 : Math.max(0, newest);
      if (from === history.versions.length) this.#keys.delete(key);
      else if (from > 0) history.versions = history.versions.slice(from);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#hub.close();
  }

  #newest(key: string): StoredValue | undefined {
    return this.#keys.get(key)?.versions.at(-1)?.item;
  }

  #append(key: string, version: Version): void {
    const history = this.#keys.get(key);
    if (history === undefined) this.#keys.set({ key, versions: [version] });
    else history.versions.push(version);
  }

  #page(prefix: string, after: Revision): LogPage {
    checkReadable(after, this.#compactRevision, this.#hub.revision);
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#log[middle]?.revision ?? 0) <= after) low = middle + 1;
      else high = middle;
    }
    const events: StoreEvent[] = [];
    for (let index = low; index < this.#log.length; index++) {
      const event = this.#log[index] as StoreEvent;
      const before = events.at(-1);
      if (events.length >= pageEvents && before !== undefined && before.revision !== event.revision)
        return { events, revision: before.revision };
      if (event.key.startsWith(prefix)) events.push(event);
    }
    return { events, revision: this.#hub.revision };
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('the store is closed');
  }
}
