/** The deadlines of many things at once, all equally far: one timer serves them all, because one for each would cost more than what it watches. */
import type { Clock } from '#base/clock';

export class Deadlines<T extends object> {
  readonly #clock: Clock;
  readonly #delay: number;
  readonly #expired: (item: T) => void;
  /** When each is due; the first is due first. */
  readonly #due = new Map<T, number>();
  #timer: { cancel(): void } | undefined;

  /** `delay` is in milliseconds; `expired` is called once for each item that was neither taken away nor added again until then. */
  constructor(clock: Clock, delay: number, expired: (item: T) => void) {
    this.#clock = clock;
    this.#delay = delay;
    this.#expired = expired;
  }

  /** Begins to count for the item, anew if it was there. */
  add(item: T): void {
    this.#due.delete(item);
    this.#due.set(item, this.#clock.monotonic() + this.#delay);
    this.#timer ??= this.#clock.schedule(this.#delay, () => this.#look());
  }

  delete(item: T): void {
    this.#due.delete(item);
  }

  /** Forgets all. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#due.clear();
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const [item, at] of this.#due) {
      if (at > now) {
        this.#timer ??= this.#clock.schedule(at - now, () => this.#look());
        return;
      }
      this.#due.delete(item);
      this.#expired(item);
    }
  }
}
