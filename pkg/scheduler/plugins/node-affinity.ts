import { labelChanges, matchesNodeSelector, matchesTerm, termText } from '#api/node-selector';
import type { Explanation, Plugin, Refusal } from '../framework.ts';

const refusal: Refusal = { plugin: 'NodeAffinity', reason: "node(s) didn't match Pod's node affinity/selector" };

/** `nodeSelector` and required node affinity; preferred terms score by their weights. */
export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  weight: 2,
  prepare: (shape, snapshot) => {
    const selector = Object.entries(shape.nodeSelector);
    const required = shape.affinity.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    const preferred = shape.affinity.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const most = preferred.reduce((sum, { weight }) => sum + weight, 0);
    if (selector.length === 0 && required === undefined && most === 0) return undefined;
    const nodeAt = (slot: number) => ({ name: snapshot.nameOf(slot), labels: snapshot.labelsOf(slot) });
    const missing = (slot: number) => selector.filter(([key, value]) => snapshot.labelsOf(slot)[key] !== value);
    const fails = (slot: number): boolean => required !== undefined && !matchesNodeSelector(required, nodeAt(slot));
    return {
      ...(selector.length === 0 && required === undefined
        ? {}
        : {
            filter: (slot: number) => {
              const labels = snapshot.labelsOf(slot);
              for (const [key, value] of selector) if (labels[key] !== value) return refusal;
              return fails(slot) ? refusal : undefined;
            },
            explain: (slot: number) => {
              const found: Explanation[] = [];
              const labels = missing(slot);
              if (labels.length > 0) {
                const wanted = labels.map(([key, value]) => `${key}=${value}`);
                found.push({
                  ...refusal,
                  detail: `has not the label${wanted.length > 1 ? 's' : ''} ${wanted.join(', ')} of the pod's nodeSelector`,
                  help: `label the node: kubectl label node ${snapshot.nameOf(slot)} ${wanted.join(' ')}`,
                  effort: labels.length,
                });
              }
              if (required !== undefined && fails(slot)) {
                const terms = required.nodeSelectorTerms.map(termText).join(', or ');
                const changes = labelChanges(required, nodeAt(slot));
                found.push({
                  ...refusal,
                  detail: `does not match the pod's required node affinity: ${terms}`,
                  help:
                    changes === undefined
                      ? "change the pod's node affinity (in Compose: its placement constraints)"
                      : `label the node: kubectl label node ${snapshot.nameOf(slot)} ${changes.join(' ')}`,
                  effort: changes?.length ?? 10,
                });
              }
              return found;
            },
          }),
      ...(most === 0
        ? {}
        : {
            score: (slot: number) => {
              let sum = 0;
              for (const { weight, preference } of preferred) if (matchesTerm(preference, nodeAt(slot))) sum += weight;
              return (100 * sum) / most;
            },
          }),
    };
  },
};
