import type { Plugin, Refusal } from '../framework.ts';

const refusal: Refusal = { plugin: 'NodePorts', reason: "node(s) didn't have free ports for the requested pod ports" };

/** A port of the host is given to one pod per node and address. */
export const hostPorts: Plugin = {
  name: 'NodePorts',
  prepare: (shape, snapshot) => {
    if (shape.hostPorts.length === 0) return undefined;
    return {
      filter: (slot) => (shape.hostPorts.some((port) => snapshot.portTaken(slot, port)) ? refusal : undefined),
      explain: (slot) => {
        const taken = shape.hostPorts.filter((port) => snapshot.portTaken(slot, port)).map((port) => `${port.port}/${port.protocol}`);
        if (taken.length === 0) return [];
        return [
          {
            ...refusal,
            detail: `host port${taken.length > 1 ? 's' : ''} ${taken.join(', ')} in use by another pod`,
            help: `remove the pod that holds ${taken.join(', ')} on ${snapshot.nameOf(slot)}, or ask for another host port`,
            effort: taken.length,
          },
        ];
      },
    };
  },
};
