import type { WatchCache } from '#storage/watch-cache';
import type { AdmissionStep } from './admission.ts';
import { defaultTolerations } from './default-tolerations.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { priority } from './priority.ts';
import { type ServiceAddressOptions, serviceAddresses } from './service-addresses.ts';
import { defaultStorageClass } from './storage-class.ts';

export interface AdmissionOptions extends ServiceAddressOptions {
  readonly cache: WatchCache;
}

/** Every admission step, in the order in which they run: first what completes, and what refuses cheaply before what refuses dearly. */
export function createAdmissionSteps(options: AdmissionOptions): readonly AdmissionStep[] {
  const { cache } = options;
  return [
    nodeRestriction,
    namespaceLifecycle(cache),
    priority(cache),
    defaultTolerations,
    defaultStorageClass(cache),
    serviceAddresses(options),
  ];
}
