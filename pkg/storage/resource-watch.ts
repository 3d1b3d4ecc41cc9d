/**
 * The watchers of one resource, and the fan-out to them. Those that ask for the same share one log; an event goes only into the logs of
 * those who ask for something that it has (its name, its namespace, an index value, a label), as a reference to the one shared event.
 */
import type { Revision } from './backend.ts';
import { EventLog, type EventReader } from './event-log.ts';
import type { Taken } from './event-queue.ts';
import { itemKey } from './keys.ts';
import type { Indexer, IndexQuery } from './object-index.ts';
import type { CacheEvent } from './watch-event.ts';

/** A batch of a watch; `initialEnd` marks the last one of the initial events. Watches that are equally far get the same list of events. */
export interface ResourceWatchBatch extends Taken<CacheEvent> {
  readonly initialEnd: boolean;
}

/** One consumer reads it. It ends when its signal aborts or the cache starts anew (both return). */
export interface ResourceWatch extends AsyncIterable<ResourceWatchBatch> {
  /**
   * The revision up to which everything has been taken by the consumer: what a bookmark may say once the consumer has
   * passed on all that it took. Moves on while nothing happens to this resource.
   */
  progress(): Revision;
}

/** What a watcher asks for. All that is given must hold. */
export interface WatchScope {
  readonly namespace?: string | undefined;
  /** Only events of objects that have, or had before the event, this index value. */
  readonly index?: IndexQuery | undefined;
  /** Only events for which this is true (before they take up room). Pure. */
  readonly filter?: ((event: CacheEvent) => boolean) | undefined;
  /** Says what the filter lets through: watchers with the same key (and namespace and index) share its work. Unless given, nobody else has this filter. */
  readonly filterKey?: string | undefined;
  /** What every event has that passes the filter, before or after: with it the filter is not asked about the others. */
  readonly only?: { readonly name: string } | { readonly label: string; readonly value: string } | undefined;
}

interface Group {
  readonly key: string | undefined;
  readonly bucket: string;
  readonly namespacePrefix: string | undefined;
  readonly filter: ((event: CacheEvent) => boolean) | undefined;
  readonly log: EventLog<CacheEvent>;
}

export interface OpenedWatch {
  readonly reader: EventReader<CacheEvent>;
  /** Ends the reader. */
  release(): void;
}

export class WatcherSet {
  readonly #maximumPendingBytes: number;
  readonly #groups = new Set<Group>();
  readonly #byKey = new Map<string, Group>();
  /** Groups by the one thing by which they are found. */
  readonly #buckets = new Map<string, Set<Group>>();
  /** Buckets of each sort: what nobody watches by is not looked up. */
  readonly #sorts = new Map<string, number>();
  readonly #touched = new Set<EventLog<CacheEvent>>();
  #size = 0;

  constructor(maximumPendingBytes: number) {
    this.#maximumPendingBytes = maximumPendingBytes;
  }

  get size(): number {
    return this.#size;
  }

  /** A reader of all events that are dispatched from now on and are in the scope; `revision` is what it knows already. */
  open(scope: WatchScope, revision: Revision): OpenedWatch {
    const group = this.#groupFor(scope, revision);
    const reader = group.log.open(revision);
    this.#size++;
    let open = true;
    return {
      reader,
      release: () => {
        reader.end();
        if (!open) return;
        open = false;
        this.#size--;
        if (group.log.readers === 0) this.#remove(group);
      },
    };
  }

