/** Which volume a claim gets: pure. One that is there and fits, or, of the local class, a new one on the node chosen for the claim's first consumer. */
import { matchesNodeSelector } from '#api/node-selector';
import { compareQuantities, parseQuantity } from '#api/quantity';
import { matchesSelector, selectorOf } from '#api/selector';
import type { Node, PersistentVolume, PersistentVolumeClaim } from '#api/shapes/types/core-v1';
import type { StorageClass } from '#api/shapes/types/storage-v1';
import { localClass, localProvisioner } from '#api/volumes/local-volume';
import type { Draft } from '#client/client';

export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node';
/** On a Node, by its agent: where the volumes of the local class stand there; told to people in the volume's path. */
export const volumeDirectoryAnnotation = 'berth.dev/volume-directory';
const hostnameLabel = 'kubernetes.io/hostname';

export type ClaimAction =
  | { readonly type: 'none' }
  /** Its volume is there and bound to it. */
  | { readonly type: 'bound'; readonly volume: PersistentVolume }
  /** Its volume is gone, or another claim's. */
  | { readonly type: 'lost'; readonly reason: string; readonly message: string }
  | { readonly type: 'bind'; readonly volume: PersistentVolume }
  | { readonly type: 'provision'; readonly volume: Draft<PersistentVolume>; readonly node: string }
  | { readonly type: 'wait'; readonly event: 'Normal' | 'Warning'; readonly reason: string; readonly message: string };

export interface ClaimWorld {
  readonly volumes: readonly PersistentVolume[];
  readonly storageClass: StorageClass | undefined;
  /** The node of the selected-node annotation, or of a pod that uses the claim already. */
  readonly node: Node | undefined;
  readonly nodeName: string | undefined;
}

export function planClaim(claim: PersistentVolumeClaim, world: ClaimWorld): ClaimAction {
  const volumeName = claim.spec.volumeName ?? '';
  if (volumeName !== '') {
    const volume = world.volumes.find(({ metadata }) => metadata.name === volumeName);
    if (volume === undefined) return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
    const { claimRef } = volume.spec;
    if (claimRef === undefined) return { type: 'bind', volume };
    return isFor(volume, claim)
      ? { type: 'bound', volume }
      : lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
  }
  if (claim.metadata.deletionTimestamp !== undefined) return { type: 'none' };
  // One that was made for this claim, and whose binding was not finished.
  const own = world.volumes.find((volume) => volume.spec.claimRef !== undefined && isFor(volume, claim));
  if (own !== undefined) return { type: 'bind', volume: own };
  const waitsForConsumer = world.storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
  if (waitsForConsumer && world.nodeName === undefined) {
    return {
      type: 'wait',
      event: 'Normal',
      reason: 'WaitForFirstConsumer',
      message: 'waiting for first consumer to be created before binding',
    };
  }
  const fitting = bestFit(claim, world);
  if (fitting !== undefined) return { type: 'bind', volume: fitting };
  if (world.storageClass?.provisioner === localProvisioner) return provision(claim, world.storageClass, world);
  return { type: 'wait', event: 'Normal', reason: 'FailedBinding', message: whyUnbound(claim, world.storageClass) };
}

function lost(reason: string, message: string): ClaimAction {
  return { type: 'lost', reason, message };
}

function whyUnbound(claim: PersistentVolumeClaim, storageClass: StorageClass | undefined): string {
  const className = claim.spec.storageClassName ?? '';
  if (className !== '' && storageClass === undefined) return `storageclass.storage.k8s.io "${className}" not found`;
  return 'no persistent volumes available for this claim and no storage class is set';
}

export function isFor({ spec }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { claimRef } = spec;
  const { uid, name, namespace } = claim.metadata;
  if (claimRef?.name !== name || claimRef?.namespace !== namespace) return false;
  return claimRef?.uid === undefined || claimRef.uid === '' || claimRef.uid === uid;
}

/** The smallest free volume that satisfies the claim, on the chosen node where one was chosen. */
function bestFit(claim: PersistentVolumeClaim, { volumes, node }: ClaimWorld): PersistentVolume | undefined {
  const wanted = parseQuantity(claim.spec.resources?.requests?.storage ?? '0');
  const selector = claim.spec.selector === undefined ? [] : (selectorOf(claim.spec.selector) ?? []);
  const sizeOf = (volume: PersistentVolume) => parseQuantity(volume.spec.capacity?.storage ?? '0');
  return volumes
    .filter(
      (volume) =>
        volume.spec.claimRef === undefined &&
        volume.metadata.deletionTimestamp === undefined &&
        (volume.status?.phase ?? 'Available') !== 'Released' &&
        volume.status?.phase !== 'Failed' &&
        (volume.spec.storageClassName ?? '') === (claim.spec.storageClassName ?? '') &&
        (volume.spec.volumeMode ?? 'Filesystem') === (claim.spec.volumeMode ?? 'Filesystem') &&
        (claim.spec.accessModes ?? []).every((mode) => volume.spec.accessModes?.includes(mode) === true) &&
        matchesSelector(selector, volume.metadata.labels) &&
        compareQuantities(sizeOf(volume), wanted) >= 0 &&
        isReachable(volume, node),
    )
    .toSorted((a, b) => compareQuantities(sizeOf(a), sizeOf(b)) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))[0];
}

function isReachable(volume: PersistentVolume, node: Node | undefined): boolean {
  const required = volume.spec.nodeAffinity?.required;
  if (required === undefined || node === undefined) return true;
  return matchesNodeSelector(required, { name: node.metadata.name ?? '', labels: node.metadata.labels ?? {} });
}

function provision(claim: PersistentVolumeClaim, storageClass: StorageClass, { node, nodeName }: ClaimWorld): ClaimAction {
  if (node === undefined) {
    const message = `failed to provision volume with StorageClass "${storageClass.metadata.name}": node "${nodeName}" not found`;
    return { type: 'wait', event: 'Warning', reason: 'ProvisioningFailed', message };
  }
  const { uid = '', name = '', namespace = '', resourceVersion = '' } = claim.metadata;
  const volumeName = `pvc-${uid}`;
  const directory = node.metadata.annotations?.[volumeDirectoryAnnotation] ?? '/var/lib/berth/volumes';
  const hostname = node.metadata.labels?.[hostnameLabel] ?? node.metadata.name ?? '';
  return {
    type: 'provision',
    node: node.metadata.name ?? '',
    volume: {
      metadata: { name: volumeName, annotations: { 'pv.kubernetes.io/provisioned-by': localProvisioner } },
      spec: {
        capacity: { storage: claim.spec.resources?.requests?.storage ?? '0' },
        accessModes: claim.spec.accessModes ?? ['ReadWriteOnce'],
        volumeMode: claim.spec.volumeMode ?? 'Filesystem',
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
        storageClassName: storageClass.metadata.name ?? localClass,
        local: { path: `${directory}/${volumeName}` },
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid, resourceVersion },
        nodeAffinity: {
          required: { nodeSelectorTerms: [{ matchExpressions: [{ key: hostnameLabel, operator: 'In', values: [hostname] }] }] },
        },
      },
    },
  };
}
