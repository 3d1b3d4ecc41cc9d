/**
 * All objects of one resource in memory: point reads, lists at any revision of the window, and watches. Fed by the
 * `WatchCache` alone, a whole revision at a time; readers never see half of one.
 */
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import type { Turns } from '#base/turns';
import { type Backend, CompactedError, FutureRevisionError, type Revision } from './backend.ts';
import type { CachedObject, ObjectDecoder } from './cached-object.ts';
import { EventWindow } from './event-window.ts';
import { type GroupResource, itemKey, type ObjectName, resourcePrefix } from './keys.ts';
import { type Indexer, type IndexQuery, ObjectIndex } from './object-index.ts';
import { OrderedList } from './ordered-list.ts';
import { type ResourceWatch, type ResourceWatchBatch, WatcherSet, type WatchScope } from './resource-watch.ts';
import { CacheEvent } from './watch-event.ts';

/**
 * Which state a read shows: `newest` is linearizable (at least every write that was acknowledged before); `any` is what
 * the cache has, at once; `notOlderThan` waits until the cache has that revision (a resourceVersion that does not exist yet: Timeout, as in
 * Kubernetes); `exactly` is that revision's own state (lists only; Expired when it is no longer known).
 */
export type ReadPoint = 'newest' | 'any' | { readonly notOlderThan: Revision };
export type ListPoint = ReadPoint | { readonly exactly: Revision };

export interface CacheListOptions {
  /** Only this namespace; all unless given. */
  readonly namespace?: string | undefined;
  /** `newest` unless given. */
  readonly at?: ListPoint;
  /** The `next` of the page before; use it with `at: { exactly: revision }` of the first page. */
  readonly start?: string | undefined;
  /** At most this many items (of those that pass the filter); all unless given. */
  readonly limit?: number | undefined;
  /** Only objects with this index value. */
  readonly index?: IndexQuery | undefined;
  /** Only objects for which this is true; lets other work go on in between when it takes long. */
  readonly filter?: ((object: CachedObject) => boolean) | undefined;
}

export interface CacheList {
  /** In key order. */
  readonly items: readonly CachedObject[];
  /** The state that the list shows: its resourceVersion. */
  readonly revision: Revision;
  /** Where the next page starts; undefined when this is the last. */
  readonly next: string | undefined;
  /** How many objects come after this page; undefined where a filter or index makes that unknown. */
  readonly remaining: number | undefined;
}

export interface CacheWatchOptions extends WatchScope {
  /**
   * Events above this revision. Absent: the present objects first, as creations (`previous` undefined, each with its own
   * revision), the last batch of them marked `initialEnd`, then all later events.
   */
  readonly after?: Revision | undefined;
}

/** What a ResourceCache needs of the cache that it is part of. */
export interface CacheProgress {
  /** Everything up to this revision is in the cache. */
  readonly revision: Revision;
  reachNewest(): Promise<void>;
  reach(revision: Revision): Promise<void>;
}

export interface ResourceCacheParts {
  readonly resource: GroupResource;
  readonly backend: Backend;
  readonly clock: Clock;
  readonly decoder: ObjectDecoder;
  readonly indexers: readonly Indexer[];
  readonly windowEvents: number;
  readonly maximumPendingBytes: number;
  readonly progress: CacheProgress;
  /** Of long filters, over all resources. */
  readonly turns: Turns;
}

/** Milliseconds after which a long filter lets others run. */
const slice = 2;
/** How many states of the past are kept whole for lists that go on page by page. */
const keptStates = 16;

export class ResourceCache {
  readonly resource: GroupResource;
  readonly #parts: ResourceCacheParts;
  readonly #watchers: WatcherSet;
  #objects = new OrderedList<CachedObject>();
  #window: EventWindow;
  #indexes: readonly ObjectIndex[];
  readonly #states = new Map<Revision, OrderedList<CachedObject>>();

