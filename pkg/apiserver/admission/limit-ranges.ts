import { claimFaults, defaultContainers, podFaults } from '#api/resource-policies/limits';
import { limitRanges, persistentVolumeClaims, pods } from '#api/shapes/resources';
import type { LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '#api/shapes/types/core-v1';
import type { WatchCache } from '#storage/watch-cache';
import { type AdmissionRequest, type AdmissionStep, forbidden } from './admission.ts';

/** A namespace's limit ranges: what containers do not say is filled in, what asks for too much or too little is refused. */
export function limitRangeStep(cache: WatchCache): AdmissionStep {
  const ranges = cache.resource(limitRanges);
  const itemsFor = async ({ namespace }: AdmissionRequest): Promise<LimitRangeItem[]> => {
    const { items } = await ranges.list({ namespace, at: 'any' });
    const present = items.map(({ object }) => object as LimitRange).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    return present.flatMap(({ spec }) => spec.limits ?? []);
  };
  return {
    name: 'limit-ranges',
    resources: [pods, persistentVolumeClaims],
    mutate: (request) => {
      if (ranges.size === 0 || request.operation !== 'create' || request.subresource !== undefined || !isPod(request)) return undefined;
      return itemsFor(request).then((items) => (items.length > 0 ? defaultContainers(request.object as Pod, items) : undefined));
    },
    validate: (request) => {
      if (ranges.size === 0 || request.operation === 'delete' || request.subresource !== undefined) return undefined;
      // A pod's amounts do not change; a claim may grow.
      if (isPod(request) && request.operation !== 'create') return undefined;
      return itemsFor(request).then((items) => refuse(request, items));
    },
  };
}

function isPod({ resource }: AdmissionRequest): boolean {
  return resource.plural === pods.plural;
}

function refuse(request: AdmissionRequest, items: readonly LimitRangeItem[]): void {
  const faults = isPod(request) ? podFaults(request.object as Pod, items) : claimFaults(request.object as PersistentVolumeClaim, items);
  if (faults.length > 0) throw forbidden(request, faults.length === 1 ? (faults[0] ?? '') : `[${faults.join(', ')}]`);
}
