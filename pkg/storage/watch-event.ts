/** What happened to one object, as all watchers share it, and what it means for a client that sees only some objects. */
import type { Revision } from './backend.ts';
import type { CachedObject } from './cached-object.ts';

export class CacheEvent {
  readonly revision: Revision;
  /** The object after the event; undefined: it was deleted. */
  readonly current: CachedObject | undefined;
  /** The object before the event; undefined: it was created. */
  readonly previous: CachedObject | undefined;
  #gone: CachedObject | undefined;

  /** At least one of `current` and `previous` is given. */
  constructor(revision: Revision, current: CachedObject | undefined, previous: CachedObject | undefined) {
    this.revision = revision;
    this.current = current;
    this.previous = previous;
  }

  get key(): string {
    return this.last.key;
  }

  /** The newest content there is: `current`, or of a deleted object `previous`. */
  get last(): CachedObject {
    const last = this.current ?? this.previous;
    if (last === undefined) throw new Error('an event has neither an object nor a previous one');
    return last;
  }

  /** The previous content with this event's resourceVersion: what a client is given as DELETED. */
  get gone(): CachedObject {
    if (this.previous === undefined) throw new Error('an object that was just created is not gone');
    this.#gone ??= this.previous.at(this.revision);
    return this.#gone;
  }
}

export interface SelectedEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: CachedObject;
}

/**
 * What a client is told that sees only the objects that match: one that comes to match was ADDED for it, one that no longer
 * does was DELETED (with its last matching content and the event's resourceVersion). Undefined: nothing.
 */
export function selectEvent(event: CacheEvent, matches: (object: CachedObject) => boolean): SelectedEvent | undefined {
  const now = event.current !== undefined && matches(event.current);
  const before = event.previous !== undefined && matches(event.previous);
  if (now && event.current !== undefined) return { type: before ? 'MODIFIED' : 'ADDED', object: event.current };
  return before ? { type: 'DELETED', object: event.gone } : undefined;
}
