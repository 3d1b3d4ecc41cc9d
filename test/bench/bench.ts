/** What a bench is: it measures something real within one run and gives rows of one table. */
export interface Row {
  readonly name: string;
  readonly value: number;
  /** `1/s`, `ms`, `MB`, `%`, `x` (a ratio). */
  readonly unit: string;
  /** What we aim at, in the same unit. */
  readonly aim?: number;
}

export interface Bench {
  readonly name: string;
  /** Why it cannot run here; undefined when it can. */
  readonly missing?: () => string | undefined;
  run(): Promise<readonly Row[]>;
}

/** The value below which the given share (0 to 1) of the sorted samples lies. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Watches the event loop while `action` runs; the longest time in milliseconds that it did not turn. */
export async function longestStall<T>(action: () => Promise<T>): Promise<{ readonly result: T; readonly stall: number }> {
  let last = performance.now();
  let stall = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    stall = Math.max(stall, now - last - 1);
    last = now;
  }, 1);
  try {
    const result = await action();
    return { result, stall: Math.max(stall, performance.now() - last - 1) };
  } finally {
    clearInterval(timer);
  }
}
