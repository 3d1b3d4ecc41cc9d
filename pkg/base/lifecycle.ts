import { messageOf } from './errors.ts';

/**
 * A long-lived part of a process: `run` ends only when `signal` aborts (then it resolves, having released what it
 * holds) or when it cannot go on (then it rejects).
 */
export interface Runnable {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Runs all parts until `signal` aborts. If one fails, or ends on its own, the others are stopped and the reason is thrown
 * with the part's name: a process never goes on with half of itself.
 */
export async function runAll(parts: readonly Runnable[], signal: AbortSignal): Promise<void> {
  const group = new AbortController();
  const stop = AbortSignal.any([signal, group.signal]);
  let failure: Error | undefined;
  await Promise.all(
    parts.map(async (part) => {
      try {
        await part.run(stop);
        if (!stop.aborted) failure ??= new Error(`${part.name} ended without being asked to`);
      } catch (error) {
        if (!stop.aborted || !isAbort(error)) {
          failure ??= new Error(`${part.name} failed: ${messageOf(error)}`, { cause: error });
        }
      } finally {
        group.abort();
      }
    }),
  );
  if (failure !== undefined) throw failure;
}

/** Whether this is the rejection that an aborted wait gives, which is an ending and no failure. */
export function isAbort(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'AbortError';
}

/** Resolves when the signal aborts; never rejects. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
