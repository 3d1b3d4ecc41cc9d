/** Exponential back-off: pure arithmetic, so that whoever waits does so on its own clock. */
export interface BackoffOptions {
  /** First delay, milliseconds. */
  readonly initial: number;
  /** Upper bound of a delay, milliseconds. */
  readonly maximum: number;
  /** Growth from one delay to the next; 2 unless given. */
  readonly factor?: number;
  /** Share of the delay that is random, 0 to 1; 0 unless given. */
  readonly jitter?: number;
}

/** The delay in milliseconds before attempt `attempt` (0 is the first retry). `random` is in [0, 1). */
export function backoffDelay(options: BackoffOptions, attempt: number, random: () => number = Math.random): number {
  const grown = Math.min(options.maximum, options.initial * (options.factor ?? 2) ** Math.min(attempt, 64));
  const jitter = options.jitter ?? 0;
  return grown * (1 - jitter + jitter * random());
}
