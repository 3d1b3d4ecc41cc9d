import { tolerates } from '#api/tolerations';
import type { Plugin, Refusal } from '../framework.ts';

const refusal: Refusal = { plugin: 'NodeUnschedulable', reason: 'node(s) were unschedulable' };
const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** Cordoned nodes (`spec.unschedulable`) take no pods, but for those that tolerate it. */
export const unschedulable: Plugin = {
  name: 'NodeUnschedulable',
  prepare: (shape, snapshot) => {
    if (tolerates(shape.tolerations, taint)) return undefined;
    const refuses = (slot: number): boolean => snapshot.node(slot)?.spec?.unschedulable === true;
    return {
      filter: (slot) => (refuses(slot) ? refusal : undefined),
      explain: (slot) =>
        refuses(slot)
          ? [{ ...refusal, detail: 'is cordoned', help: `uncordon it: kubectl uncordon ${snapshot.nameOf(slot)}`, effort: 1 }]
          : [],
    };
  },
};
