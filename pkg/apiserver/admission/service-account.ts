import { pods, serviceAccounts } from '#api/shapes/resources';
import type { Pod, ServiceAccount } from '#api/shapes/types/core-v1';
import type { WatchCache } from '#storage/watch-cache';
import { type AdmissionStep, forbidden } from './admission.ts';

/** Made for each namespace a moment after it: pods need not wait for it. */
const everywhere = 'default';

/** A pod acts as an account that is there, and pulls its images with the account's secrets where it names none itself. */
export function serviceAccount(cache: WatchCache): AdmissionStep {
  const accounts = cache.resource(serviceAccounts);
  return {
    name: 'service-account',
    resources: [pods],
    mutate: async (request) => {
      if (request.operation !== 'create' || request.subresource !== undefined) return;
      const { spec } = request.object as Pod;
      const key = { namespace: request.namespace ?? '', name: spec.serviceAccountName ?? everywhere };
      const cached = accounts.peek(key) ?? (key.name === everywhere ? undefined : await accounts.get(key));
      const account: ServiceAccount | undefined = cached?.object;
      if (account === undefined) {
        if (key.name === everywhere) return;
        throw forbidden(
          request,
          `error looking up service account ${key.namespace}/${key.name}: serviceaccount ${JSON.stringify(key.name)} not found`,
        );
      }
      const { imagePullSecrets = [] } = account;
      if (imagePullSecrets.length > 0 && (spec.imagePullSecrets ?? []).length === 0)
        spec.imagePullSecrets = structuredClone(imagePullSecrets);
    },
  };
}
