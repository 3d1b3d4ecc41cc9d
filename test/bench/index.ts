/** Every bench, in the order in which hack/bench runs them. */
import type { Bench } from './bench.ts';

export const benches: readonly Bench[] = [];
