/**
 * Watches: the cache's events of one resource as a client with these selectors sees them, in its version, with bookmarks. A consumer that falls
 * behind further than the cache keeps for it is dropped: its watch ends, and it resumes from what it saw last.
 */
import { requiredFieldValue } from '#api/field-selector';
import { apiVersionOf, type KubernetesObject } from '#api/object';
import type { Clock } from '#base/clock';
import { SlowConsumerError } from '#storage/backend';
import type { CachedObject } from '#storage/cached-object';
import type { ResourceWatch, ResourceWatchBatch, WatchScope } from '#storage/resource-watch';
import { type CacheEvent, selectEvent } from '#storage/watch-event';
import { MadeObject, type ServedEvent, type ServedObject } from './answer.ts';
import type { Selection } from './served-resource.ts';

/** Milliseconds between bookmarks: well below the minute after which silent connections are cut on the way. */
export const bookmarkInterval = 45_000;

export interface WatchedEvents {
  readonly source: ResourceWatch;
  readonly resource: { readonly group: string; readonly version: string; readonly kind: string };
  readonly clock: Clock;
  readonly matches: (object: CachedObject) => boolean;
  /** Says what `matches` and `serve` do: watches with the same key share their work, and the events that come of it. */
  readonly key: string;
  readonly translations: Translations;
  readonly serve: (object: CachedObject) => ServedObject;
  /** Bookmarks now and then, and one before the end. */
  readonly bookmarks: boolean;
  /** A bookmark at the end of the initial events, marked as that. */
  readonly markInitialEnd: boolean;
  /** Milliseconds; undefined: no end. */
  readonly timeout: number | undefined;
  /** Ends the source: a wait for its next events does not hold up the end of the watch. */
  readonly release: () => void;
  /** Told when the consumer was too slow and the watch ends for that. */
  readonly dropped: () => void;
}

/** Batches of events, never empty. Returns when the source ends, the timeout passes, or the consumer was too slow; breaking off releases the source. */
export async function* watchEvents(watch: WatchedEvents): AsyncGenerator<readonly ServedEvent[]> {
  const { source, clock } = watch;
  const iterator = source[Symbol.asyncIterator]();
  const wake = new Wake(clock, watch.bookmarks, watch.timeout);
  // Up to where the consumer has been given everything: bookmarks never run ahead of it.
  let passed = 0;
  try {
    let pending = wake.listen(iterator.next());
    for (;;) {
      const what = await wake.next();
      if (what === 'events') {
        const result = await pending;
        if (result.done === true) return;
        const events = translate(watch, result.value);
        passed = Math.max(passed, result.value.revision);
        if (events.length > 0) yield events;
        pending = wake.listen(iterator.next());
      } else {
        const revision = Math.max(passed, source.progress());
        if (watch.bookmarks && revision > 0) yield [bookmark(watch, revision)];
        if (what === 'timeout') return;
      }
    }
  } catch (error) {
    if (!(error instanceof SlowConsumerError)) throw error;
    watch.dropped();
  } finally {
    wake.stop();
    watch.release();
    await iterator.return?.();
  }
}

function translate(watch: WatchedEvents, batch: ResourceWatchBatch): readonly ServedEvent[] {
  const events = watch.translations.of(batch.events, watch);
  if (!batch.initialEnd || !watch.markInitialEnd) return events;
  return [...events, bookmark(watch, batch.revision, { 'k8s.io/initial-events-end': 'true' })];
}

/** What became of batches that several watches share: each is translated once for all that see the same of it. */
export class Translations {
  readonly #known = new WeakMap<readonly CacheEvent[], Map<string, readonly ServedEvent[]>>();

  /** The same list for the same batch and key. */
  of(batch: readonly CacheEvent[], { key, matches, serve }: Pick<WatchedEvents, 'key' | 'matches' | 'serve'>): readonly ServedEvent[] {
    const known = this.#known.get(batch)?.get(key);
    if (known !== undefined) return known;
    const events: ServedEvent[] = [];
    for (const event of batch) {
      const selected = selectEvent(event, matches);
      if (selected !== undefined) events.push({ type: selected.type, object: serve(selected.object) });
    }
    const byKey = this.#known.get(batch);
    if (byKey === undefined) this.#known.set(batch, new Map([[key, events]]));
    else byKey.set(key, events);
    return events;
  }
}

/** Something that all events have that are of concern to the selection, by which the cache finds who is to be told. */
export function onlyOf(selection: Selection, namespaceKnown: boolean): WatchScope['only'] {
  const name = requiredFieldValue(selection.fields, 'metadata.name');
  if (name !== undefined && name !== '' && namespaceKnown) return { name };
  const label = selection.labels.find(({ operator, values }) => (operator === 'Equals' || operator === 'In') && values.length === 1);
  return label === undefined ? undefined : { label: label.key, value: label.values[0] ?? '' };
}

/** Whether a client with these selectors is told anything of the event. */
export function concerns(event: CacheEvent, matches: (object: CachedObject) => boolean): boolean {
  return selectEvent(event, matches) !== undefined;
}

function bookmark(watch: WatchedEvents, revision: number, annotations?: Record<string, string>): ServedEvent {
  const object: KubernetesObject = {
    kind: watch.resource.kind,
    apiVersion: apiVersionOf(watch.resource),
    metadata: { resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) },
  };
  return { type: 'BOOKMARK', object: new MadeObject(Object.freeze(object)) };
}

type Reason = 'events' | 'bookmark' | 'timeout';

/** What a watch waits for, without a race over promises that live as long as it does. */
class Wake {
  readonly #clock: Clock;
  readonly #due = new Set<Reason>();
  readonly #timers: { cancel(): void }[] = [];
  #resolve: (() => void) | undefined;

  constructor(clock: Clock, bookmarks: boolean, timeout: number | undefined) {
    this.#clock = clock;
    if (bookmarks) this.#tick();
    if (timeout !== undefined) this.#timers.push(clock.schedule(timeout, () => this.#raise('timeout')));
  }

  listen<T>(promise: Promise<T>): Promise<T> {
    const raise = (): void => this.#raise('events');
    promise.then(raise, raise);
    return promise;
  }

  async next(): Promise<Reason> {
    while (this.#due.size === 0) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    const reason = (['events', 'timeout', 'bookmark'] as const).find((one) => this.#due.has(one)) ?? 'events';
    this.#due.delete(reason);
    return reason;
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
  }

  #tick(): void {
    this.#timers[0] = this.#clock.schedule(bookmarkInterval, () => {
      this.#raise('bookmark');
      this.#tick();
    });
  }

  #raise(reason: Reason): void {
    this.#due.add(reason);
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.();
  }
}
