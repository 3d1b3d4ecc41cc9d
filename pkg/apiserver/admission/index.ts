import { type Clock, systemClock } from '#base/clock';
import type { WatchCache } from '#storage/watch-cache';
import type { AdmissionStep } from './admission.ts';
import { certificateRequester } from './certificate-requester.ts';
import { defaultTolerations } from './default-tolerations.ts';
import { limitRangeStep } from './limit-ranges.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { priority } from './priority.ts';
import { resourceQuotaStep } from './resource-quotas.ts';
import { serviceAccount } from './service-account.ts';
import { type ServiceAddressOptions, serviceAddresses } from './service-addresses.ts';
import { defaultStorageClass } from './storage-class.ts';

export interface AdmissionOptions extends ServiceAddressOptions {
  readonly cache: WatchCache;
  /** The system's unless given. */
  readonly clock?: Clock;
}

/** Every admission step, in the order in which they run: first what completes, and what refuses cheaply before what refuses dearly. */
export function createAdmissionSteps(options: AdmissionOptions): readonly AdmissionStep[] {
  const { cache, clock = systemClock } = options;
  return [
    nodeRestriction,
    namespaceLifecycle(cache),
    priority(cache),
    serviceAccount(cache),
    defaultTolerations,
    certificateRequester,
    limitRangeStep(cache),
    defaultStorageClass(cache),
    serviceAddresses(options),
    resourceQuotaStep({ ...options, clock }),
  ];
}
