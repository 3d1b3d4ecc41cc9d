import { persistentVolumeClaims, storageClasses } from '#api/shapes/resources';
import type { PersistentVolumeClaim } from '#api/shapes/types/core-v1';
import type { StorageClass } from '#api/shapes/types/storage-v1';
import type { WatchCache } from '#storage/watch-cache';
import type { AdmissionStep } from './admission.ts';

const defaultAnnotation = 'storageclass.kubernetes.io/is-default-class';

/** A claim that names no storage class (an empty name is a choice) gets the default one: of several the newest, as in Kubernetes. */
export function defaultStorageClass(cache: WatchCache): AdmissionStep {
  const classes = cache.resource(storageClasses);
  return {
    name: 'default-storage-class',
    resources: [persistentVolumeClaims],
    mutate: async (request) => {
      if (request.operation !== 'create' || request.subresource !== undefined) return;
      const { spec } = request.object as PersistentVolumeClaim;
      if (spec.storageClassName !== undefined) return;
      const { items } = await classes.list();
      const defaults = items
        .map((item) => item.object as StorageClass)
        .filter((item) => item.metadata.annotations?.[defaultAnnotation] === 'true');
      defaults.sort(
        (a, b) =>
          compare(b.metadata.creationTimestamp ?? '', a.metadata.creationTimestamp ?? '') ||
          compare(a.metadata.name ?? '', b.metadata.name ?? ''),
      );
      const name = defaults[0]?.metadata.name;
      if (name !== undefined) spec.storageClassName = name;
    },
  };
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
