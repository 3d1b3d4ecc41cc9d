import { pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { AdmissionStep } from './admission.ts';

/** A pod that names no service account gets `default`. */
export const serviceAccount: AdmissionStep = {
  name: 'service-account',
  resources: [pods],
  mutate: (request) => {
    if (request.operation !== 'create' || request.subresource !== undefined) return;
    const { spec } = request.object as Pod;
    spec.serviceAccountName ??= spec.serviceAccount ?? 'default';
    spec.serviceAccount = spec.serviceAccountName;
  },
};
