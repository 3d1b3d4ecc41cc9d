import type { Plugin } from '../framework.ts';

/** Prefers the node of which the largest share of cpu and memory is left when the pod is on it. */
export const leastAllocated: Plugin = {
  name: 'LeastAllocated',
  prepare: (shape, snapshot) => {
    const cpu = snapshot.column('cpu');
    const memory = snapshot.column('memory');
    return {
      score: (slot) =>
        50 * freeShare(snapshot.allocatable(cpu, slot), snapshot.scoredCpu(slot) + shape.scoredCpu) +
        50 * freeShare(snapshot.allocatable(memory, slot), snapshot.scoredMemory(slot) + shape.scoredMemory),
    };
  },
};

function freeShare(all: number, used: number): number {
  return all <= 0 || used >= all ? 0 : (all - used) / all;
}
