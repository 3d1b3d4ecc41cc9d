import type { PersistentVolumeClaim } from '#api/shapes/types/core-v1';
import type { StorageClass } from '#api/shapes/types/storage-v1';

/** The annotation by which the scheduler tells a provisioner on which node a claim's first consumer will run. */
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node';
/** The class whose volumes are directories on the node of the first pod that uses them; claims that name no class get it. */
export const localStorageClass = 'berth-local';

/** The node that was chosen for the claim's volume, before there is one. */
export function chosenNodeOf(claim: PersistentVolumeClaim | undefined): string | undefined {
  return claim?.metadata.annotations?.[selectedNodeAnnotation];
}

/** Whether an unbound claim gets its volume only when a pod that uses it has been placed. */
export function waitsForConsumer(claim: PersistentVolumeClaim, storageClass: (name: string) => StorageClass | undefined): boolean {
  const name = claim.spec.storageClassName ?? localStorageClass;
  if (name === localStorageClass) return true;
  return storageClass(name)?.volumeBindingMode === 'WaitForFirstConsumer';
}
