/**
 * Time, as a thing that is handed in: the core never asks the machine for it. `systemClock` is the real one;
 * `ManualClock` (manual-clock.ts) stands still until a test moves it.
 */

export interface Clock {
  /** Wall-clock time in milliseconds since 1970; may jump. For stamps that users read. */
  now(): number;
  /** Milliseconds since some fixed point, never going back. For durations, deadlines and back-off. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds (at once for `ms <= 0`); rejects with `signal.reason` when the signal aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `callback` once after `ms` milliseconds unless cancelled; a pending one does not keep the process alive. */
  schedule(ms: number, callback: () => void): { cancel(): void };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(
        () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        Math.max(0, ms),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
  schedule: (ms, callback) => {
    const timer = setTimeout(callback, Math.max(0, ms));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** RFC 3339 with whole seconds, the form of `meta.v1.Time`. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -5)}Z`;
}

/** RFC 3339 with six decimals, the form of `meta.v1.MicroTime`. */
export function formatMicroTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
