/**
 * A local, always current copy of one resource: listed once, then kept by a watch that resumes where it broke off.
 * Invariant: what `get` and `list` show is the state at `revision`, every change between two states reaches the handlers
 * once and in order, and objects are frozen. It decides nothing: who reacts to a change puts a key into a work queue.
 */
import { setImmediate } from 'node:timers/promises';
import { deepFreeze } from '#api/freeze';
import type { KubernetesObject, ResourceType } from '#api/object';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from './client.ts';

/** `namespace/name`, or `name` for what has no namespace. */
export function keyOf(object: { readonly metadata: { readonly name?: string; readonly namespace?: string } }): string {
  const { namespace, name = '' } = object.metadata;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** The reverse of `keyOf`. */
export function splitKey(key: string): { name: string; namespace?: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export interface Change<T extends KubernetesObject = KubernetesObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** The object as it is now; for DELETED its last state. */
  readonly object: T;
  /** The object as the store had it before; undefined for ADDED. */
  readonly old: T | undefined;
}

/** The values under which an object is found by this index; none leaves it out. */
export type IndexFunction<T extends KubernetesObject> = (object: T) => readonly string[];

export interface InformerOptions<T extends KubernetesObject = KubernetesObject> {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  readonly clock: Clock;
  readonly log: Logger;
  /** For jitter, in [0, 1); `Math.random` unless given. */
  readonly random?: () => number;
}

export interface Informer<T extends KubernetesObject = KubernetesObject> extends Runnable {
  readonly resource: ResourceType<T>;
  /** Whether the first list has been taken in (and its changes given to the handlers). */
  readonly hasSynced: boolean;
  /** Resolves when `hasSynced` becomes true; never rejects. */
  readonly synced: Promise<void>;
  /** The resourceVersion up to which all changes have been taken in; `''` before the first list. */
  readonly revision: string;
  /** The object of `keyOf`. */
  get(key: string): T | undefined;
  list(): T[];
  /** The objects that the index has under `value`. Throws for an index that was not declared. */
  byIndex(index: string, value: string): T[];
  /** Adds an index, also over what is there already; a name that exists is refused unless it is the same function. */
  addIndex(index: string, values: IndexFunction<T>): void;
  /** Calls `handler` for each change, at once with ADDED for all that is there. Gives back how to stop it. A handler that throws ends `run`. */
  onChange(handler: (change: Change<T>) => void): () => void;
  /**
   * As `onChange`, but what is there already is given in slices, with other work let through in between; resolves when all of it has been given. What
   * changes meanwhile is given as it is then: once, and ADDED first. Rejects with what the handler throws, and with the signal's reason.
   */
  replay(handler: (change: Change<T>) => void, signal: AbortSignal): Promise<() => void>;
  /** Resolves when `revision` is at least the given resourceVersion; rejects with the signal's reason. */
  reached(revision: string, signal?: AbortSignal): Promise<void>;
  /** Resolves when the condition on this store holds, asked now and after each change; rejects with the signal's reason. */
  until(condition: () => boolean, signal?: AbortSignal): Promise<void>;
}

const pageSize = 500;
/** Milliseconds after which taking in a long list lets others run. */
const slice = 5;
const reconnect = { initial: 200, maximum: 30_000, factor: 2, jitter: 0.5 };
/** A watch that gives nothing, not even a bookmark (the server sends one a minute), for this long is taken for dead. */
const silenceLimit = 150_000;
const watchSeconds = { least: 300, spread: 300 };

export function createInformer<T extends KubernetesObject>(
  client: Client,
  resource: ResourceType<T>,
  options: InformerOptions<T>,
): Informer<T> {
  return new WatchingInformer(client, resource, options);
}

class WatchingInformer<T extends KubernetesObject> implements Informer<T> {
  readonly name: string;
  readonly resource: ResourceType<T>;
  readonly synced: Promise<void>;
  readonly #client: Client;
  readonly #options: InformerOptions<T>;
  readonly #random: () => number;
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, Index<T>>();
  readonly #handlers = new Set<(change: Change<T>) => void>();
  readonly #waiters = new Set<{ readonly condition: () => boolean; readonly resolve: () => void }>();
  #revision = '';
  #hasSynced = false;
  #markSynced: () => void = () => undefined;

  constructor(client: Client, resource: ResourceType<T>, options: InformerOptions<T>) {
    this.name = `informer ${resource.plural}`;
    this.resource = resource;
    this.#client = client;
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
    for (const [name, values] of Object.entries(options.indexes ?? {})) this.addIndex(name, values);
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  get revision(): string {
    return this.#revision;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  byIndex(index: string, value: string): T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new Error(`${this.name} has no index ${index}: declare it with indexes or addIndex`);
    return found.get(value);
  }

  addIndex(index: string, values: IndexFunction<T>): void {
    const present = this.#indexes.get(index);
    if (present !== undefined) {
      if (present.values !== values) throw new Error(`${this.name} has another index ${index} already`);
      return;
    }
    const added = new Index(values);
    for (const [key, object] of this.#objects) added.replace(key, undefined, object);
    this.#indexes.set(index, added);
  }

  onChange(handler: (change: Change<T>) => void): () => void {
    this.#handlers.add(handler);
    for (const object of this.list()) handler({ type: 'ADDED', object, old: undefined });
    return () => {
      this.#handlers.delete(handler);
    };
  }

  async replay(handler: (change: Change<T>) => void, signal: AbortSignal): Promise<() => void> {
    const { clock } = this.#options;
    const missing = new Set(this.#objects.keys());
    const follow = (change: Change<T>): void => {
      if (!missing.delete(keyOf(change.object))) handler(change);
      else if (change.type !== 'DELETED') handler({ type: 'ADDED', object: change.object, old: undefined });
    };
    const stop = (): void => void this.#handlers.delete(follow);
    this.#handlers.add(follow);
    try {
      let since = clock.monotonic();
      for (const key of missing) {
        missing.delete(key);
        const object = this.#objects.get(key);
        if (object !== undefined) handler({ type: 'ADDED', object, old: undefined });
        if (clock.monotonic() - since < slice) continue;
        await setImmediate();
        signal.throwIfAborted();
        since = clock.monotonic();
      }
      return stop;
    } catch (error) {
      stop();
      throw error;
    }
  }

  reached(revision: string, signal?: AbortSignal): Promise<void> {
    const wanted = Number(revision);
    return this.until(() => this.#revision !== '' && Number(this.#revision) >= wanted, signal);
  }

  until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
      };
      const waiter = {
        condition,
        resolve: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let listed = false;
    while (!signal.aborted) {
      let error: unknown;
      const before = this.#revision;
      try {
        if (!listed) {
          await this.#relist(signal);
          listed = true;
        }
        await this.#follow(signal);
      } catch (thrown) {
        if (thrown instanceof HandlerError) throw thrown.cause;
        error = thrown;
      }
      if (signal.aborted) return;
      if (this.#revision !== before) failures = 0;
      if (isTooOld(error)) {
        listed = false;
        this.#options.log.debug('the watch is too old, listing again', { resource: this.resource.plural });
        if (failures++ === 0) continue;
      } else if (error === undefined) {
        // The server ended the watch in order: go on at once, but not in a busy loop if it does so again and again.
        if (failures++ === 0) continue;
      } else {
        failures++;
        this.#options.log.warn('cannot list or watch, trying again', { resource: this.resource.plural, error: messageOf(error), failures });
      }
      try {
        await this.#options.clock.sleep(backoffDelay(reconnect, failures - 1, this.#random), signal);
      } catch {
        return;
      }
    }
  }

  async #relist(signal: AbortSignal): Promise<void> {
    const { items, revision } = await this.#listAll(signal);
    const { clock } = this.#options;
    const present = new Set<string>();
    let since = clock.monotonic();
    for (const [index, item] of items.entries()) {
      if (index % 32 === 31 && clock.monotonic() - since > slice) {
        await setImmediate();
        signal.throwIfAborted();
        since = clock.monotonic();
      }
      const key = keyOf(item);
      present.add(key);
      const old = this.#objects.get(key);
      if (old?.metadata.resourceVersion !== undefined && old.metadata.resourceVersion === item.metadata.resourceVersion) continue;
      // Deleted and created again while nobody looked: two changes, so that whoever keeps things by uid lets go of the old.
      if (old !== undefined && old.metadata.uid !== item.metadata.uid) this.#apply('DELETED', key, old);
      this.#apply('ADDED', key, item);
    }
    for (const [key, object] of [...this.#objects]) if (!present.has(key)) this.#apply('DELETED', key, object);
    this.#hasSynced = true;
    this.#markSynced();
    this.#advance(revision);
  }

  async #listAll(signal: AbortSignal): Promise<{ items: T[]; revision: string }> {
    const items: T[] = [];
    const selection = this.#selection();
    let token: string | undefined;
    let revision = '';
    for (;;) {
      signal.throwIfAborted();
      try {
        const page = await this.#client.list(this.resource, {
          ...selection,
          limit: pageSize,
          ...(token === undefined ? {} : { continue: token }),
        });
        items.push(...page.items);
        if (revision === '') revision = page.metadata.resourceVersion ?? '';
        token = page.metadata.continue;
        if (token === undefined || token === '') return { items, revision };
      } catch (error) {
        if (token === undefined || !isTooOld(error)) throw error;
        // The pages were overtaken by compaction: everything in one reply instead.
        const whole = await this.#client.list(this.resource, selection);
        return { items: whole.items, revision: whole.metadata.resourceVersion ?? '' };
      }
    }
  }

  /** Takes in one watch until it ends or fails. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const stop = new AbortController();
    let heard = clock.monotonic();
    let timer: { cancel(): void };
    const listen = (): void => {
      const silent = clock.monotonic() - heard;
      if (silent >= silenceLimit) stop.abort();
      else timer = clock.schedule(silenceLimit - silent, listen);
    };
    timer = clock.schedule(silenceLimit, listen);
    try {
      const events = this.#client.watch(
        this.resource,
        {
          ...this.#selection(),
          resourceVersion: this.#revision,
          allowWatchBookmarks: true,
          timeoutSeconds: Math.floor(watchSeconds.least + watchSeconds.spread * this.#random()),
        },
        AbortSignal.any([signal, stop.signal]),
      );
      for await (const event of events) {
        heard = clock.monotonic();
        if (event.type !== 'BOOKMARK') this.#apply(event.type, keyOf(event.object), event.object);
        this.#advance(event.object.metadata.resourceVersion ?? this.#revision);
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      timer.cancel();
    }
  }

  #selection(): { namespace?: string; labelSelector?: string; fieldSelector?: string } {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }

  #apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', key: string, object: T): void {
    deepFreeze(object);
    const old = this.#objects.get(key);
    if (type === 'DELETED') {
      if (old === undefined) return;
      this.#objects.delete(key);
      for (const index of this.#indexes.values()) index.replace(key, old, undefined);
      this.#notify({ type, object, old });
      return;
    }
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) index.replace(key, old, object);
    this.#notify({ type: old === undefined ? 'ADDED' : 'MODIFIED', object, old });
  }

  #notify(change: Change<T>): void {
    try {
      for (const handler of this.#handlers) handler(change);
    } catch (error) {
      throw new HandlerError(error);
    }
  }

  #advance(revision: string): void {
    if (revision !== '') this.#revision = revision;
    if (this.#waiters.size === 0) return;
    for (const waiter of this.#waiters) {
      if (!waiter.condition()) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }
}

/** What a handler threw: a defect of ours, which must end `run` and not look like a failing watch. */
class HandlerError extends Error {
  constructor(cause: unknown) {
    super('a change handler failed', { cause });
  }
}

class Index<T extends KubernetesObject> {
  readonly values: IndexFunction<T>;
  readonly #byValue = new Map<string, Map<string, T>>();

  constructor(values: IndexFunction<T>) {
    this.values = values;
  }

  get(value: string): T[] {
    const found = this.#byValue.get(value);
    return found === undefined ? [] : [...found.values()];
  }

  replace(key: string, old: T | undefined, object: T | undefined): void {
    const now = object === undefined ? [] : this.values(object);
    for (const value of old === undefined ? [] : this.values(old)) {
      if (now.includes(value)) continue;
      const bucket = this.#byValue.get(value);
      bucket?.delete(key);
      if (bucket?.size === 0) this.#byValue.delete(value);
    }
    if (object === undefined) return;
    for (const value of now) {
      let bucket = this.#byValue.get(value);
      if (bucket === undefined) {
        bucket = new Map();
        this.#byValue.set(value, bucket);
      }
      bucket.set(key, object);
    }
  }
}

function isTooOld(error: unknown): boolean {
  return error instanceof StatusError && error.code === 410;
}
