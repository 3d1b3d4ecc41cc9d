import type { Plugin } from '../framework.ts';

/** Spreads the pods of one workload: each that is on a node already makes that node less wanted. */
export const workloadSpread: Plugin = {
  name: 'WorkloadSpread',
  weight: 2,
  prepare: (shape, snapshot) =>
    shape.workload === '' ? undefined : { score: (slot) => 100 / (1 + snapshot.ofWorkload(shape.workload, slot)) },
};
