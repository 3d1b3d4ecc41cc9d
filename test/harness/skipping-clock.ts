/** The machine's clock, which a test may move forward: what falls due in what was skipped happens at once, in its order. */
import { type Clock, systemClock } from '#base/clock';

interface Pending {
  readonly at: number;
  readonly fire: () => void;
}

export class SkippingClock implements Clock {
  readonly #pending = new Set<Pending>();
  #skipped = 0;

  now(): number {
    return systemClock.now() + this.#skipped;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#skipped;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const timer = this.schedule(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  schedule(ms: number, callback: () => void): { cancel(): void } {
    const fire = (): void => {
      if (!this.#pending.delete(entry)) return;
      timer.cancel();
      callback();
    };
    const entry: Pending = { at: this.monotonic() + ms, fire };
    this.#pending.add(entry);
    const timer = systemClock.schedule(ms, fire);
    return {
      cancel: () => {
        this.#pending.delete(entry);
        timer.cancel();
      },
    };
  }

  skip(ms: number): void {
    const end = this.monotonic() + ms;
    for (;;) {
      const due = [...this.#pending].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#skipped += Math.max(0, due.at - this.monotonic());
      due.fire();
    }
    this.#skipped += Math.max(0, end - this.monotonic());
  }
}
