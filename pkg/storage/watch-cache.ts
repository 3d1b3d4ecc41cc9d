/**
 * Every object of Berth in memory, fed by one watch over the whole prefix. Reads and watches of all clients are answered
 * from here; the backend sees one watch, the writes, and one small read for each group of consistent reads.
 * Invariant: what is shown is durable, and a `newest` read shows every write acknowledged before it began.
 */
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import { type Logger, silentLogger } from '#base/logging';
import { Turns } from '#base/turns';
import { type Backend, CompactedError, type Revision, SlowConsumerError, type WatchBatch } from './backend.ts';
import { loadObject, ObjectDecoder } from './cached-object.ts';
import { type GroupResource, internalKey, parseObjectKey, resourceId, rootPrefix } from './keys.ts';
import { type Indexer, indexersFor } from './object-index.ts';
import { ResourceCache, tooNew } from './resource-cache.ts';
import { encodeJson, slabs } from './values.ts';

export interface WatchCacheOptions {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Ways to find objects without visiting all; none unless given. */
  readonly indexers?: readonly Indexer[];
  /** How many events of each resource are kept for watches and old lists; 10,000 unless given. */
  readonly windowEvents?: number;
  /** How much may wait for one watcher, about bytes; 16 MiB unless given. */
  readonly maximumPendingBytes?: number;
  /** How many of the backend's latest revisions are replayed at the start, so that clients may resume watches over a restart; 5,000 unless given. */
  readonly replayRevisions?: number;
}

/** Milliseconds that a consistent read waits for the watch before it asks for a sign of life by a write. */
const barrierDelay = 100;
/** Objects that are loaded at a time at the start, and milliseconds of it after which others are let run. */
const loadPage = 5_000;
const loadSlice = 5;
/** Milliseconds after which a read that the cache cannot serve fails. */
const readTimeout = 10_000;
/** Between attempts to load from a store that does not answer. */
const reloadDelay = { initial: 200, maximum: 5_000, jitter: 0.3 };