  /** `base`: the revision whose state is loaded first. Made by the `WatchCache` only. */
  constructor(parts: ResourceCacheParts, base: Revision) {
    this.resource = parts.resource;
    this.#parts = parts;
    this.#watchers = new WatcherSet(parts.maximumPendingBytes);
    this.#window = new EventWindow(base, parts.windowEvents);
    this.#indexes = parts.indexers.map((indexer) => new ObjectIndex(indexer));
  }

  /** How many objects there are now. */
  get size(): number {
    return this.#objects.size;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** The object, or undefined. Throws `StatusError` Timeout when the revision asked for is not there in time. */
  async get(name: ObjectName, at: ReadPoint = 'newest'): Promise<CachedObject | undefined> {
    await this.#reach(at);
    return this.peek(name);
  }

  /** What the cache has of the object at this moment, without waiting for anything. */
  peek(name: ObjectName): CachedObject | undefined {
    return this.#objects.get(itemKey(name));
  }

  /** Throws `StatusError`: Expired when an exact revision is no longer known, Timeout when it does not exist yet. */
  async list(options: CacheListOptions = {}): Promise<CacheList> {
    const at = options.at ?? 'newest';
    const [start, end] = keyRange(options);
    if (typeof at === 'object' && 'exactly' in at) {
      await this.#reach({ notOlderThan: at.exactly });
      if (at.exactly < this.#window.start) return await this.#listFromBackend(options, at.exactly);
      const state = this.#stateAt(at.exactly);
      return await this.#page(state, at.exactly, options, state.range(start, end), this.#filterOf(options));
    }
    const index = await this.#builtIndex(options.index);
    await this.#reach(at);
    const revision = this.#parts.progress.revision;
    if (options.index !== undefined && index !== undefined) {
      if (options.limit !== undefined) this.#stateAt(revision);
      return await this.#page(undefined, revision, options, found(index, options.index, start, end), options.filter);
    }
    // A page that is followed by others, or that pauses to filter, needs a state that stands still.
    const state = options.limit === undefined && options.filter === undefined ? this.#objects : this.#stateAt(revision);
    return await this.#page(state, revision, options, state.range(start, end), options.filter);
  }

  /**
   * Events from now on or from a revision of the window. Throws `StatusError` Expired when `after` is older than the window,
   * and Timeout when it does not exist yet; while it runs, `SlowConsumerError` when the consumer leaves too much waiting.
   */
  async watch(options: CacheWatchOptions, signal: AbortSignal): Promise<ResourceWatch> {
    const { after, namespace } = options;
    const index = after === undefined ? await this.#builtIndex(options.index) : undefined;
    await this.#reach(after === undefined ? 'newest' : { notOlderThan: after });
    const revision = this.#parts.progress.revision;
    if (after !== undefined && after < this.#window.start) throw tooOld(after, this.#window.start);
    // Nothing is lost from here on, however long it takes to choose what comes first.
    const { reader, release } = this.#watchers.open(options, revision);
    if (signal.aborted) release();
    else signal.addEventListener('abort', release, { once: true });
    let initial: readonly CacheEvent[];
    if (after === undefined) {
      const [start, end] = keyRange({ namespace });
      const state = options.filter === undefined ? this.#objects : this.#stateAt(revision);
      const present =
        options.index === undefined || index === undefined ? state.range(start, end) : found(index, options.index, start, end);
      initial = await this.#choose(asCreations(present), options.filter);
    } else {
      initial = await this.#choose(this.#window.after(after), this.#wants(options));
    }
    const progress = this.#parts.progress;
    let first: ResourceWatchBatch | undefined;
    if (after === undefined || initial.length > 0) first = { events: initial, revision, initialEnd: after === undefined };
    return {
      progress: () => {
        if (first !== undefined) return after ?? 0;
        return reader.empty && !reader.ended ? progress.revision : reader.revisionTaken;
      },
      async *[Symbol.asyncIterator]() {
        try {
          if (first !== undefined && !signal.aborted) {
            const batch = first;
            first = undefined;
            yield batch;
          }
          for (;;) {
            const taken = await reader.take();
            if (taken === undefined || signal.aborted) return;
            yield { ...taken, initialEnd: false };
          }
        } finally {
          signal.removeEventListener('abort', release);
          release();
        }
      },
    };
  }

  /** Puts in an object of the base state. For the WatchCache only. */
  load(object: CachedObject): void {
    this.#objects.set(object);
  }

  /** Takes in one change. For the WatchCache only, in revision order, followed by `advance`. */
  apply(key: string, revision: Revision, current: CachedObject | undefined): void {
    const previous = this.#objects.get(key);
    if (current === undefined && previous === undefined) return;
    if (current === undefined) this.#objects.delete(key);
    else this.#objects.set(current);
    const event = new CacheEvent(revision, current, previous);
    this.#window.add(event);
    for (const index of this.#indexes) index.update(key, current);
    this.#watchers.dispatch(event, this.#parts.indexers);
  }

  /** All changes up to `revision` were applied. For the WatchCache only. */
  advance(revision: Revision): void {
    this.#watchers.advance(revision);
    for (const state of this.#states.keys()) if (state < this.#window.start) this.#states.delete(state);
  }

  /** Starts anew from an empty state at `base`; watches end. For the WatchCache only. */
  reset(base: Revision): void {
    this.#watchers.end();
    this.#objects = new OrderedList();
    this.#window = new EventWindow(base, this.#parts.windowEvents);
    this.#indexes = this.#parts.indexers.map((indexer) => new ObjectIndex(indexer));
    this.#states.clear();
  }

  async #reach(at: ReadPoint): Promise<void> {
    if (at === 'newest') await this.#parts.progress.reachNewest();
    else await this.#parts.progress.reach(at === 'any' ? 0 : at.notOlderThan);
  }

  #index(query: IndexQuery | undefined): ObjectIndex | undefined {
    if (query === undefined) return undefined;
    const index = this.#indexes.find(({ indexer }) => indexer.name === query.name);
    if (index === undefined) throw new Error(`there is no index ${query.name} over ${this.resource.plural}`);
    return index;
  }

  async #builtIndex(query: IndexQuery | undefined): Promise<ObjectIndex | undefined> {
    for (;;) {
      const index = this.#index(query);
      if (index === undefined) return undefined;
      await this.#parts.progress.reach(0);
      await index.build(() => this.#objects.clone().range(), this.#parts.turns);
      // Unless everything was loaded anew meanwhile.
      if (this.#index(query) === index) return index;
    }
  }

  #hasValue(query: IndexQuery | undefined): ((object: CachedObject) => boolean) | undefined {
    const index = this.#index(query);
    if (query === undefined || index === undefined) return undefined;
    return (object) => index.indexer.values(object.object).includes(query.value);
  }

  #filterOf({ index, filter }: CacheListOptions): ((object: CachedObject) => boolean) | undefined {
    const has = this.#hasValue(index);
    if (has === undefined || filter === undefined) return has ?? filter;
    return (object) => has(object) && filter(object);
  }

  /** What of the window a watch is given. */
  #wants({ namespace, index, filter }: CacheWatchOptions): ((event: CacheEvent) => boolean) | undefined {
    const prefix = namespace === undefined ? undefined : itemKey({ namespace, name: '' });
    const has = this.#hasValue(index);
    if (prefix === undefined && has === undefined) return filter;
    return (event) =>
      (prefix === undefined || event.key.startsWith(prefix)) &&
      (has === undefined || [event.current, event.previous].some((object) => object !== undefined && has(object))) &&
      (filter === undefined || filter(event));
  }

  async #choose(events: Iterable<CacheEvent>, filter: ((event: CacheEvent) => boolean) | undefined): Promise<CacheEvent[]> {
    if (filter === undefined) return [...events];
    const chosen: CacheEvent[] = [];
    let since = this.#parts.clock.monotonic();
    let visited = 0;
    for (const event of events) {
      if (filter(event)) chosen.push(event);
      if (++visited % 16 !== 0 || this.#parts.clock.monotonic() - since < slice) continue;
      await this.#parts.turns.next();
      since = this.#parts.clock.monotonic();
    }
    return chosen;
  }

  /** The state at a revision of the window, standing still. Worked out by undoing the events since. */
  #stateAt(revision: Revision): OrderedList<CachedObject> {
    const id = this.#window.stateAt(revision);
    const known = this.#states.get(id);
    if (known !== undefined) return known;
    const state = this.#objects.clone();
    for (const event of this.#window.after(id).toReversed()) {
      if (event.previous === undefined) state.delete(event.key);
      else state.set(event.previous);
    }
    this.#states.set(id, state);
    const oldest = this.#states.keys().next();
    if (this.#states.size > keptStates && oldest.done !== true) this.#states.delete(oldest.value);
    return state;
  }

  async #page(
    state: OrderedList<CachedObject> | undefined,
    revision: Revision,
    options: CacheListOptions,
    candidates: Iterable<CachedObject>,
    filter: ((object: CachedObject) => boolean) | undefined,
  ): Promise<CacheList> {
    const limit = options.limit ?? Number.POSITIVE_INFINITY;
    const items: CachedObject[] = [];
    let since = this.#parts.clock.monotonic();
    let visited = 0;
    for (const object of candidates) {
      if (filter !== undefined) {
        if (++visited % 16 === 0 && this.#parts.clock.monotonic() - since > slice) {
          await this.#parts.turns.next();
          since = this.#parts.clock.monotonic();
        }
        if (!filter(object)) continue;
      }
      if (items.length >= limit) {
        const exact = state !== undefined && filter === undefined && options.index === undefined;
        return { items, revision, next: object.key, remaining: exact ? state.count(object.key, keyRange(options)[1]) : undefined };
      }
      items.push(object);
    }
    return { items, revision, next: undefined, remaining: state === undefined ? undefined : 0 };
  }

