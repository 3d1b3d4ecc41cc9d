import { pods } from '#api/shapes/resources';
import type { Pod, Toleration } from '#api/shapes/types/core-v1';
import { tolerates } from '#api/tolerations';
import type { AdmissionStep } from './admission.ts';

const seconds = 300;
const keys = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/** A pod that says nothing of nodes that are not ready or out of reach stays on such a node for five minutes, as in Kubernetes. */
export const defaultTolerations: AdmissionStep = {
  name: 'default-tolerations',
  resources: [pods],
  mutate: ({ subresource, object }) => {
    if (subresource !== undefined) return;
    const { spec } = object as Pod;
    const given = spec.tolerations ?? [];
    const added = keys
      .filter((key) => !tolerates(given, { key, effect: 'NoExecute' }))
      .map((key): Toleration => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: seconds }));
    if (added.length > 0) spec.tolerations = [...given, ...added];
  },
};
