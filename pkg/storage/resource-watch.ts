/**
 * The watchers of one resource, and the fan-out to them: an event goes only to those whose namespace or index value it has,
 * as a reference to the one shared event.
 */
import type { Revision } from './backend.ts';
import type { EventQueue, Taken } from './event-queue.ts';
import type { IndexQuery } from './object-index.ts';
import type { CacheEvent } from './watch-event.ts';

/** A batch of a watch; `initialEnd` marks the last one of the initial events. */
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

export interface Watcher {
  readonly queue: EventQueue<CacheEvent>;
  readonly namespacePrefix: string | undefined;
  readonly index: IndexQuery | undefined;
  readonly filter: ((event: CacheEvent) => boolean) | undefined;
}

export class WatcherSet {
  readonly #all = new Set<Watcher>();
  readonly #wide = new Set<Watcher>();
  readonly #byNamespace = new Map<string, Set<Watcher>>();
  readonly #byIndex = new Map<string, Set<Watcher>>();
  readonly #touched = new Set<Watcher>();

  get size(): number {
    return this.#all.size;
  }

  add(watcher: Watcher): void {
    this.#all.add(watcher);
    this.#bucket(watcher).add(watcher);
  }

  delete(watcher: Watcher): void {
    this.#all.delete(watcher);
    const bucket = this.#bucket(watcher);
    bucket.delete(watcher);
    if (bucket.size > 0) return;
    if (watcher.index !== undefined) this.#byIndex.delete(indexKey(watcher.index.name, watcher.index.value));
    else if (watcher.namespacePrefix !== undefined) this.#byNamespace.delete(watcher.namespacePrefix);
  }

  /** Hands the event to whom it concerns; `indexed` are its object's values, before and now, by index name. */
  dispatch(event: CacheEvent, indexed: readonly { readonly name: string; readonly values: ReadonlySet<string> }[]): void {
    if (this.#all.size === 0) return;
    for (const watcher of this.#wide) this.#give(watcher, event);
    if (this.#byNamespace.size > 0) {
      const slash = event.key.indexOf('/');
      for (const watcher of this.#byNamespace.get(event.key.slice(0, slash + 1)) ?? []) this.#give(watcher, event);
    }
    if (this.#byIndex.size > 0) {
      for (const { name, values } of indexed) {
        for (const value of values) {
          for (const watcher of this.#byIndex.get(indexKey(name, value)) ?? []) {
            if (watcher.namespacePrefix === undefined || event.key.startsWith(watcher.namespacePrefix)) this.#give(watcher, event);
          }
        }
      }
    }
  }

  /** Lets those that were given something since the last call take it. */
  advance(revision: Revision): void {
    for (const watcher of this.#touched) watcher.queue.advance(revision);
    this.#touched.clear();
  }

  /** Ends all watches. */
  end(): void {
    for (const watcher of this.#all) watcher.queue.end();
  }

  #give(watcher: Watcher, event: CacheEvent): void {
    if (watcher.filter !== undefined && !watcher.filter(event)) return;
    watcher.queue.push(event, event.last.bytes.length);
    this.#touched.add(watcher);
  }

  #bucket(watcher: Watcher): Set<Watcher> {
    if (watcher.index !== undefined) return setOf(this.#byIndex, indexKey(watcher.index.name, watcher.index.value));
    if (watcher.namespacePrefix !== undefined) return setOf(this.#byNamespace, watcher.namespacePrefix);
    return this.#wide;
  }
}

function indexKey(name: string, value: string): string {
  return `${name}\0${value}`;
}

function setOf(map: Map<string, Set<Watcher>>, key: string): Set<Watcher> {
  let found = map.get(key);
  if (found === undefined) {
    found = new Set();
    map.set(key, found);
  }
  return found;
}
