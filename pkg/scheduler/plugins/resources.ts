import { formatQuantity, quantityOf, quantityOfMilli } from '#api/quantity';
import type { Explanation, Plugin, Refusal } from '../framework.ts';

/** What the pod requests must be free: allocatable less the requests of the pods on the node; and there is room for one more pod. */
export const resources: Plugin = {
  name: 'NodeResourcesFit',
  prepare: (shape, snapshot) => {
    const wanted = [...shape.requests].map(([resource, amount]) => ({
      resource,
      amount,
      column: snapshot.column(resource),
      refusal: { plugin: 'NodeResourcesFit', reason: resource === 'pods' ? 'Too many pods' : `Insufficient ${resource}` } satisfies Refusal,
    }));
    return {
      filter: (slot) => {
        for (const { amount, column, refusal } of wanted) {
          if (snapshot.used(column, slot) + amount > snapshot.allocatable(column, slot)) return refusal;
        }
        return undefined;
      },
      explain: (slot) => {
        const found: Explanation[] = [];
        for (const { resource, amount, column, refusal } of wanted) {
          const all = snapshot.allocatable(column, slot);
          const free = Math.max(0, all - snapshot.used(column, slot));
          if (amount <= free) continue;
          const text = (of: number): string => amountText(resource, of);
          const node = snapshot.nameOf(slot);
          if (resource === 'pods' && all === 0) {
            const help = `start the agent of ${node}: it has not said yet what the node has`;
            found.push({ ...refusal, detail: 'takes no pods', help, effort: 2 });
            continue;
          }
          if (resource === 'pods') {
            found.push({ ...refusal, detail: `runs ${all} pods, as many as it takes`, help: `remove a pod from ${node}`, effort: 1 });
            continue;
          }
          found.push({
            ...refusal,
            detail: `the pod requests ${text(amount)} ${resource}, ${text(free)} of ${text(all)} are free`,
            help:
              amount > all
                ? `request at most ${text(free)} ${resource} (${node} has ${text(all)} in all)`
                : `free ${text(amount - free)} ${resource} on ${node}${free === 0 ? '' : `, or request at most ${text(free)}`}`,
            // In shares of what is asked for; what the node could never give is harder to mend than what is only taken.
            effort: (amount - free) / amount + (amount > all ? 1 : 0),
          });
        }
        return found;
      },
    };
  },
};

/** An amount as one writes it in a manifest. */
function amountText(resource: string, amount: number): string {
  if (resource === 'cpu') return formatQuantity(quantityOfMilli(Math.round(amount)));
  const bytes = resource === 'memory' || resource === 'ephemeral-storage' || resource.startsWith('hugepages-');
  if (!bytes) return formatQuantity(quantityOf(Math.round(amount)));
  // To the next lower Mi, so that what is said to fit does fit.
  const mebi = 1024 * 1024;
  return formatQuantity(quantityOf(amount >= mebi ? Math.floor(amount / mebi) * mebi : Math.floor(amount), 'BinarySI'));
}
