/**
 * What waits for one consumer of a watch. Bounded by weight (about bytes): past it the consumer is dropped with
 * `SlowConsumerError`, and what waited for it is let go at once. Nothing here waits for a consumer.
 */
import { type Revision, SlowConsumerError } from './backend.ts';

export interface Taken<E> {
  readonly events: readonly E[];
  /** All events up to this revision have been given. */
  readonly revision: Revision;
}

/** Besides its bytes, what an event counts for. */
export const eventOverhead = 256;

export class EventQueue<E> {
  readonly #maximum: number;
  #events: E[] = [];
  #weight = 0;
  #revision: Revision;
  #taken: Revision;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** `revision`: what the consumer knows already. `maximum`: the greatest weight that may wait. */
  constructor(revision: Revision, maximum: number) {
    this.#revision = revision;
    this.#taken = revision;
    this.#maximum = maximum;
  }

  /** Adds an event; it is given once `advance` has reached its revision. */
  push(event: E, bytes: number): void {
    if (this.#ended) return;
    this.#weight += bytes + eventOverhead;
    if (this.#weight > this.#maximum) {
      this.fail(
        new SlowConsumerError(
          `a watch was dropped: its consumer left ${this.#events.length} events waiting; watch again from the last revision it saw`,
        ),
      );
      return;
    }
    this.#events.push(event);
  }

  /** Says that all events up to `revision` have been pushed, and wakes the consumer. */
  advance(revision: Revision): void {
    if (this.#ended) return;
    this.#revision = revision;
    this.#signal();
  }

  /** Ends the watch after what waits has been taken. */
  end(): void {
    this.#ended = true;
    this.#signal();
  }

  /** Ends the watch with an error at once; what waits is dropped. The first error stays. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#events = [];
    this.#ended = true;
    this.#signal();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Nothing waits to be taken. */
  get empty(): boolean {
    return this.#events.length === 0;
  }

  /** Up to where everything was taken. */
  get revisionTaken(): Revision {
    return this.#taken;
  }

  /** Waits for events or progress. Undefined at the end. One consumer only. */
  async take(): Promise<Taken<E> | undefined> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#revision > this.#taken) {
        const events = this.#events;
        this.#events = [];
        this.#weight = 0;
        this.#taken = this.#revision;
        return { events, revision: this.#revision };
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
