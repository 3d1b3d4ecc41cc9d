/**
 * Keeps the store's history bounded: what was superseded is forgotten after a while, or earlier when there is much of it.
 * Lists and watches of revisions within the window go on working. Several servers over one store may each run one.
 */
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import { type Logger, silentLogger } from '#base/logging';
import type { Backend, Revision } from './backend.ts';

export interface CompactorOptions {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** How long history is kept, milliseconds; 5 minutes unless given. */
  readonly window?: number;
  /** How many revisions of history are kept at most; 50,000 unless given. */
  readonly maximumRevisions?: number;
  /** How often it looks, milliseconds; 2 seconds unless given. */
  readonly interval?: number;
}

interface Mark {
  readonly at: number;
  readonly revision: Revision;
}

export class Compactor implements Runnable {
  readonly name = 'compactor';
  readonly #options: CompactorOptions;
  readonly #logger: Logger;
  readonly #marks: Mark[] = [];
  #compacted: Revision = 0;

  constructor(options: CompactorOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Compacts now and then until the signal aborts. A failure is logged and tried again: nothing but room depends on it. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.step();
      } catch (error) {
        this.#logger.warn('the store could not be compacted', { error: messageOf(error) });
      }
      try {
        await this.#options.clock.sleep(this.#options.interval ?? 2_000, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  /** Takes note of the present revision, and compacts to what is now out of the window. */
  async step(): Promise<void> {
    const { backend, clock } = this.#options;
    const now = clock.monotonic();
    const revision = await backend.revision();
    if (revision > (this.#marks.at(-1)?.revision ?? 0)) this.#marks.push({ at: now, revision });
    let target = revision - (this.#options.maximumRevisions ?? 50_000);
    const window = this.#options.window ?? 300_000;
    while (this.#marks[0] !== undefined && this.#marks[0].at <= now - window) target = Math.max(target, this.#marks.shift()?.revision ?? 0);
    if (target <= this.#compacted) return;
    await backend.compact(target);
    this.#compacted = target;
  }
}
