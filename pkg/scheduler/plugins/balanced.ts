import type { Plugin } from '../framework.ts';

/** Prefers the node of which cpu and memory are then used to about the same share, so that neither is left over. */
export const balanced: Plugin = {
  name: 'BalancedAllocation',
  prepare: (shape, snapshot) => {
    const cpu = snapshot.column('cpu');
    const memory = snapshot.column('memory');
    return {
      score: (slot) => {
        const ofCpu = share(snapshot.allocatable(cpu, slot), snapshot.scoredCpu(slot) + shape.scoredCpu);
        const ofMemory = share(snapshot.allocatable(memory, slot), snapshot.scoredMemory(slot) + shape.scoredMemory);
        return 100 * (1 - Math.abs(ofCpu - ofMemory) / 2);
      },
    };
  },
};

function share(all: number, used: number): number {
  return all <= 0 ? 1 : Math.min(1, used / all);
}
