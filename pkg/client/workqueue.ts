/**
 * Keys that wait for work. A key is in the queue once however often it is added, is never worked on twice at the same time,
 * and if it is added while it is worked on it comes again afterwards. Keys leave in the order in which they became due, so that
 * one that fails over and over delays no other. It holds keys alone: the worker reads the world for itself.
 */
import { setMaxListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { type BackoffOptions, backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';

/** What is told of a queue; each is called with the queue's state just after the change. */
export interface WorkQueueObserver {
  added(depth: number): void;
  /** `waited`: milliseconds from becoming due to being taken. */
  taken(depth: number, waited: number): void;
  /** `worked`: milliseconds from taken to done. */
  done(worked: number): void;
  retried(): void;
}

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** How long a key waits after its first, second, … failure; 5 ms doubling up to 1,000 s unless given. */
  readonly backoff?: BackoffOptions;
  readonly observer?: WorkQueueObserver;
}

export interface WorkQueue<K = string> {
  /** Number of keys that are due and not taken. */
  readonly length: number;
  /** Makes the key due now. */
  add(key: K): void;
  /** Makes the key due in `ms` milliseconds, or earlier if it is due earlier already. */
  addAfter(key: K, ms: number): void;
  /** Makes the key due after its back-off, which grows with each call until `forget`. */
  retry(key: K): void;
  /** Ends the key's back-off: its next failure is a first one. */
  forget(key: K): void;
  /** How often `retry` was called since the last `forget`. */
  failures(key: K): number;
  /** The next due key; whoever takes it must call `done`. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<K>;
  done(key: K): void;
  /**
   * Takes keys with `workers` hands until the signal aborts, then resolves when the work in hand has ended. A `work` that rejects
   * ends all of it: failures of a key are the caller's to catch.
   */
  process(workers: number, work: (key: K) => Promise<void>, signal: AbortSignal): Promise<void>;
}

/** Keys that wait from which on each is worked on in a turn of its own. */
const longQueue = 64;
const defaultBackoff: BackoffOptions = { initial: 5, maximum: 1_000_000 };

export function createWorkQueue<K = string>(options: WorkQueueOptions): WorkQueue<K> {
  return new KeyedQueue<K>(options);
}

interface Timer {
  readonly at: number;
  cancel(): void;
}

class KeyedQueue<K> implements WorkQueue<K> {
  readonly #clock: Clock;
  readonly #backoff: BackoffOptions;
  readonly #observer: WorkQueueObserver | undefined;
  /** Due keys with the time at which they became due, oldest first (a Map keeps the order of insertion). */
  readonly #due = new Map<K, number>();
  /** Stands before the oldest key. */
  #cursor: MapIterator<[K, number]> | undefined;
  readonly #working = new Map<K, number>();
  /** Added while worked on: due again when done. */
  readonly #again = new Set<K>();
  readonly #timers = new Map<K, Timer>();
  readonly #failures = new Map<K, number>();
  readonly #takers = new Set<() => void>();

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#backoff = options.backoff ?? defaultBackoff;
    this.#observer = options.observer;
  }

  get length(): number {
    return this.#due.size;
  }

  add(key: K): void {
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#due.has(key)) return;
    this.#due.set(key, this.#clock.monotonic());
    this.#observer?.added(this.#due.size);
    this.#wake();
  }

  addAfter(key: K, ms: number): void {
    if (ms <= 0) {
      this.add(key);
      return;
    }
    if (this.#due.has(key)) return;
    const at = this.#clock.monotonic() + ms;
    const present = this.#timers.get(key);
    if (present !== undefined && present.at <= at) return;
    present?.cancel();
    const timer = this.#clock.schedule(ms, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, { at, cancel: () => timer.cancel() });
  }

  retry(key: K): void {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    this.#observer?.retried();
    this.addAfter(key, backoffDelay(this.#backoff, failures));
  }

  forget(key: K): void {
    this.#failures.delete(key);
  }

  failures(key: K): number {
    return this.#failures.get(key) ?? 0;
  }

  async take(signal: AbortSignal): Promise<K> {
    for (;;) {
      if (signal.aborted) {
        // Whoever was woken for a key and leaves hands the wake-up on.
        if (this.#due.size > 0) this.#wake();
        throw signal.reason;
      }
      const next = this.#oldest();
      if (next !== undefined) {
        const [key, since] = next;
        const now = this.#clock.monotonic();
        this.#due.delete(key);
        this.#working.set(key, now);
        this.#observer?.taken(this.#due.size, now - since);
        return key;
      }
      await this.#waitForKey(signal);
    }
  }

  /** Each look from the front would walk over all that was taken before. */
  #oldest(): [K, number] | undefined {
    while (this.#due.size > 0) {
      this.#cursor ??= this.#due.entries();
      const next = this.#cursor.next();
      if (next.done !== true) return next.value;
      this.#cursor = undefined;
    }
    return undefined;
  }

  done(key: K): void {
    const since = this.#working.get(key);
    if (since === undefined) return;
    this.#working.delete(key);
    this.#observer?.done(this.#clock.monotonic() - since);
    if (this.#again.delete(key)) this.add(key);
  }

  async process(workers: number, work: (key: K) => Promise<void>, signal: AbortSignal): Promise<void> {
    const failure = new AbortController();
    const stop = AbortSignal.any([signal, failure.signal]);
    setMaxListeners(0, stop);
    const hand = async (): Promise<void> => {
      while (!stop.aborted) {
        let key: K;
        // Work that finds nothing to do waits for nothing: a long queue of it must not hold up all else.
        if (this.#due.size >= longQueue) await setImmediate();
        try {
          key = await this.take(stop);
        } catch {
          return;
        }
        try {
          await work(key);
        } catch (error) {
          failure.abort();
          throw error;
        } finally {
          this.done(key);
        }
      }
    };
    const results = await Promise.allSettled(Array.from({ length: workers }, hand));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #wake(): void {
    for (const taker of this.#takers) {
      this.#takers.delete(taker);
      taker();
      return;
    }
  }

  #waitForKey(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#takers.delete(wake);
        resolve();
      };
      this.#takers.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
