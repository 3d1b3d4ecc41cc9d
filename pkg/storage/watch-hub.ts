/**
 * The watches of a backend that lives in this process: first pages of the log until the watcher has caught up, then each
 * group of commits as it becomes durable. The switch happens in one step, so nothing is lost and nothing comes twice.
 */
import { CompactedError, FutureRevisionError, type Revision, type StoreEvent, type WatchBatch } from './backend.ts';
import { EventQueue } from './event-queue.ts';

/** One page of the log. */
export interface LogPage {
  readonly events: readonly StoreEvent[];
  /** The page has all events above the asked revision up to this one. */
  readonly revision: Revision;
}

/** Reads the log above `after`: some whole revisions' events under the prefix, and up to where that goes. Throws `CompactedError`. */
export type ReadLog = (prefix: string, after: Revision) => Promise<LogPage>;

/** What may wait for one watcher, about bytes. */
export const defaultPendingBytes = 64 * 1024 * 1024;

interface Watcher {
  readonly prefix: string;
  readonly queue: EventQueue<StoreEvent>;
}

export class WatchHub {
  readonly #watchers = new Set<Watcher>();
  readonly #maximumPendingBytes: number;
  #revision: Revision;
  #closed = false;
  #failure: Error | undefined;

  /** `revision`: the newest durable one. */
  constructor(revision: Revision, maximumPendingBytes = defaultPendingBytes) {
    this.#revision = revision;
    this.#maximumPendingBytes = maximumPendingBytes;
  }

  /** The newest durable revision. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Gives durable events, whole revisions in order, to the watchers, and tells all of them how far the store is. */
  publish(events: readonly StoreEvent[], revision: Revision): void {
    this.#revision = revision;
    for (const { prefix, queue } of this.#watchers) {
      for (const event of events) {
        if (event.key.startsWith(prefix)) queue.push(event, event.type === 'put' ? event.value.length : 0);
      }
      queue.advance(revision);
    }
  }

  /** Ends all watches. */
  close(): void {
    this.#closed = true;
    for (const { queue } of this.#watchers) queue.end();
  }

  /** Ends all watches, and later ones, with an error. */
  fail(error: Error): void {
    this.#failure = error;
    for (const { queue } of this.#watchers) queue.fail(error);
  }

  /** See `Backend.watch`. */
  async *watch(prefix: string, after: Revision, signal: AbortSignal, readLog: ReadLog): AsyncGenerator<WatchBatch, void, undefined> {
    if (after > this.#revision) throw new FutureRevisionError(this.#revision);
    let watcher: Watcher | undefined;
    const onAbort = (): void => watcher?.queue.end();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      let position = after;
      while (watcher === undefined) {
        if (this.#failure !== undefined) throw this.#failure;
        if (signal.aborted || this.#closed) return;
        const page = await readLog(prefix, position);
        position = page.revision;
        // No await between this check and the registration: what is published next is the first the page does not have.
        if (page.revision === this.#revision) {
          watcher = { prefix, queue: new EventQueue(position, this.#maximumPendingBytes) };
          this.#watchers.add(watcher);
          if (this.#closed || signal.aborted) watcher.queue.end();
        }
        if (signal.aborted) return;
        if (page.events.length > 0 || watcher !== undefined) yield { events: page.events, revision: page.revision };
      }
      for (;;) {
        const taken = await watcher.queue.take();
        if (taken === undefined || signal.aborted) return;
        yield taken;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (watcher !== undefined) this.#watchers.delete(watcher);
    }
  }
}

/** Throws unless a read or a watch from `revision` can be answered. */
export function checkReadable(revision: Revision, compactRevision: Revision, newest: Revision): void {
  if (revision < compactRevision) throw new CompactedError(compactRevision);
  if (revision > newest) throw new FutureRevisionError(newest);
}