interface Waiter {
  readonly revision: Revision;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class WatchCache implements Runnable {
  readonly name = 'watch cache';
  /** Shared with the `Store`, so that what it writes is decoded once. */
  readonly decoder = new ObjectDecoder();
  readonly #options: WatchCacheOptions;
  readonly #logger: Logger;
  readonly #resources = new Map<string, ResourceCache>();
  readonly #waiters = new Set<Waiter>();
  readonly #turns = new Turns();
  #revision: Revision = 0;
  #base: Revision = 0;
  #ready = false;
  /** Reads begin at this revision: older states are only replayed. */
  #readyAt: Revision = 0;
  #ended: Error | undefined;
  /** Why the latest load failed; undefined unless one did. */
  #unavailable: StatusError | undefined;
  #reading: Promise<Revision> | undefined;
  #nextRead: Promise<Revision> | undefined;
  #barrier: Promise<unknown> | undefined;

  constructor(options: WatchCacheOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Everything up to this revision is in the cache; 0 before the first load. */
  get revision(): Revision {
    return this.#ready ? this.#revision : 0;
  }

  /** The cache of one resource, whether or not there is any object of it. Always the same for the same resource. */
  resource(resource: GroupResource): ResourceCache {
    const id = resourceId(resource);
    let found = this.#resources.get(id);
    if (found === undefined) {
      found = new ResourceCache(
        {
          resource: { group: resource.group, plural: resource.plural },
          backend: this.#options.backend,
          clock: this.#options.clock,
          decoder: this.decoder,
          indexers: indexersFor(this.#options.indexers ?? [], id),
          windowEvents: this.#options.windowEvents ?? 10_000,
          maximumPendingBytes: this.#options.maximumPendingBytes ?? 16 * 1024 * 1024,
          progress: this,
          turns: this.#turns,
        },
        this.#base,
      );
      this.#resources.set(id, found);
    }
    return found;
  }

  /** The resources of which there have been objects or readers. */
  resources(): readonly ResourceCache[] {
    return [...this.#resources.values()];
  }

  /** Resolves when the first load is done, however long that takes. Throws `StatusError` ServiceUnavailable when the store does not answer. */
  async loaded(): Promise<void> {
    if (!this.#ready) await this.#wait(0, Number.POSITIVE_INFINITY);
  }

  /** Resolves when everything is loaded. Throws `StatusError` Timeout, or ServiceUnavailable while the store does not answer. */
  async ready(): Promise<void> {
    if (!this.#ready) await this.#wait(0);
  }

  /**
   * Resolves when the cache shows every write that was acknowledged before the call: one linearizable read of the revision,
   * shared by all calls that came before it began, then waiting for the watch. Throws `StatusError` Timeout, or ServiceUnavailable.
   */
  async reachNewest(): Promise<void> {
    const { newest } = this.#options.backend;
    if (newest !== undefined && this.#ready && this.#ended === undefined && this.#revision >= newest) return;
    await this.#wait(await this.#newestRevision());
  }

  /** Resolves when the cache has reached the revision; throws `StatusError` Timeout when that does not exist yet. */
  async reach(revision: Revision): Promise<void> {
    if (this.#ready && this.#revision >= revision) return;
    await this.ready();
    if (this.#revision >= revision) return;
    const newest = await this.#newestRevision();
    if (revision > newest) throw tooNew(revision, newest);
    await this.#wait(revision);
  }

  /** Loads and follows the backend until the signal aborts. While the backend does not answer it tries again: nothing can be read then. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (let failures = 0; !signal.aborted; ) {
        try {
          await this.#load();
          failures = 0;
          for await (const batch of this.#options.backend.watch(rootPrefix, this.#base, signal)) this.#apply(batch);
          if (!signal.aborted) throw new Error('the store ended the watch that feeds the cache');
        } catch (error) {
          this.#ready = false;
          if (error instanceof CompactedError || error instanceof SlowConsumerError) {
            this.#logger.warn('the watch cache fell behind and loads everything anew; clients will list again', { reason: error.message });
          } else if (error instanceof StatusError) {
            // The store is there and does not answer: that passes. What does not is an error of another sort.
            this.#logger.warn('the watch cache cannot be loaded from the store; trying again', { reason: error.message });
            this.#beUnavailable(error);
            await this.#options.clock.sleep(backoffDelay(reloadDelay, failures++), signal).catch(() => undefined);
          } else throw error;
        }
      }
    } finally {
      this.#ended = new StatusError('ServiceUnavailable', 'the server is stopping; try again in a moment');
      for (const resource of this.#resources.values()) resource.reset(this.#revision);
      for (const waiter of this.#waiters) waiter.reject(this.#ended);
      this.#waiters.clear();
    }
  }

  /** Lists a state somewhat in the past; the watch from there fills the windows with what happened since. */
  async #load(): Promise<void> {
    const newest = await this.#options.backend.revision();
    let base = Math.max(1, newest - (this.#options.replayRevisions ?? 5_000));
    for (let loaded = false; !loaded; ) {
      try {
        await this.#loadState(base);
        loaded = true;
      } catch (error) {
        if (!(error instanceof CompactedError)) throw error;
        base = Math.max(error.compactRevision, base + 1);
      }
    }
    this.#readyAt = newest;
    if (base >= newest) this.#becomeReady();
  }

  /** Makes the cache the state at `base`, page by page, so that a large one neither stalls the event loop nor is in memory twice. */
  async #loadState(base: Revision): Promise<void> {
    this.#base = base;
    this.#revision = base;
    for (const resource of this.#resources.values()) resource.reset(base);
    const allocate = slabs();
    let start = rootPrefix;
    let loaded = 0;
    let since = performance.now();
    for (let more = true; more; ) {
      const page = await this.#options.backend.list(rootPrefix, { revision: base, start, limit: loadPage, count: false });
      for (const item of page.items) {
        const parsed = parseObjectKey(item.key);
        if (parsed === undefined) continue;
        this.#resourceOf(parsed.resource).load(loadObject(parsed.item, item.value, item.revision, allocate));
        if (++loaded % 64 !== 0 || performance.now() - since < loadSlice) continue;
        await this.#turns.next();
        since = performance.now();
      }
      more = page.more;
      // `!` is the least character of a key: this comes right after the last one.
      start = `${page.items.at(-1)?.key ?? start}!`;
    }
  }

  /** Until a load succeeds, reads hear at once why there is nothing to read. */
  #beUnavailable(cause: StatusError): void {
    this.#unavailable = new StatusError('ServiceUnavailable', `the server has nothing to read from yet: ${cause.message}`, {
      cause,
      details: { retryAfterSeconds: 1 },
    });
    for (const waiter of this.#waiters) waiter.reject(this.#unavailable);
  }

  #becomeReady(): void {
    this.#ready = true;
    this.#unavailable = undefined;
    this.#release();
  }

  #apply(batch: WatchBatch): void {
    const touched = new Set<ResourceCache>();
    for (const event of batch.events) {
      const parsed = parseObjectKey(event.key);
      if (parsed === undefined) continue;
      const resource = this.#resourceOf(parsed.resource);
      const current = event.type === 'put' ? this.decoder.decode(parsed.item, event.value, event.revision) : undefined;
      resource.apply(parsed.item, event.revision, current);
      touched.add(resource);
    }
    this.#revision = Math.max(this.#revision, batch.revision);
    for (const resource of touched) resource.advance(this.#revision);
    if (!this.#ready && this.#revision >= this.#readyAt) this.#becomeReady();
    else this.#release();
  }

  #resourceOf(id: string): ResourceCache {
    const found = this.#resources.get(id);
    if (found !== undefined) return found;
    const slash = id.indexOf('/');
    const group = id.slice(0, slash);
    return this.resource({ group: group === 'core' ? '' : group, plural: id.slice(slash + 1) });
  }

  #release(): void {
    if (!this.#ready) return;
    for (const waiter of this.#waiters) {
      if (waiter.revision > this.#revision) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** One read at a time; who comes while one runs shares the next, because that begins after they came. */
  #newestRevision(): Promise<Revision> {
    this.#nextRead ??= this.#readNext(this.#reading);
    return this.#nextRead;
  }

  async #readNext(before: Promise<unknown> | undefined): Promise<Revision> {
    await before?.catch(() => undefined);
    const reading = this.#options.backend.revision();
    this.#reading = reading;
    this.#nextRead = undefined;
    return await reading;
  }

  async #wait(revision: Revision, patience = readTimeout): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#ready && this.#revision >= revision) return;
    if (this.#unavailable !== undefined) throw this.#unavailable;
    const { clock } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const nudge = clock.schedule(barrierDelay, () => this.#writeBarrier());
      const giveUp = (): void => {
        const text = `the cache has not reached revision ${revision} in ${patience / 1000} s (it is at ${this.#revision}); try again`;
        waiter.reject(new StatusError('Timeout', text, { details: { retryAfterSeconds: 1 } }));
      };
      const limit = Number.isFinite(patience) ? clock.schedule(patience, giveUp) : undefined;
      const settle = (): void => {
        this.#waiters.delete(waiter);
        nudge.cancel();
        limit?.cancel();
      };
      const waiter: Waiter = {
        revision,
        resolve: () => {
          settle();
          resolve();
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** A write of our own must come back through the watch, and with it everything before. */
  #writeBarrier(): void {
    if (!this.#ready || this.#barrier !== undefined) return;
    this.#barrier = this.#options.backend
      .commit({ compare: [], ops: [{ type: 'put', key: internalKey('barrier'), value: encodeJson({}) }] })
      .catch((error: unknown) => this.#logger.warn('the barrier of a consistent read could not be written', { error: String(error) }))
      .finally(() => {
        this.#barrier = undefined;
      });
  }
}
