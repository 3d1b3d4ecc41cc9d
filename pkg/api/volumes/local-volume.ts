/** Volumes that Berth makes itself: a folder on the node that the volume belongs to. What controllers, dispatcher and agent must agree on. */
import type { PersistentVolume } from '../shapes/types/core-v1.ts';

/** The class by which claims ask for one. */
export const localClass = 'berth-local';
export const localProvisioner = 'berth.dev/local';
const provisionedBy = 'pv.kubernetes.io/provisioned-by';
const hostnameLabel = 'kubernetes.io/hostname';

export function isLocalVolume({ metadata, spec }: PersistentVolume): boolean {
  return spec.storageClassName === localClass || metadata.annotations?.[provisionedBy] === localProvisioner;
}

/** The hostnames of the nodes that can have it; empty: it says nothing of nodes. */
export function nodesOfVolume({ spec }: PersistentVolume): readonly string[] {
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  return terms.flatMap(({ matchExpressions = [] }) =>
    matchExpressions.flatMap(({ key, operator, values = [] }) => (key === hostnameLabel && operator === 'In' ? values : [])),
  );
}

/** Whether this node is to remove the data of a volume, whose claim is gone, and that was made by a provisioner to be deleted with it. */
export function isReclaimedBy(volume: PersistentVolume, hostname: string): boolean {
  const { metadata, spec, status } = volume;
  return (
    status?.phase === 'Released' &&
    spec.persistentVolumeReclaimPolicy === 'Delete' &&
    metadata.annotations?.[provisionedBy] === localProvisioner &&
    nodesOfVolume(volume).includes(hostname)
  );
}
