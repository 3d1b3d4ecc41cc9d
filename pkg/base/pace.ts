import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds of work after which others are let run. */
const slice = 8;

/**
 * Lets others run between the steps of work that may be long. `if (pace.isDue) await pace.rest()` costs work that is short nothing.
 */
export class Pace {
  #since = performance.now();

  /** Whether the work has gone on for so long that it should rest. */
  get isDue(): boolean {
    return performance.now() - this.#since > slice;
  }

  /** Resolves in another turn of the event loop. */
  async rest(): Promise<void> {
    await nextTurn();
    this.#since = performance.now();
  }
}
