/** Every bench, in the order in which hack/bench runs them. */
import type { Bench } from './bench.ts';
import * as storage from './storage.ts';

export const benches: readonly Bench[] = [storage];
