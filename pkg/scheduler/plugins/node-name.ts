import type { Plugin, Refusal } from '../framework.ts';

const refusal: Refusal = { plugin: 'NodeName', reason: "node(s) didn't match the requested node name" };

/** `spec.nodeName`, where the pod itself names its node. Such pods pass by the scheduler; this says why they are where they are. */
export const nodeName: Plugin = {
  name: 'NodeName',
  prepare: (shape, snapshot) => {
    if (shape.nodeName === '') return undefined;
    return {
      filter: (slot) => (snapshot.nameOf(slot) === shape.nodeName ? undefined : refusal),
      explain: (slot) =>
        snapshot.nameOf(slot) === shape.nodeName
          ? []
          : [{ ...refusal, detail: `is not ${shape.nodeName}`, help: 'remove spec.nodeName from the pod', effort: 1 }],
    };
  },
};
