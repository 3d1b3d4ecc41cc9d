/**
 * Events that several consumers of a watch read, each at its own pace, from one list: an event costs the same for one consumer and for a
 * thousand, and those that are equally far take the very same batch. Bounded by weight (about bytes) for each: who leaves more unread
 * is dropped with `SlowConsumerError`. Nothing here waits for a consumer, and what all have read is let go.
 */
import { type Revision, SlowConsumerError } from './backend.ts';
import { eventOverhead, type Taken } from './event-queue.ts';

/** Events below which it does not pay to look for what all have read. */
const leastTrim = 64;

export class EventLog<E> {
  readonly #maximum: number;
  readonly #readers = new Set<EventReader<E>>();
  readonly #awake = new Set<EventReader<E>>();
  /** The events from number `#first` on. */
  #events: E[] = [];
  /** The weight of all events up to and including each of them. */
  #weights: number[] = [];
  #first = 0;
  #weightBefore = 0;
  #weight = 0;
  #revision: Revision;
  /** Batches up to the end, by the number of their first event; kept only while somebody works on them. */
  readonly #batches = new Map<number, WeakRef<E[]>>();
  #trimAt = leastTrim;

  /** `revision`: what the first readers know already. `maximum`: the greatest weight that may wait for a reader. */
  constructor(revision: Revision, maximum: number) {
    this.#revision = revision;
    this.#maximum = maximum;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** A reader of what comes from now on; `revision` is what it knows. */
  open(revision: Revision): EventReader<E> {
    const reader = new EventReader<E>(this, this.#end, revision);
    this.#readers.add(reader);
    return reader;
  }

  /** Adds an event; it is given once `advance` has reached its revision. */
  push(event: E, bytes: number): void {
    this.#weight += bytes + eventOverhead;
    this.#events.push(event);
    this.#weights.push(this.#weight);
    if (this.#batches.size > 0) this.#batches.clear();
    if (this.#weight - this.#weightBefore > this.#maximum || this.#events.length >= this.#trimAt) this.#trim();
  }

  /** Says that all events up to `revision` have been pushed, and wakes who waits for them. */
  advance(revision: Revision): void {
    this.#revision = revision;
    if (this.#awake.size === 0) return;
    const waiting = [...this.#awake];
    this.#awake.clear();
    for (const reader of waiting) reader.wake();
  }

  /** Ends all readers once they have taken what waits. */
  end(): void {
    for (const reader of this.#readers) reader.end();
  }

  /** For readers. */
  get revision(): Revision {
    return this.#revision;
  }

  /** For readers: how many events there have been. */
  get length(): number {
    return this.#end;
  }

  /** For readers: the events from number `from` on, the same list for all who ask. */
  after(from: number): readonly E[] {
    const known = this.#batches.get(from)?.deref();
    if (known !== undefined) return known;
    const batch = this.#events.slice(from - this.#first);
    this.#batches.set(from, new WeakRef(batch));
    return batch;
  }

  /** For readers. */
  await(reader: EventReader<E>): void {
    this.#awake.add(reader);
  }

  /** For readers. */
  close(reader: EventReader<E>): void {
    this.#readers.delete(reader);
    this.#awake.delete(reader);
  }

  get #end(): number {
    return this.#first + this.#events.length;
  }

  /** Drops who has left too much unread, and then what nobody needs any more. */
  #trim(): void {
    let oldest = this.#end;
    for (const reader of this.#readers) {
      const before = reader.position === this.#first ? this.#weightBefore : (this.#weights[reader.position - this.#first - 1] ?? 0);
      if (reader.position < this.#end && this.#weight - before > this.#maximum) {
        const left = this.#end - reader.position;
        reader.fail(
          new SlowConsumerError(`a watch was dropped: its consumer left ${left} events waiting; watch again from the last revision it saw`),
        );
      } else oldest = Math.min(oldest, reader.position);
    }
    const read = oldest - this.#first;
    if (read > 0) {
      this.#weightBefore = this.#weights[read - 1] ?? this.#weightBefore;
      this.#events = this.#events.slice(read);
      this.#weights = this.#weights.slice(read);
      this.#first = oldest;
    }
    this.#trimAt = Math.max(leastTrim, 2 * this.#events.length);
  }
}

/** One consumer's place in a log. */
export class EventReader<E> {
  readonly #log: EventLog<E>;
  /** The number of the first event that it has not taken. */
  position: number;
  #taken: Revision;
  #ended = false;
  #rest: Taken<E> | undefined;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** Made by `EventLog.open`. */
  constructor(log: EventLog<E>, position: number, revision: Revision) {
    this.#log = log;
    this.position = position;
    this.#taken = revision;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Nothing waits to be taken. */
  get empty(): boolean {
    return this.position === this.#log.length;
  }

  /** Up to where everything was taken. */
  get revisionTaken(): Revision {
    return this.#taken;
  }

  /** Waits for events. Undefined at the end. One consumer only; the list is shared and never changes. */
  async take(): Promise<Taken<E> | undefined> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      const taken = this.#ended ? this.#rest : this.#next();
      this.#rest = undefined;
      if (taken !== undefined || this.#ended) return taken;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#log.await(this);
      });
    }
  }

  /** Ends it after what waits has been taken. */
  end(): void {
    if (this.#ended) return;
    this.#rest = this.#next();
    this.#ended = true;
    this.#log.close(this);
    this.wake();
  }

  /** Ends it with an error at once; what waits is dropped. The first error stays. */
  fail(error: Error): void {
    this.#error ??= error;
    this.end();
    this.#rest = undefined;
  }

  /** For the log. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #next(): Taken<E> | undefined {
    if (this.#log.revision <= this.#taken) return undefined;
    const events = this.#log.after(this.position);
    this.position += events.length;
    this.#taken = this.#log.revision;
    return { events, revision: this.#taken };
  }
}
