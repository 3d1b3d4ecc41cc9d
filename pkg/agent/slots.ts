/** Bounds how many do a thing at once; who comes first goes first. */
export interface Slots {
  /** Runs `work` when a slot is free. Rejects with the signal's reason when it aborts while waiting. */
  use<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  return {
    async use(work, signal) {
      signal.throwIfAborted();
      if (free > 0) free--;
      else {
        await new Promise<void>((resolve, reject) => {
          const onAbort = (): void => {
            const at = waiting.indexOf(enter);
            if (at >= 0) waiting.splice(at, 1);
            reject(signal.reason);
          };
          const enter = (): void => {
            signal.removeEventListener('abort', onAbort);
            resolve();
          };
          signal.addEventListener('abort', onAbort, { once: true });
          waiting.push(enter);
        });
      }
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) free++;
        else next();
      }
    },
  };
}