  /** Hands the event to whom it concerns; `indexers` are those by which there may be watchers. */
  dispatch(event: CacheEvent, indexers: readonly Indexer[]): void {
    if (this.#groups.size === 0) return;
    this.#give(wide, event);
    if (this.#sorts.has('namespace')) this.#give(bucketKey('namespace', event.key.slice(0, event.key.indexOf('/') + 1)), event);
    if (this.#sorts.has('name')) this.#give(bucketKey('name', event.key), event);
    if (this.#sorts.has('index')) {
      for (const key of indexKeys(event, indexers)) this.#give(key, event);
    }
    if (this.#sorts.has('label')) {
      for (const key of labelKeys(event)) this.#give(key, event);
    }
  }

  /** Lets those that were given something since the last call take it. */
  advance(revision: Revision): void {
    for (const log of this.#touched) log.advance(revision);
    this.#touched.clear();
  }

  /** Ends all watches; those that are opened from now on begin anew. */
  end(): void {
    for (const { log } of this.#groups) log.end();
    for (const map of [this.#groups, this.#byKey, this.#buckets, this.#sorts, this.#touched]) map.clear();
  }

  #give(bucket: string, event: CacheEvent): void {
    for (const { namespacePrefix, filter, log } of this.#buckets.get(bucket) ?? []) {
      if (namespacePrefix !== undefined && !event.key.startsWith(namespacePrefix)) continue;
      if (filter !== undefined && !filter(event)) continue;
      log.push(event, event.last.bytes.length);
      this.#touched.add(log);
    }
  }

  #groupFor({ namespace, index, filter, filterKey, only }: WatchScope, revision: Revision): Group {
    const namespacePrefix = namespace === undefined ? undefined : itemKey({ namespace, name: '' });
    const key =
      filter !== undefined && filterKey === undefined
        ? undefined
        : [namespacePrefix ?? '', index?.name ?? '', index?.value ?? '', filterKey ?? ''].join('\0');
    const known = key === undefined ? undefined : this.#byKey.get(key);
    if (known !== undefined) return known;
    let bucket = wide;
    if (index !== undefined) bucket = bucketKey('index', index.name, index.value);
    else if (only !== undefined && 'name' in only) bucket = bucketKey('name', itemKey({ namespace, name: only.name }));
    else if (only !== undefined) bucket = bucketKey('label', only.label, only.value);
    else if (namespacePrefix !== undefined) bucket = bucketKey('namespace', namespacePrefix);
    const group: Group = { key, bucket, namespacePrefix, filter, log: new EventLog(revision, this.#maximumPendingBytes) };
    this.#groups.add(group);
    if (key !== undefined) this.#byKey.set(key, group);
    const found = this.#buckets.get(bucket);
    if (found !== undefined) found.add(group);
    else {
      this.#buckets.set(bucket, new Set([group]));
      this.#sorts.set(sortOf(bucket), (this.#sorts.get(sortOf(bucket)) ?? 0) + 1);
    }
    return group;
  }

  #remove(group: Group): void {
    const { key, bucket } = group;
    this.#groups.delete(group);
    if (key !== undefined && this.#byKey.get(key) === group) this.#byKey.delete(key);
    const found = this.#buckets.get(bucket);
    if (found?.delete(group) !== true || found.size > 0) return;
    this.#buckets.delete(bucket);
    const left = (this.#sorts.get(sortOf(bucket)) ?? 1) - 1;
    if (left > 0) this.#sorts.set(sortOf(bucket), left);
    else this.#sorts.delete(sortOf(bucket));
  }
}

const wide = 'all';

function bucketKey(sort: 'namespace' | 'name' | 'index' | 'label', ...parts: readonly string[]): string {
  return `${sort}\0${parts.join('\0')}`;
}

function sortOf(bucket: string): string {
  const end = bucket.indexOf('\0');
  return end < 0 ? bucket : bucket.slice(0, end);
}

/** The buckets of the index values that the object has, or had before. */
function indexKeys({ current, previous }: CacheEvent, indexers: readonly Indexer[]): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const object of [current, previous]) {
    if (object === undefined) continue;
    for (const { name, values } of indexers) for (const value of values(object.object)) keys.add(bucketKey('index', name, value));
  }
  return keys;
}

/** The buckets of the labels that the object has, or had before. */
function labelKeys({ current, previous }: CacheEvent): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const object of [current, previous]) {
    for (const [label, value] of Object.entries(object?.object.metadata.labels ?? {})) keys.add(bucketKey('label', label, value));
  }
  return keys;
}
