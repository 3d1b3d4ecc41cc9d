/**
 * When watches write next. A watch that has just written rests until the next round, and then writes all that has come meanwhile at once. A write costs
 * the same for one event as for many, so the more watches there are, the rarer the rounds: what they cost together stays below half of a core.
 */
import type { Clock } from '#base/clock';

/** Milliseconds between rounds, at least. */
const leastRest = 8;
/** Milliseconds of rest for each watch that writes in a round: about twice what its write costs. */
const restPerWatch = 0.05;
/** Milliseconds between rounds, however many watches there are. */
const longestRest = 200;
/** Watches that write in one turn of the event loop. */
const perTurn = 50;

export class WatchRounds {
  readonly #clock: Clock;
  #resting: (() => void)[] = [];
  #timer: { cancel(): void } | undefined;
  #since = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when the watch may write again. */
  next(): Promise<void> {
    if (this.#timer === undefined) {
      this.#since = this.#clock.monotonic();
      this.#wait(leastRest);
    }
    return new Promise((resolve) => {
      this.#resting.push(resolve);
    });
  }

  #wait(delay: number): void {
    this.#timer = this.#clock.schedule(delay, () => this.#begin());
  }

  #begin(): void {
    const rest = Math.min(longestRest, this.#resting.length * restPerWatch);
    const left = rest - (this.#clock.monotonic() - this.#since);
    if (left >= 1) {
      this.#wait(left);
      return;
    }
    this.#timer = undefined;
    release(this.#resting);
    this.#resting = [];
  }
}

function release(resting: readonly (() => void)[], from = 0): void {
  const end = Math.min(resting.length, from + perTurn);
  for (let index = from; index < end; index++) resting[index]?.();
  if (end < resting.length) setImmediate(() => release(resting, end));
}