  /** A revision that has left the window may still be in the backend's history. */
  async #listFromBackend(options: CacheListOptions, revision: Revision): Promise<CacheList> {
    const root = resourcePrefix(this.resource);
    const prefix = options.namespace === undefined ? root : root + itemKey({ namespace: options.namespace, name: '' });
    try {
      const all = options.filter !== undefined || options.index !== undefined || options.limit === undefined;
      const result = await this.#parts.backend.list(prefix, {
        revision,
        ...(options.start === undefined ? {} : { start: root + options.start }),
        ...(all ? {} : { limit: (options.limit ?? 0) + 1 }),
      });
      const objects = result.items.map((item) => this.#parts.decoder.decode(item.key.slice(root.length), item.value, item.revision));
      const page = await this.#page(undefined, revision, options, objects, this.#filterOf(options));
      return all ? page : { ...page, remaining: result.count - page.items.length };
    } catch (error) {
      if (error instanceof CompactedError) throw new StatusError('Expired', 'The resourceVersion for the provided list is too old.');
      if (error instanceof FutureRevisionError) throw tooNew(revision, error.current);
      throw error;
    }
  }
}

/** What the index has under the value, in key order. */
function found(index: ObjectIndex, { value }: IndexQuery, start: string, end: string | undefined): CachedObject[] {
  const inRange = [...index.find(value).values()].filter(({ key }) => key >= start && (end === undefined || key < end));
  return inRange.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

function* asCreations(objects: Iterable<CachedObject>): Generator<CacheEvent> {
  for (const object of objects) yield new CacheEvent(object.revision, object, undefined);
}

function keyRange(options: { readonly namespace?: string | undefined; readonly start?: string | undefined }): [string, string | undefined] {
  if (options.namespace === undefined) return [options.start ?? '', undefined];
  const prefix = itemKey({ namespace: options.namespace, name: '' });
  const start = options.start !== undefined && options.start > prefix ? options.start : prefix;
  // `0` comes right after `/`.
  return [start, `${prefix.slice(0, -1)}0`];
}

/** 410: list again. */
export function tooOld(asked: Revision, oldest: Revision): StatusError {
  return new StatusError('Expired', `too old resource version: ${asked} (${oldest})`);
}

/** 504 with the cause by which clients know that the revision asked for does not exist here (yet). */
export function tooNew(asked: Revision, current: Revision): StatusError {
  return new StatusError('Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
  });
}
