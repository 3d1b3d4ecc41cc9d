/**
 * The latest events of one resource, in revision order: what a watch resumes from and what a list of an older revision is
 * worked out with. Bounded by number; `start` tells from which revision on it is whole.
 */
import type { Revision } from './backend.ts';
import type { CacheEvent } from './watch-event.ts';

export class EventWindow {
  readonly #maximum: number;
  #events: CacheEvent[] = [];
  #start: Revision;

  constructor(start: Revision, maximum: number) {
    this.#start = start;
    this.#maximum = maximum;
  }

  /** All events above this revision are here; states from it on can be worked out. */
  get start(): Revision {
    return this.#start;
  }

  /** The revision of the newest event, or `start`. */
  get last(): Revision {
    return this.#events.at(-1)?.revision ?? this.#start;
  }

  add(event: CacheEvent): void {
    this.#events.push(event);
    // Dropped in one piece now and then: a shift for each event would cost more than it frees.
    const excess = this.#events.length - this.#maximum;
    if (excess > Math.max(64, this.#maximum / 8)) {
      this.#start = this.#events[excess - 1]?.revision ?? this.#start;
      this.#events = this.#events.slice(excess);
      // A revision is whole or absent: drop the rest of one that was cut.
      while (this.#events[0]?.revision === this.#start) this.#events.shift();
    }
  }

  /** The events above `revision`, oldest first. */
  after(revision: Revision): readonly CacheEvent[] {
    return this.#events.slice(this.#indexAfter(revision));
  }

  /** The revision of the newest event at or before `revision`, or `start`: two revisions with the same answer show the same state. */
  stateAt(revision: Revision): Revision {
    return this.#events[this.#indexAfter(revision) - 1]?.revision ?? this.#start;
  }

  #indexAfter(revision: Revision): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
