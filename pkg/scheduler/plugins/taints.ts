import type { Taint } from '#api/shapes/types/core-v1';
import { taintText, tolerates } from '#api/tolerations';
import type { Plugin, Refusal } from '../framework.ts';

/** A pod goes only where it tolerates every NoSchedule and NoExecute taint; PreferNoSchedule costs score. */
export const taints: Plugin = {
  name: 'TaintToleration',
  weight: 3,
  prepare: (shape, snapshot) => {
    const refusals = new Map<string, Refusal>();
    const untolerated = (slot: number): Taint | undefined =>
      snapshot.taintsOf(slot).find((taint) => taint.effect !== 'PreferNoSchedule' && !tolerates(shape.tolerations, taint));
    const refusalFor = (taint: Taint): Refusal => {
      const text = taintText(taint);
      let refusal = refusals.get(text);
      if (refusal === undefined) {
        refusal = { plugin: 'TaintToleration', reason: `node(s) had untolerated taint ${text}` };
        refusals.set(text, refusal);
      }
      return refusal;
    };
    return {
      filter: (slot) => {
        const taint = untolerated(slot);
        return taint === undefined ? undefined : refusalFor(taint);
      },
      explain: (slot) => {
        const taint = untolerated(slot);
        if (taint === undefined) return [];
        return [
          {
            ...refusalFor(taint),
            detail: `has the taint ${taint.key}${(taint.value ?? '') === '' ? '' : `=${taint.value}`}:${taint.effect}, which the pod does not tolerate`,
            help: helpFor(taint, snapshot.nameOf(slot)),
            effort: isCondition(taint) ? 20 : 1,
          },
        ];
      },
      score: (slot) => {
        let count = 0;
        for (const taint of snapshot.taintsOf(slot)) {
          if (taint.effect === 'PreferNoSchedule' && !tolerates(shape.tolerations, taint)) count++;
        }
        return 100 / (1 + count);
      },
    };
  },
};

/** Set by the cluster from what it observes of the node: nobody should remove it by hand. */
function isCondition(taint: Taint): boolean {
  return taint.key.startsWith('node.kubernetes.io/');
}

function helpFor(taint: Taint, node: string): string {
  if (taint.key === 'node.kubernetes.io/not-ready' || taint.key === 'node.kubernetes.io/unreachable') {
    return `bring node ${node} back: see kubectl describe node ${node}`;
  }
  if (isCondition(taint)) return `mend what node ${node} reports: see kubectl describe node ${node}`;
  return `tolerate the taint, or remove it: kubectl taint node ${node} ${taint.key}:${taint.effect}-`;
}
